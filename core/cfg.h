/* cfg.h: the settings of one program, read once at start and constant afterwards. The table is cfg.def; this
 * file does no I/O: main hands in the arguments and the environment. */
#ifndef IDSCOPE_CFG_H
#define IDSCOPE_CFG_H

#include "err.h"
#include "arena.h"

enum cfg_program { CFG_API = 1, CFG_WORKER = 2, CFG_ADMIN = 4 };

/* Bounds of settings that arrays have room for. */
enum { CFG_BATCH_MOST = 512, CFG_JOB_SLOTS_MOST = 256 };

#define CFG_C_TEXT struct str
#define CFG_C_NUMBER int64_t
struct cfg {
#define CFG(member, kind, programs, def, min, max, sentence) CFG_C_##kind member;
#include "cfg.def"
#undef CFG
};

/* What the arguments asked for besides settings. */
enum cfg_ask { CFG_RUN, CFG_HELP, CFG_VERSION, CFG_CHECK };

/* Reads argv (from argv[1]) and `environ`-style `env` into *ret; texts live in `a`. Arguments that are not settings are
 * left in order in ret_words (arena array, NULL-terminated), for admin's commands; to admin, an unknown --name=value is
 * such a word too. Otherwise unknown settings and values outside their bounds give BAD_CONFIG, naming the setting and
 * the rule in `d`. Settings of other programs are ignored in the environment and refused on the command line. In the
 * environment, names of no setting are ignored (it is shared with others) and an empty value counts as none. TEXT
 * settings whose minimum is 1 must be given, unless --help or --version is asked, or the program is admin: which of its
 * commands needs which is for admin to say. */
err_t cfg_read(struct arena *a, enum cfg_program program, char **argv, char **env, struct cfg *ret,
               enum cfg_ask *ret_ask, char ***ret_words, struct err_detail *d);
/* The text of --help for one program. */
struct str cfg_help(struct arena *a, enum cfg_program program);

#endif
