# flow.mk: the flow tests. FLAVOR here is that of the first deployment's programs; SUITE="story device" runs some of them.
.PHONY: flow
flow: tests/flow/node_modules/.package-lock.json ## client packages against running deployments (SUITE="story device …")
	@$(MAKE) --no-print-directory build FLAVOR=asan
	@$(MAKE) --no-print-directory build FLAVOR=release
	@FLAVOR=asan tests/flow/run.sh $(SUITE)

tests/flow/node_modules/.package-lock.json: tests/flow/package-lock.json
	cd tests/flow && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@
