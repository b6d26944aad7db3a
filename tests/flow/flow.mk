# flow.mk: the flow tests. FLAVOR here is that of the first deployment's programs; SUITE="story device" runs some of them.
# DOOR_FLAVOR=tsan runs the second door (door.c) under ThreadSanitizer. One more is built as if all checks of credentials were dear.
DOOR_FLAVOR ?= asan
.PHONY: flow flow-pull flow-returning
flow: tests/flow/node_modules/.package-lock.json ## client packages against running deployments (SUITE="story device …")
	@$(MAKE) --no-print-directory build FLAVOR=asan
	@$(MAKE) --no-print-directory build FLAVOR=release
	@$(MAKE) -s --no-print-directory build/release/tests/load/client FLAVOR=release
	@$(MAKE) -s --no-print-directory build/$(DOOR_FLAVOR)/tests/flow/door FLAVOR=$(DOOR_FLAVOR)
	@$(MAKE) -s --no-print-directory build/dear/tests/flow/door FLAVOR=dear
	@FLAVOR=asan DOOR=$(CURDIR)/build/$(DOOR_FLAVOR)/tests/flow/door DEAR_DOOR=$(CURDIR)/build/dear/tests/flow/door tests/flow/run.sh $(SUITE)

flow-pull: ## 10,000 devices moved in from one deployment into another one (PULL_DEVICES=…)
	@PULL_DEVICES=$${PULL_DEVICES:-10000} $(MAKE) --no-print-directory flow SUITE=pull

flow-returning: ## 200,000 devices that come back within ten minutes, ten minutes later (RETURNING_DEVICES=…)
	@RETURNING_DEVICES=$${RETURNING_DEVICES:-200000} $(MAKE) --no-print-directory flow SUITE=returning

$(OUT)/tests/flow/door: $(call objs,tests/flow/door.c $(API_C)) $(OUT)/libdb.a $(OUT)/libcore.a
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(OUT)/tests/flow/door.o: | $(OUT)/gen/sql_gen.h
-include $(OUT)/tests/flow/door.d

tests/flow/node_modules/.package-lock.json: tests/flow/package-lock.json
	cd tests/flow && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@
