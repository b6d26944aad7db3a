# crash.mk: the crash test, against builds with kill points.
.PHONY: crash
crash: ## kill -9 of PostgreSQL, api and worker under load (CRASH_DEVICES=5000 CRASH_KILLS=20 CRASH_SEED=…)
	@$(MAKE) --no-print-directory build FLAVOR=crash
	@node tests/crash/crash.js
