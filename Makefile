# Makefile: every verb of the project. Plain `make` prints them.
# Verbs live beside what they act on: docker/*.mk (set-up, local stack), tests/*/*.mk (tests). Here: compiling.
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

.PHONY: help build clean format
help: ## print this list
	@printf 'idscope %s. Verbs:\n' '$(VERSION)'
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

build: ## compile the programs (FLAVOR=release, asan, tsan or crash)
	@$(MAKE) -s --no-print-directory $(PROGRAMS)

clean: ## remove what was compiled
	rm -rf build

format: ## rewrite the C sources in the project's layout
	git ls-files '*.c' '*.h' | xargs clang-format-14 -i

# One rule set for all flavours: release (default), asan (ASan + UBSan), tsan, crash (with kill points), dear (asan, and
# what is stored is dear to check); each below build/.
FLAVOR ?= release
OUT    := build/$(FLAVOR)

PKGS     := libpq libmicrohttpd openssl libjwt jansson libcurl libcares
CFLAGS_WARN := -std=gnu17 -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
               -Wvla -Wformat=2 -Wundef -Werror
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
CFLAGS_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined -DIDSCOPE_KILL_POINTS
CFLAGS_dear    := $(CFLAGS_asan) -DIDSCOPE_ALL_DEAR
CFLAGS_tsan    := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
CFLAGS_crash   := -O2 -g -DIDSCOPE_KILL_POINTS
VERSION  := $(shell cat VERSION)
CPPFLAGS += -I. -I$(OUT)/gen -D_GNU_SOURCE -DIDSCOPE_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
CFLAGS   += $(CFLAGS_WARN) $(CFLAGS_$(FLAVOR)) -fPIE -pthread
LDFLAGS  += $(filter -fsanitize=%,$(CFLAGS_$(FLAVOR))) -pie -pthread -Wl,-z,relro,-z,now
LDLIBS   += $(shell pkg-config --libs $(PKGS) 2>/dev/null)

CORE_C   := $(wildcard core/*.c core/*/*.c)
DB_C     := $(wildcard db/*.c)
API_C    := $(filter-out api/main.c,$(wildcard api/*.c)) $(wildcard api/op/*.c)
WORKER_C := $(filter-out workers/main.c,$(wildcard workers/*.c)) $(wildcard workers/hub/*.c workers/job/*.c)
ADMIN_C  := $(filter-out admin/main.c,$(wildcard admin/*.c))
ALL_C    := $(CORE_C) $(DB_C) $(API_C) $(WORKER_C) $(ADMIN_C) api/main.c workers/main.c admin/main.c
objs      = $(patsubst %.c,$(OUT)/%.o,$(1))

PROGRAMS := $(OUT)/idscope-api $(OUT)/idscope-worker $(OUT)/idscope-admin

$(OUT)/idscope-api:    $(call objs,api/main.c $(API_C)) $(OUT)/libdb.a $(OUT)/libcore.a
$(OUT)/idscope-worker: $(call objs,workers/main.c $(WORKER_C)) $(OUT)/libdb.a $(OUT)/libcore.a
$(OUT)/idscope-admin:  $(call objs,admin/main.c $(ADMIN_C)) $(OUT)/libdb.a $(OUT)/libcore.a
$(PROGRAMS):
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/libcore.a: $(call objs,$(CORE_C))
$(OUT)/libdb.a:   $(call objs,$(DB_C)) $(OUT)/gen/sql_gen.o
$(OUT)/lib%.a:
	@rm -f $@ && ar rcs $@ $^

# The statements of db/sql become one enum and one table (db/db.h).
$(OUT)/gen/sql_gen.h $(OUT)/gen/sql_gen.c &: db/sqlgen.awk $(wildcard db/sql/*.sql)
	@mkdir -p $(OUT)/gen
	@awk -v header=$(OUT)/gen/sql_gen.h -v source=$(OUT)/gen/sql_gen.c -f db/sqlgen.awk $(sort $(wildcard db/sql/*.sql))

$(call objs,$(ALL_C)): | $(OUT)/gen/sql_gen.h
$(OUT)/gen/sql_gen.o: $(OUT)/gen/sql_gen.c
	@$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(patsubst %.c,$(OUT)/%.d,$(ALL_C))

-include $(wildcard docker/*.mk tests/*/*.mk tests/*.mk)
