# edge.mk: what the edge promises, tested on the configuration that the local stack and the container run.
.PHONY: edge
edge: ## HAProxy's part: client chains, headers, limits, its own answers, reload
	@node --test --test-reporter=spec tests/edge/edge.js
