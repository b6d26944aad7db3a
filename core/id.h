/* id.h: which texts are ids and names, and how they are keyed. Pure.
 * A key is the lower-case form under which the database finds the thing; the text as given is kept beside it. */
#ifndef IDSCOPE_ID_H
#define IDSCOPE_ID_H

#include "enc.h"
#include "err.h"
#include "limits.h"

enum { ID_SCOPE_LEN = 11 };

bool id_registration_valid(struct str id); /* 1…128 of [A-Za-z0-9._:-], first alphanumeric, last alphanumeric or '-' */
/* 1…128 of letters, digits and - . % _ * ? ! ( ) , : = @ $ ', case-sensitive. */
bool id_device_valid(struct str id);
/* The two rules above as refusals, BAD_ID: the sentence names the member that holds the id, and the rule. */
err_t id_registration_check(struct str id, const char *member, struct err_detail *d);
err_t id_device_check(struct str id, const char *member, struct err_detail *d);
/* Instances and hubs: 3…50 letters, digits, hyphens; not all digits; no hyphen at the ends. */
bool id_service_name_valid(struct str name);
bool id_service_name_reserved(struct str name); /* global management localhost dps hub, any case */
bool id_resource_group_valid(struct str name);
bool id_key_name_valid(struct str name);         /* policy names: [A-Za-z0-9_@.-], 1…256 */
bool id_certificate_name_valid(struct str name); /* [A-Za-z0-9-._], 1…256 */
bool id_host_valid(struct str host);             /* a DNS name, 1…253, labels 1…63, no port */
bool id_scope_valid(struct str scope);           /* 0ne + 8 hex digits, any case */
/* Random scope as issued: "0ne" and 8 upper-case hex digits. Keyed in lower case. */
struct str id_scope_new(struct arena *a);
/* ARM locations: "West Europe" → "westeurope". Letters, digits, blanks, hyphens; 1…64; else false. */
bool id_location(struct arena *a, struct str in, struct str *ret);

/* An api-version: 2021-10-01, 2022-04-30-preview, 2023-03-01-preview.2. The day of one that is valid has an order:
 * str_compare. */
bool id_version_valid(struct str version);
struct str id_version_day(struct str version);

/* Cuts a trailing :port (and the brackets of an IPv6 literal are kept). */
struct str id_host_without_port(struct str host);
/* host[:port] of an https URL; 443 unless it says so. False: there is a user in it, no host name or no port. */
bool id_authority(struct str authority, struct str *ret_host, int *ret_port);

/* The names of this deployment, whose domain is D. Host names are said here and in id_plane_of only. */
struct str id_management_host(struct arena *a, struct str domain);                   /* management.D */
struct str id_device_host(struct arena *a, struct str domain);                       /* global.dps.D */
struct str id_service_host(struct arena *a, struct str instance, struct str domain); /* {instance}.dps.D */
struct str id_hub_host(struct arena *a, struct str hub, struct str domain);          /* {hub}.hub.D */
struct str id_issuer(struct arena *a, struct str domain);                            /* of access tokens */
/* The host of `https://host[:port][/]`, absent when it is no such URL. */
struct str id_url_host(struct str url);

/* Which plane a Host header belongs to, by its suffix alone, whether or not the name exists: `*.hub.D` hub,
 * `*.dps.D` service and device, everything else management. A port does not count. */
enum id_plane { ID_PLANE_MANAGEMENT, ID_PLANE_SERVICE, ID_PLANE_HUB };
/* *ret_name gets, in lower case, what stands before `.hub.D` or `.dps.D` (instance or hub name; "global" for
 * global.dps.D; with dots in it when there is more than one label, so that a.b.dps.D never passes for a.dps.D); on the
 * management plane the left-most label. */
enum id_plane id_plane_of(struct arena *a, struct str host, struct str domain, struct str *ret_name);
bool id_hub_built_in(struct arena *a, struct str host, struct str domain); /* is it on the hub plane? */

/* The etag of an enrollment, `"…"` with its quotes, and of a registration (base64 of such a text). */
struct str id_etag(struct arena *a, const struct uuid *u);
struct str id_registration_etag(struct arena *a, const struct uuid *operation, int64_t revision);
/* Without blanks around it, W/ and one pair of quotes. */
struct str id_etag_bare(struct str etag);
/* If-Match against an etag, both bare; `*`, quoted or not, matches all; an absent one nothing. */
bool id_etag_matches(struct str if_match, struct str etag);

/* A hub's connection string `HostName=…;SharedAccessKeyName=…;SharedAccessKey=…`: names in any case and order, values
 * split at the first `=`, white space around them and a trailing `;` allowed, unknown members ignored, no port in
 * HostName.
 * BAD_CONNECTION_STRING names the member and the rule in `d`. */
struct connection_string {
    struct str host; /* as given */
    struct str key_name;
    struct str key; /* base64 text; all asterisks is a masked key */
    bool masked;
};
err_t id_connection_string(struct arena *a, struct str text, struct err_detail *d, struct connection_string *ret);
/* The same, of a service that is asked where it is: HostName may be `host:port`. *ret_port is 443 unless it is. */
err_t id_connection_string_at(struct arena *a, struct str text, struct err_detail *d, struct connection_string *ret,
                              int *ret_port);

#endif
