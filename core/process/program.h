/* program.h: what every long-running program does around its work: command line and settings, log, signals, key ring,
 * health listener, privileges, waiting for the database, exit codes, drain. The work itself is a table of steps. */
#ifndef IDSCOPE_PROGRAM_H
#define IDSCOPE_PROGRAM_H

#include <pthread.h>

#include "core/cfg.h"
#include "core/process/health.h"
#include "core/process/start.h"
#include "core/seal.h"

/* What programs say with their end: starting again helps, or it does not before somebody has changed a setting. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_BAD_CONFIG = 78 };
int program_exit_code(err_t e);

/* What of drain_ms is left to the work that is under way: the rest is for writing and sending what came of it. */
int64_t program_work_ms(int64_t drain_ms);

struct process;

struct program {
    const char *name; /* "api": idscope-api */
    enum cfg_program settings;
    const struct start_step *steps; /* each gets the process */
    size_t step_count;
    /* Asked once all steps are started and until the first is stopped, on the health listener's thread. */
    bool (*ready)(struct process *p, struct str *ret_why_not);
    void (*metrics)(struct process *p, struct text *out);
    /* A signal asked us to stop: take no new work and end what is under way, within drain_ms. NULL: steps do. */
    void (*drain)(struct process *p);
};

/* The running program; the first member of the program's own struct. */
struct process {
    const struct program *program;
    struct arena *arena; /* for the whole life */
    struct cfg cfg;
    struct key_ring *ring;
    struct health *health;
    pthread_mutex_t looking; /* held while health looks at what steps have made */
    bool complete;           /* all steps are started; under `looking` */
    _Atomic bool draining;
};

/* Foreground, JSON log on standard error; returns the exit code. `p` is zeroed. */
int program_main(const struct program *program, struct process *p, char **argv);

/* Steps that programs put into their tables. The health listener opens before, and accepts after, root is given up;
 * it may stop last, since it looks at nothing that a stopped step has made. */
err_t program_load_keys(void *process, struct err_detail *d);
void program_free_keys(void *process);
err_t program_open_health(void *process, struct err_detail *d);
void program_stop_health(void *process);
err_t program_drop_root(void *process, struct err_detail *d);
err_t program_start_health(void *process, struct err_detail *d);

#endif
