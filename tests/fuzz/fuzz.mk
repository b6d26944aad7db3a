# fuzz.mk: libFuzzer drivers for what strangers send: SAS tokens, access tokens, TPM keys, JSON bodies, connection strings, queries.
# Seeds stand in tests/fuzz/corpus/NAME; what a run finds new is kept below build/fuzz only.
FUZZ_SECONDS  ?= 20
FUZZ_CC       := clang-14
FUZZ_NAMES    := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_PROGRAMS := $(patsubst %,build/fuzz/tests/fuzz/fuzz_%,$(FUZZ_NAMES))

CFLAGS_fuzz := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined

.PHONY: fuzz fuzz-build
fuzz: fuzz-build ## fuzz the parsers, FUZZ_SECONDS (20) each; fails on any finding
	@for name in $(FUZZ_NAMES); do sh tests/fuzz/run.sh $$name $(FUZZ_SECONDS) || failed=1; done; [ -z "$$failed" ]

fuzz-build:
	@$(MAKE) -s --no-print-directory FLAVOR=fuzz CC=$(FUZZ_CC) $(FUZZ_PROGRAMS)

build/fuzz/tests/fuzz/fuzz_%: build/fuzz/tests/fuzz/fuzz_%.o build/fuzz/libcore.a
	@echo "  LINK  $@"
	@$(CC) -fsanitize=fuzzer,address,undefined $(LDFLAGS) -o $@ $^ $(LDLIBS)

.SECONDARY: $(FUZZ_PROGRAMS:%=%.o)
-include $(FUZZ_PROGRAMS:%=%.d)
