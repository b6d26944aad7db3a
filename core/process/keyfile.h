/* keyfile.h: reads the key ring of the setting key_ring_file; shared by all programs. */
#ifndef IDSCOPE_KEYFILE_H
#define IDSCOPE_KEYFILE_H

#include "core/seal.h"

/* BAD_CONFIG naming file and rule. The text of the file is wiped before this returns. */
err_t key_ring_load(struct str path, struct err_detail *d, struct key_ring **ret);

#endif
