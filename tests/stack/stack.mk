# stack.mk: the local stack as a user meets it: what a start checks, takes back, leaves alone, and as whom its parts run.
.PHONY: stack
stack: ## starts that fail at every step, and what they leave behind
	@$(MAKE) --no-print-directory build FLAVOR=release
	@node --test --test-reporter=spec tests/stack/stack.js
