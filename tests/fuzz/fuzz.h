/* fuzz.h: what the fuzz drivers share. A driver reads any bytes and states what must hold of every outcome. */
#ifndef IDSCOPE_FUZZ_H
#define IDSCOPE_FUZZ_H

#include <stdlib.h>

#include "core/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run as a finding. */
#define HOLDS(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

#endif
