# tests.mk: the verbs over all suites. Each suite has its own target beside its files (tests/*/*.mk); here they are only put in a row.
.PHONY: test demo asan tsan

test: deps ## run every suite, each short; logs below build/logs/, summaries at the end
	@tests/all.sh

demo: deps ## start the stack if need be and show the service from outside
	@$(MAKE) --no-print-directory run
	@tests/demo/run.sh

asan: ## unit and flow tests against builds with AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory unit FLAVOR=asan
	@$(MAKE) --no-print-directory flow

tsan: ## unit tests, and all planes at once, in builds with ThreadSanitizer
	@TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 $(TSAN_UNDER) $(MAKE) --no-print-directory unit FLAVOR=tsan
	@$(MAKE) --no-print-directory tsan-lanes
