/* keyfile.h: files that settings name: the key ring, the edge's secret, CA certificates. They are read once, at the
 * start, when the program may still be root. */
#ifndef IDSCOPE_KEYFILE_H
#define IDSCOPE_KEYFILE_H

#include "core/seal.h"

/* The whole file, at most `max` bytes of it. The sentence of an error names the setting, the file and the rule. */
err_t file_read(struct arena *a, const char *setting, struct str path, size_t max, struct err_detail *d,
                struct str *ret);

/* The key ring of the setting key_ring_file. The text of the file is wiped before this returns. */
err_t key_ring_load(struct str path, struct err_detail *d, struct key_ring **ret);

#endif
