# lint.mk: the lints. The C flags are the Makefile's own, so that every tool sees what the compiler sees.
.PHONY: lint diagrams tenant-jobs
diagrams: ## make the state diagrams of ARCHITECTURE.md, and the moves in the migration, from core/*state.def
	@node tests/lint/states.js --write

tenant-jobs: ## make db/sql/tenant_job.sql, the queue of tenants' jobs, from db/sql/job.sql
	@node tests/lint/tenant_jobs.js --write

lint: $(OUT)/gen/sql_gen.h ## layers, banned calls, lengths, routes, format, -fanalyzer, clang-tidy, cppcheck, shellcheck
	@LINT_C='$(ALL_C)' LINT_JOBS=$$(nproc) LINT_CPPFLAGS='-std=gnu17 $(subst ",\",$(CPPFLAGS))' tests/lint/run.sh
