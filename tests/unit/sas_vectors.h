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

/* Keys of the same device as a member of groups: derived from GROUP_KEY and its id in capitals, from SERVICE_KEY and
 * its id; and its token in capitals, signed with a key that derives from its id in capitals, and in small letters. */
#define MEMBER_KEY_CAPITALS "GoLOhg2/IrgXpJqT4Dn6riDb+najIsBDHm7lZrBdZ28="
#define MEMBER_KEY_SERVICE "iQH4Uk04f5QlhpBKp8k/pKpHQuUfioCrttt9kwRE2tg="
#define CAPITALS                                                                                                       \
    "SharedAccessSignature "                                                                                           \
    "sr=0ne0000BEEF%2Fregistrations%2FLINE7-UNIT042&sig=3H2SLRMEy%2FWQx5czxTQBMJQJVviU7JWhGrsDhAEXhDE%3D&se="          \
    "1893456000"
#define CAPITALS_SMALL_KEY                                                                                             \
    "SharedAccessSignature "                                                                                           \
    "sr=0ne0000BEEF%2Fregistrations%2FLINE7-UNIT042&sig=u1R2Vpi441VpyTcOOITvwG0Qhagu47qhm7PdXC8riRE%3D&se="            \
    "1893456000"

static const int64_t EXPIRY_US = INT64_C(1893456000) * 1000000;

#endif
