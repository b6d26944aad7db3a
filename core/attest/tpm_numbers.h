/* tpm_numbers.h: numbers of the TPM 2.0 library's part 2 (TPM_ALG_ID, TPMA_OBJECT) that public areas are read and made
 * with. */
#ifndef IDSCOPE_TPM_NUMBERS_H
#define IDSCOPE_TPM_NUMBERS_H

/* algorithms */
enum {
    TPM_ALG_RSA = 0x0001,
    TPM_ALG_HMAC = 0x0005,
    TPM_ALG_AES = 0x0006,
    TPM_ALG_KEYEDHASH = 0x0008,
    TPM_ALG_SHA256 = 0x000b,
    TPM_ALG_NULL = 0x0010,
    TPM_ALG_CFB = 0x0043,
};

/* attributes of an object */
enum {
    TPM_USER_WITH_AUTH = 1 << 6,
    TPM_NO_DA = 1 << 10,
    TPM_RESTRICTED = 1 << 16,
    TPM_DECRYPT = 1 << 17,
    TPM_SIGN = 1 << 18,
};

#endif
