/* fleet.h: the devices of the benchmark. A device is a number; its registration id and its keys follow from that
 * number, so that the loader of enrollments (seed.c), the load client (client.c) and the pgbench script agree without
 * sharing a file. Bench only: these keys are no secrets. */
#ifndef IDSCOPE_TESTS_FLEET_H
#define IDSCOPE_TESTS_FLEET_H

#include "core/crypt.h"

/* A prime: multiplying by it walks through any fleet whose size it does not divide, in an order without locality. */
enum { FLEET_STRIDE = 7368787, FLEET_FIRST_ID = 1000000, FLEET_SIZE_MAX = 9000000 };

/* The number of the k-th device of a walk through a fleet of `size` devices. */
uint64_t fleet_walk(uint64_t k, uint64_t size);
/* "dev-1000000" and up. */
struct str fleet_id(struct arena *a, uint64_t number);
/* The raw key, 32 bytes; part is "primary" or "secondary". */
struct bytes fleet_key(struct arena *a, uint64_t number, const char *part);

/* The words of a text file, one per line; empty lines are skipped. Ends the program when the file cannot be read or
 * holds none. */
size_t fleet_lines(struct arena *a, const char *path, struct str **ret);

#endif
