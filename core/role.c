/* role.c: the built-in roles. It must never know who has one. */
#include "role.h"

static const char *const none[] = {NULL};
static const char *const all[] = {"*", NULL};
static const char *const reads[] = {"*/read", NULL};
/* What only an owner does. */
static const char *const roles[] = {"Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write", NULL};
static const char *const data[] = {"Microsoft.Devices/provisioningServices/*", NULL};
static const char *const data_reads[] = {"Microsoft.Devices/provisioningServices/*/read", NULL};

enum {
    DATA_READS = RIGHT_ENROLLMENT_READ | RIGHT_REGISTRATION_READ,
    DATA = DATA_READS | RIGHT_SERVICE_CONFIG | RIGHT_ENROLLMENT_WRITE | RIGHT_REGISTRATION_WRITE
};

const struct role_kind role_kinds[] = {
    [ROLE_READER - 1] = {STR("acdd72a7-3385-48ef-bd42-f606fba81ae7"), STR("Reader"),
                         STR("View all resources, but make no changes."), reads, none, none, 0},
    [ROLE_CONTRIBUTOR - 1] = {STR("b24988ac-6180-42a0-ab88-20f7382dd24c"), STR("Contributor"),
                              STR("Manage all resources, but assign no roles."), all, roles, none, 0},
    [ROLE_OWNER - 1] = {STR("8e3af657-a8ff-443c-a75c-2fe8c4bcb635"), STR("Owner"),
                        STR("Manage all resources and assign roles."), all, none, none, 0},
    [ROLE_DATA_READER -
        1] = {STR("10745317-c249-44a1-a5ce-3a4353c0bbd8"), STR("Device Provisioning Service Data Reader"),
              STR("Read enrollments and registrations of provisioning services."), none, none, data_reads, DATA_READS},
    [ROLE_DATA_CONTRIBUTOR -
        1] = {STR("dfce44e4-17b7-4bd1-a6d1-04996ec95633"), STR("Device Provisioning Service Data Contributor"),
              STR("Read and change enrollments and registrations of provisioning services."), none, none, data, DATA},
};
const size_t role_kind_count = sizeof role_kinds / sizeof *role_kinds;

enum role role_of_id(struct str id)
{
    for (size_t i = 0; i < role_kind_count; i++)
        if (str_same_nocase(role_kinds[i].id, id))
            return (enum role)(i + 1);
    return ROLE_NONE;
}

bool role_manages(enum role has, enum role wanted)
{
    return has <= ROLE_OWNER && has >= wanted;
}

bool role_covers(struct str scope, struct str at)
{
    return str_starts(at, scope) && (at.n == scope.n || at.p[scope.n] == '/');
}
