/* sas_vectors.h: keys and tokens of one device, computed apart from this code: the token of line7-unit042 in
 * 0ne0000BEEF, signed with DEVICE_KEY, in both spellings of the escapes. DEVICE_KEY is derived from GROUP_KEY. */
#ifndef IDSCOPE_SAS_VECTORS_H
#define IDSCOPE_SAS_VECTORS_H

#define GROUP_KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="
#define DEVICE_KEY "Nw8YjEDoTxFUqSkAaMUSaE4pAZ1U6hurqXKn0bFHri8="
#define SERVICE_KEY "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
#define UPPER                                                                                                          \
    "SharedAccessSignature "                                                                                           \
    "sr=0ne0000BEEF%2Fregistrations%2Fline7-unit042&sig=%2Bxs5naWV7lFT%2F0i1T9B6sRW1QmfJU1UJLSWvUiGCH%2Bc%3D&se="      \
    "1893456000"
#define LOWER                                                                                                          \
    "SharedAccessSignature "                                                                                           \
    "sr=0ne0000BEEF%2fregistrations%2fline7-unit042&sig=L8EcPWrOdBEYP0pMrcbghlHC%2FV3wnxyHpYTgOlGj26o%3D&se="          \
    "1893456000"

static const int64_t EXPIRY_US = INT64_C(1893456000) * 1000000;

#endif
