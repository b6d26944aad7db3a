# tsan.mk: the threads of api and worker under ThreadSanitizer, all planes at once.
TSAN_RACY := build/tsan/tests/tsan/racy
# Kernels that spread addresses wider than the sanitizer knows let its programs end at their start; so: not at all, where that may be asked for.
TSAN_UNDER = $(shell setarch -R true 2>/dev/null && echo setarch -R)

.PHONY: tsan-lanes
tsan-lanes: bench-programs ## every plane at once against builds with ThreadSanitizer, about a minute (TSAN_SECONDS=30)
	@$(MAKE) --no-print-directory build FLAVOR=tsan
	@$(MAKE) -s --no-print-directory $(TSAN_RACY) FLAVOR=tsan
	@$(TSAN_UNDER) node tests/tsan/tsan.js

$(OUT)/tests/tsan/racy: $(call objs,tests/tsan/racy.c)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS) -o $@ $^
