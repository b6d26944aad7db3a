/* seed.c: makes enrollments for the benchmark: rows of idscope.enrollment with sealed keys, on standard output in the
 * form that COPY … FROM STDIN reads. It must seal as the service does (core/seal.h) and never opens a connection
 * itself.
 *
 *     seed RING-FILE SCOPES-FILE FLEET-SIZE | psql -c "$(seed copy)"
 *
 * Every scope gets the whole fleet. `seed copy` prints the COPY statement that fits the rows. `seed ndjson FLEET-SIZE`
 * prints the fleet as POST /enrollments/import takes it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/attest/attest.h"
#include "fleet.h"

static const char copy_statement[] =
    "COPY idscope.enrollment (id_scope, registration_key, registration_id, attestation_type,"
    " attestation_sealed, etag) FROM STDIN";

static struct key_ring *ring_of(struct arena *a, const char *path)
{
    struct str *lines;
    size_t count = fleet_lines(a, path, &lines);
    struct text t;
    text_init(&t, a, 256);
    for (size_t i = 0; i < count; i++)
        text_printf(&t, "%.*s\n", STR_ARG(lines[i]));
    struct key_ring *ring = NULL;
    struct err_detail d = {""};
    if (key_ring_parse(text_str(&t), &d, &ring)) {
        fprintf(stderr, "seed: %s: %s\n", path, d.text);
        exit(1);
    }
    return ring;
}

static struct symmetric_key keys_of(struct arena *a, uint64_t number)
{
    return (struct symmetric_key){enc_base64(a, fleet_key(a, number, "primary")),
                                  enc_base64(a, fleet_key(a, number, "secondary"))};
}

static struct str sealed_hex(struct arena *a, const struct key_ring *ring, struct str scope, struct str id,
                             uint64_t number)
{
    struct symmetric_key keys = keys_of(a, number);
    const struct attestation sent = {.type = ATTEST_SYMMETRIC_KEY, .symmetric_key = &keys};
    const struct attest_row row = {ring, {.id_scope = scope, .key = id}};
    struct attest_stored stored;
    if (attest_seal(a, &row, &sent, NULL, &stored))
        abort(); /* a key of the fleet is one of a device */
    return enc_hex(a, stored.sealed, false);
}

static void put_row(struct arena *a, const struct key_ring *ring, struct str scope, uint64_t number)
{
    struct str id = fleet_id(a, number);
    struct uuid etag = crypt_uuid4();
    printf("%s\t%s\t%s\tsymmetricKey\t\\\\x%s\t%s\n", scope.p, id.p, id.p, sealed_hex(a, ring, scope, id, number).p,
           enc_uuid(a, &etag).p);
}

static void put_line(struct arena *a, uint64_t number)
{
    struct symmetric_key keys = keys_of(a, number);
    printf("{\"registrationId\":\"%s\",\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{"
           "\"primaryKey\":\"%s\",\"secondaryKey\":\"%s\"}}}\n",
           fleet_id(a, number).p, keys.primary.p, keys.secondary.p);
}

static int put_lines(int64_t size)
{
    ARENA_CLEANUP struct arena *row = arena_new();
    setvbuf(stdout, NULL, _IOFBF, 1 << 20);
    for (int64_t n = 0; n < size; n++) {
        put_line(row, (uint64_t)n);
        arena_reset(row);
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

int main(int argc, char **argv)
{
    int64_t lines = 0;
    if (argc == 3 && strcmp(argv[1], "ndjson") == 0 && dec_i64(str_of(argv[2]), 1, FLEET_SIZE_MAX, &lines))
        return put_lines(lines);
    if (argc == 2 && strcmp(argv[1], "copy") == 0) {
        puts(copy_statement);
        return 0;
    }
    int64_t size = 0;
    if (argc != 4 || !dec_i64(str_of(argv[3]), 1, FLEET_SIZE_MAX, &size)) {
        fprintf(stderr, "usage: seed RING-FILE SCOPES-FILE FLEET-SIZE | seed copy | seed ndjson FLEET-SIZE\n");
        return 2;
    }
    ARENA_CLEANUP struct arena *a = arena_new();
    ARENA_CLEANUP struct arena *row = arena_new();
    struct key_ring *ring = ring_of(a, argv[1]);
    struct str *scopes;
    size_t count = fleet_lines(a, argv[2], &scopes);
    setvbuf(stdout, NULL, _IOFBF, 1 << 20);
    for (size_t s = 0; s < count; s++) {
        struct str scope = arena_lower(a, scopes[s]);
        for (int64_t n = 0; n < size; n++) {
            put_row(row, ring, scope, (uint64_t)n);
            arena_reset(row);
        }
    }
    key_ring_free(ring);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
