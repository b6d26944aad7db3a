# unit.mk: the unit tests of core/ and of what api and worker can do without a database, one program per file test_*.c,
# each with the library of its flavour.
UNIT_C        := $(wildcard tests/unit/test_*.c)
UNIT_PROGRAMS := $(patsubst %.c,$(OUT)/%,$(UNIT_C))
UNIT_LINES_LEAST := 95

CFLAGS_coverage := -O0 -g --coverage -DIDSCOPE_KILL_POINTS

.PHONY: unit unit-programs unit-coverage
unit-programs: $(UNIT_PROGRAMS)

unit: $(UNIT_PROGRAMS) ## run the unit tests of core (FLAVOR=release, asan, tsan)
	@failed=; for t in $(UNIT_PROGRAMS); do echo "== $${t##*/}"; $$t || failed="$$failed $$t"; done; \
	if [ -n "$$failed" ]; then echo "unit: failed:$$failed"; exit 1; fi; \
	echo "unit: $(words $(UNIT_PROGRAMS)) programs passed ($(FLAVOR))"

unit-coverage: ## run them with line coverage of core printed; fails under 95 %
	@rm -f build/coverage/core/*.gcda build/coverage/tests/unit/*.gcda
	@$(MAKE) --no-print-directory FLAVOR=coverage unit
	@gcovr --root . --print-summary --filter 'core/' --exclude 'core/process/' --fail-under-line $(UNIT_LINES_LEAST) build/coverage

# The table of routes names every operation, so the router comes with all of them.
$(OUT)/tests/unit/test_queue:  $(call objs,api/queue.c)
$(OUT)/tests/unit/test_spec:   $(call objs,db/spec.c)
$(OUT)/tests/unit/test_hosts:  $(call objs,workers/hosts.c workers/schedule.c)
$(OUT)/tests/unit/test_pool:   $(call objs,workers/pool.c)
$(OUT)/tests/unit/test_schedule: $(call objs,workers/schedule.c)
$(OUT)/tests/unit/test_hub_answer: $(call objs,workers/hub_answer.c)
$(OUT)/tests/unit/test_resolver: $(call objs,workers/resolver.c)
$(OUT)/tests/unit/test_budget: $(call objs,api/budget.c)
$(OUT)/tests/unit/test_rates: $(call objs,$(API_C)) $(OUT)/libdb.a
$(OUT)/tests/unit/test_outgoing: $(call objs,workers/outgoing.c)
$(OUT)/tests/unit/test_router: $(call objs,$(API_C)) $(OUT)/libdb.a
# What is wrapped is asked of the test instead: what the gate and the database know, and each hash, to count them.
$(OUT)/tests/unit/test_auth:   $(call objs,$(API_C)) $(OUT)/libdb.a
$(OUT)/tests/unit/test_auth:   LDFLAGS += -Wl,--wrap=gate_instance_by_name,--wrap=gate_hub_by_name,--wrap=crypt_hmac_sha256
$(OUT)/tests/unit/test_attempts: $(call objs,$(API_C)) $(OUT)/libdb.a
$(OUT)/tests/unit/test_attempts: LDFLAGS += -Wl,--wrap=db_attempt_write,--wrap=diagnosis_of
$(OUT)/tests/unit/test_attest: LDFLAGS += -Wl,--wrap=crypt_hmac_sha256,--wrap=seal,--wrap=unseal
$(OUT)/tests/unit/test_resource: $(call objs,$(API_C)) $(OUT)/libdb.a
$(OUT)/tests/unit/test_resource: LDFLAGS += -Wl,--wrap=db_tx,--wrap=db_group_hold,--wrap=db_place,--wrap=db_name_take
$(UNIT_PROGRAMS): $(OUT)/tests/unit/%: $(OUT)/tests/unit/%.o $(OUT)/libcore.a
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS) $(filter --coverage,$(CFLAGS_$(FLAVOR))) -o $@ $(filter %.o,$^) $(filter %libdb.a,$^) \
		$(filter %libcore.a,$^) $(LDLIBS) -lcmocka -lm

.SECONDARY: $(patsubst %.c,$(OUT)/%.o,$(UNIT_C))
-include $(patsubst %.c,$(OUT)/%.d,$(UNIT_C))
