# crash.mk: the crash tests, against builds with kill points.
.PHONY: crash crash-reprovision
crash: ## kill -9 of PostgreSQL, api and worker under load (CRASH_DEVICES=5000 CRASH_KILLS=20 CRASH_SEED=…)
	@$(MAKE) --no-print-directory build FLAVOR=crash
	@node tests/crash/crash.js

crash-reprovision: ## the table of registering again, with workers that die at each step (REPROVISION_STEPS="assign_left …")
	@$(MAKE) --no-print-directory build FLAVOR=crash
	@node tests/crash/reprovision.js
