# fuzz.mk: libFuzzer drivers for what strangers send: SAS tokens, access tokens, sets of keys, TPM keys, certificates and what CAs revoke, JSON bodies, rows, twins, ids, times, connection
# strings, queries, rules for addresses. Seeds stand in tests/fuzz/corpus/NAME, words that its inputs are made of in tests/fuzz/words/NAME; what a run finds new is
# kept below build/fuzz only.
FUZZ_SECONDS  ?= 20
# Inputs that a run must have tried at least; fewer, and it says little.
FUZZ_LEAST    ?= 10000
FUZZ_CC       := clang-14
FUZZ_NAMES    := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_PROGRAMS := $(patsubst %,build/fuzz/tests/fuzz/fuzz_%,$(FUZZ_NAMES))

# The files that a driver is for.
FUZZ_FILES_attest := core/attest/attest.c core/attest/symmetric.c
FUZZ_FILES_codec  := core/codec.c core/json.c
FUZZ_FILES_crl    := core/attest/x509_crl.c
FUZZ_FILES_jwks   := core/jwks.c
FUZZ_FILES_jwt    := core/jwt.c
FUZZ_FILES_network := core/cidr.c core/ip_filter.c
FUZZ_FILES_query  := core/query/parse.c core/query/find.c core/query/fits.c
FUZZ_FILES_rows   := core/rows.c
FUZZ_FILES_sas    := core/sas.c
FUZZ_FILES_text   := core/enc.c core/id.c core/webhook.c
FUZZ_FILES_tpm    := core/attest/tpm_public.c
FUZZ_FILES_twin   := core/twin.c
FUZZ_FILES_x509   := core/attest/x509_cert.c core/attest/x509_chain.c

CFLAGS_fuzz    := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined

CFLAGS_fuzzcov := -O1 -g -fprofile-instr-generate -fcoverage-mapping

.PHONY: fuzz fuzz-build fuzz-coverage
fuzz: fuzz-build ## fuzz the parsers, FUZZ_SECONDS (20) each; fails on any finding
	@for name in $(FUZZ_NAMES); do sh tests/fuzz/run.sh $$name $(FUZZ_SECONDS) $(FUZZ_LEAST) || failed=1; done; [ -z "$$failed" ]

fuzz-build:
	@$(MAKE) -s --no-print-directory FLAVOR=fuzz CC=$(FUZZ_CC) $(FUZZ_PROGRAMS)

fuzz-coverage: ## lines that the drivers run of the files they are for, over seeds and what was found; fails under 70 %
	@$(MAKE) -s --no-print-directory FLAVOR=fuzzcov CC=$(FUZZ_CC) $(FUZZ_PROGRAMS:build/fuzz/%=build/fuzzcov/%)
	@$(foreach name,$(FUZZ_NAMES),sh tests/fuzz/coverage.sh $(name) $(FUZZ_FILES_$(name)) || failed=1;) [ -z "$$failed" ]

FUZZ_LINK_fuzz    := -fsanitize=fuzzer,address,undefined
FUZZ_LINK_fuzzcov := -fsanitize=fuzzer -fprofile-instr-generate
build/fuzz/tests/fuzz/fuzz_% build/fuzzcov/tests/fuzz/fuzz_%: $(OUT)/tests/fuzz/fuzz_%.o $(OUT)/libcore.a
	@echo "  LINK  $@"
	@$(CC) $(FUZZ_LINK_$(FLAVOR)) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.SECONDARY: $(FUZZ_PROGRAMS:%=%.o)
-include $(FUZZ_PROGRAMS:%=%.d)
