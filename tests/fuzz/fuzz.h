/* fuzz.h: what the fuzz drivers share. A driver reads any bytes and states what must hold of every outcome. */
#ifndef IDSCOPE_FUZZ_H
#define IDSCOPE_FUZZ_H

#include <stdlib.h>

#include "core/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A key ring of the run. */
static inline const struct key_ring *fuzz_ring(void)
{
    static struct key_ring *ring;
    if (!ring && key_ring_parse(STR("1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), NULL, &ring))
        abort();
    return ring;
}

/* Drawn once per run, so that no corpus can hold a token for it. */
static inline struct bytes fuzz_unknown_key(void)
{
    static uint8_t key[DEVICE_KEY_BYTES];
    static bool drawn;
    if (!drawn)
        crypt_random(key, sizeof key);
    drawn = true;
    return (struct bytes){key, sizeof key};
}

/* Ends the run as a finding. */
#define HOLDS(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

#endif
