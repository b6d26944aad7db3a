# mutants.mk: planted breaks, each of which a named test must see.
.PHONY: mutants mutants-apply
mutants: tests/flow/node_modules/.package-lock.json ## break the code as tests/mutants/*.mutant say; a test must fail each time (MUTANTS="name …")
	@node tests/mutants/run.js $(MUTANTS)

mutants-apply: ## do all mutants still fit the code? (a rule of `make lint` too)
	@node tests/mutants/run.js --apply
