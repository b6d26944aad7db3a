/* run.h: one run of one command of idscope-admin: what it was asked, what it works with, and what it prints. */
#ifndef IDSCOPE_ADMIN_RUN_H
#define IDSCOPE_ADMIN_RUN_H

#include "core/cfg.h"
#include "core/process/log_sink.h"
#include "core/seal.h"
#include "db/db.h"

struct run {
    struct arena *arena;
    struct cfg cfg;
    char **words; /* behind the command's name */
    struct key_ring *ring;
    struct db *db;
    struct err_detail detail;
    const struct log_sink *say; /* for complaints, as plain text */
    struct text out;            /* printed when the command has succeeded: a rolled-back transaction says nothing */
    bool out_stands;            /* printed in any case: it tells why the command failed, and what it did */
};

/* The word behind the command's name, pasted with white space around it or not. */
struct str run_word(const struct run *run, size_t i);
/* --name=value among the words; absent when not given. */
struct str run_option(const struct run *run, const char *name);
/* The same of what must be given: BAD_REQUEST names it. */
err_t run_needs(struct run *run, const char *name, struct str *ret);
/* Does --name stand among the words? Alone: main.c takes no value of one that has none. */
bool run_flag(const struct run *run, const char *name);
/* BAD_REQUEST when the text is no id; it is shown. */
err_t run_uuid(struct run *run, struct str text, struct uuid *ret);

/* The changes from here on are those of whoever runs the command; `tenant` NULL: they are the deployment's own. */
void run_act(struct run *run, const struct uuid *tenant);

/* Who that is, as events name it. */
struct str run_actor(struct run *run);

/* What a command prints that lists: a line for each, or with --json an array. Begin, then one run_list_item before each
 * item is written, as a line or an object that does not end its line, then end. Nothing else is printed. */
void run_list_begin(struct run *run);
void run_list_item(struct run *run);
void run_list_end(struct run *run);

/* A new client secret, in hex, so that no shell, form or command line trips over it, and the hash of that text. */
struct str run_new_secret(struct run *run, struct sha256 *ret_hash);

/* A role of that client, inside of a transaction; `scope` as clients write it: "/", or the path of a subscription or
 * resource group. What is wrong with it, and which of these is not there, is said. */
err_t run_assign(struct run *run, const struct uuid *tenant, const struct uuid *client, struct str role,
                 struct str scope, struct uuid *ret_id);
/* Roles as operators write them. BAD_REQUEST names them all. */
err_t run_role(struct run *run, struct str word);

/* The commands that have a file of their own. */
err_t run_tenant_list(struct run *run);
err_t run_tenant_disable(struct run *run);
err_t run_tenant_enable(struct run *run);
err_t run_subscription_list(struct run *run);
err_t run_subscription_disable(struct run *run);
err_t run_subscription_enable(struct run *run);
err_t run_service_principal_list(struct run *run);
err_t run_service_principal_disable(struct run *run);
err_t run_service_principal_enable(struct run *run);
err_t run_secret_renew(struct run *run);
err_t run_issuer_add(struct run *run);
err_t run_issuer_list(struct run *run);
err_t run_issuer_disable(struct run *run);
err_t run_issuer_enable(struct run *run);
err_t run_issuer_remove(struct run *run);
err_t run_federated_create(struct run *run);
err_t run_token_key_list(struct run *run);
err_t run_token_key_retire(struct run *run);
err_t run_limits_show(struct run *run);
err_t run_limits_set(struct run *run);
err_t run_role_create(struct run *run);
err_t run_role_list(struct run *run);
err_t run_role_delete(struct run *run);
err_t run_instance_create(struct run *run);
err_t run_instance_deleted(struct run *run);
err_t run_instance_undelete(struct run *run);
err_t run_pull(struct run *run);
err_t run_audit_verify(struct run *run);
err_t run_reseal(struct run *run);

#endif
