/* oid.h: the numbers by which PostgreSQL names the types that our statements take and give. They are fixed for ever
 * (pg_type.dat). */
#ifndef IDSCOPE_DB_OID_H
#define IDSCOPE_DB_OID_H

enum oid {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_JSON = 114,
    OID_UNKNOWN = 705,
    OID_BOOLS = 1000,
    OID_BYTEAS = 1001,
    OID_INT4S = 1007,
    OID_TEXTS = 1009,
    OID_INT8S = 1016,
    OID_VARCHAR = 1043,
    OID_TIME = 1184,
    OID_TIMES = 1185,
    OID_UUID = 2950,
    OID_UUIDS = 2951,
};

/* Times on the wire count from 2000-01-01. */
#define DB_EPOCH_2000_US INT64_C(946684800000000)

#endif
