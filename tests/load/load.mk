# load.mk: the benchmark. Its two C programs are built like the service's own; the rest is Node, psql and pgbench.
LOAD_COMMON   := $(call objs,tests/load/fleet.c)
LOAD_PROGRAMS := $(OUT)/tests/load/seed $(OUT)/tests/load/client

$(OUT)/tests/load/seed:   $(call objs,tests/load/seed.c) $(LOAD_COMMON) $(OUT)/libcore.a
$(OUT)/tests/load/client: $(call objs,tests/load/client.c tests/load/conn.c tests/load/leaf.c) $(LOAD_COMMON) $(OUT)/libcore.a
$(LOAD_PROGRAMS):
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

-include $(wildcard $(OUT)/tests/load/*.d)

.PHONY: bench bench-smoke bench-large bench-large-smoke bench-many bench-many-smoke bench-pairs bench-programs
bench-programs:
	@$(MAKE) --no-print-directory build FLAVOR=release
	@$(MAKE) --no-print-directory $(patsubst $(OUT)/%,build/release/%,$(LOAD_PROGRAMS)) FLAVOR=release

bench: deps bench-programs ## measure the service against pgbench and its own limits, 10 to 15 minutes (BENCH_ROUNDS=3)
	@node tests/load/bench.js

bench-smoke: bench-programs ## the same with small numbers: does it run, does it add up, is it not absurdly slow
	@BENCH_SMOKE=1 node tests/load/bench.js

bench-pairs: deps ## the main rows beside another commit's: median of alternating pairs (BASE=HEAD~1 PAIRS=5)
	@node tests/load/pairs.js

bench-large: deps bench-programs ## a million enrollments imported, asked, registered with; 200,000 devices that come back; no time box
	@node tests/load/large.js
	@$(MAKE) --no-print-directory flow-returning

bench-many: deps bench-programs ## a thousand instances with fifty links each: their list, and reading and writing one of them
	@node tests/load/many.js

bench-many-smoke: bench-programs ## the same with small numbers
	@BENCH_SMOKE=1 node tests/load/many.js

bench-large-smoke: bench-programs ## the same with small numbers
	@BENCH_SMOKE=1 node tests/load/large.js
