/* certificate.h: CA certificates of an instance or a hub as the management plane sees them, and as devices are held
 * against those of instances (db/sql/certificate.sql). */
#ifndef IDSCOPE_DB_CERTIFICATE_H
#define IDSCOPE_DB_CERTIFICATE_H

#include "core/attest/attest.h"
#include "db/instance.h"

struct certificate_row {
    struct str name, certificate; /* as they were sent */
    struct bytes der;
    bool is_verified;
    struct str code; /* of the proof that is waited for; absent: none */
    int64_t code_until_us;
    struct bytes crl; /* what the CA has revoked; p NULL: nothing is known of that */
    struct uuid etag;
    int64_t created_us, updated_us;
};

/* Whose they are. */
enum certificate_of { CERTIFICATE_OF_INSTANCE, CERTIFICATE_OF_HUB };

/* One certificate of an instance or hub, or (name_key absent) all by name; *ret_there: is there such an owner? */
err_t db_certificate_find(struct db *db, struct arena *a, enum certificate_of of, const struct find *owner,
                          struct str name_key, struct place_found *ret_found, bool *ret_there,
                          struct certificate_row **ret, size_t *ret_count);

/* Those of many instances, whosever they are. */
struct certificate_found {
    struct str id_scope;
    struct attest_ca ca;
};
err_t db_certificates_of(struct db *db, struct arena *a, const struct str *id_scopes, size_t count,
                         struct certificate_found **ret, size_t *ret_count);

/* --- inside of a transaction that has locked the owner ------------------------------------------------------------ */

struct certificate_key {
    enum certificate_of of;
    struct uuid tenant_id;
    struct str owner; /* ID scope, or the hub's key */
    struct str name_key;
};
/* *ret is zeroed when there is none. */
err_t db_certificate_lock(struct db *db, struct arena *a, const struct certificate_key *at, bool *ret_there,
                          struct certificate_row *ret);
/* Out of name, certificate, der and is_verified; *ret_written is false when the owner has as many as it may. *row
 * becomes what is stored. */
err_t db_certificate_insert(struct db *db, struct arena *a, const struct certificate_key *at,
                            struct certificate_row *row, bool *ret_written);
/* The same of what is locked, with code, code_until_us and crl; `what` is done to it, for the event. The etag becomes a
 * new one, unless that is CERTIFICATE_UNCHANGED. */
#define CERTIFICATE_UNCHANGED "unchanged"
err_t db_certificate_update(struct db *db, struct arena *a, const struct certificate_key *at, const char *what,
                            struct certificate_row *row);
/* Of what is locked, of an instance: an enrollment that names it; absent: none does. */
struct certificate_named_by {
    struct str registration_id;
    bool of_group;
};
err_t db_certificate_named_by(struct db *db, struct arena *a, const struct certificate_key *at,
                              struct certificate_named_by *ret);
err_t db_certificate_delete(struct db *db, struct arena *a, const struct certificate_key *at);

#endif
