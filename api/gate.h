/* gate.h: what the checks need to know about an instance, a hub or a client, read in one row set, unsealed, and kept
 * per process for at most one second with its version. Every write names the version that it was checked against; when
 * the row lost, the caller has it forgotten and looks it up anew (api/op/stale.h). Thread-safe; entries are immutable
 * and counted, so a request keeps what it holds. */
#ifndef IDSCOPE_GATE_H
#define IDSCOPE_GATE_H

#include "core/err.h"
#include "db/gate.h"

enum { GATE_FRESH_MS = 1000 };

struct gate;

/* `quotas`: the deployment's, for those who have none of their own. */
struct gate *gate_new(const struct key_ring *ring, const struct quotas *quotas);
void gate_free(struct gate *g);

/* An ID scope of no instance gives one without name and policies, in which nothing is enrolled: who asks for it is
 * refused like one with a wrong key, after the same work. */
err_t gate_instance_by_scope(struct gate *g, struct db *db, struct str id_scope_key, int64_t now_us,
                             const struct gate_instance **ret);
/* Each finds by key and returns a reference in *ret (give it back with gate_release), or INSTANCE_NOT_FOUND /
 * HUB_NOT_FOUND / INVALID_CLIENT. That nothing is there is remembered as long as an entry (misses of unknown names cost
 * no database). */
err_t gate_instance_by_name(struct gate *g, struct db *db, struct str name_key, int64_t now_us,
                            const struct gate_instance **ret);
err_t gate_hub_by_name(struct gate *g, struct db *db, struct str name_key, int64_t now_us, const struct gate_hub **ret);
err_t gate_client_by_id(struct gate *g, struct db *db, const struct uuid *client_id, int64_t now_us,
                        const struct gate_client **ret);
/* The client that a token of an outside issuer means; `a` takes the key. */
err_t gate_client_federated(struct gate *g, struct db *db, struct arena *a, const struct db_federated *f,
                            int64_t now_us, const struct gate_client **ret);
/* Reads those of many scopes that are not known in one round trip, so that the look-ups after it need none. Best
 * effort: what fails here fails again there. The order of `keys` changes. */
void gate_read_scopes(struct gate *g, struct db *db, struct str *keys, size_t count, int64_t now_us);
void gate_release(const void *held); /* any of the three; NULL is allowed */
/* Drops the cached entry, and what others read for it at this moment, so that the next look-up asks the database. */
void gate_forget_instance(struct gate *g, struct str id_scope_key, struct str name_key);
void gate_forget_hub(struct gate *g, struct str name_key);

#endif
