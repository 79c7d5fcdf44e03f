/*
 * The JSON shapes of AWS Private CA (spec 2.2, 2.3, section 7) that several operations share: read
 * strictly with jansson, turned into DER.
 *
 * Private to engine: shows jansson's types. A path is where a value stands
 * ("Subject.CustomAttributes[2].Value") and begins every sentence about it; "" is the top.
 *
 * Rare work; any thread, each with its own values.
 */
#ifndef ENGINE_SHAPE_H
#define ENGINE_SHAPE_H

#include "engine/bytes.h"

#include <jansson.h>

enum ca_shape_type { CA_SHAPE_TEXT, CA_SHAPE_FLAG, CA_SHAPE_NUMBER, CA_SHAPE_OBJECT,
                     CA_SHAPE_LIST };

struct ca_shape_member {
    const char *name;
    enum ca_shape_type type;
    bool required;
};

/* jansson's iterators want an object that is not const, and change nothing in it. */
static inline json_t *ca_shape_mutable(const json_t *value)
{
    union {
        const json_t *in;
        json_t *out;
    } same = { .in = value };

    return same.out;
}

#define CA_SHAPE_PATH_MAX 160

struct ca_shape_path {
    char text[CA_SHAPE_PATH_MAX];
};

/* "Subject" and "Country" -> "Subject.Country"; a path that is too long is cut. */
struct ca_shape_path ca_shape_join(const char *path, const char *member);
struct ca_shape_path ca_shape_at(const char *path, size_t index);

/* Reads one JSON object, members not repeated. CA_MALFORMED "bad-json" (also when longer than max
 * octets). The caller drops *out with json_decref. */
CA_MUST_CHECK enum ca_status ca_shape_parse(struct ca_bytes json, size_t max, json_t **out,
                                            struct ca_error *err);
/* The same for a list. */
CA_MUST_CHECK enum ca_status ca_shape_parse_list(struct ca_bytes json, size_t max, json_t **out,
                                                 struct ca_error *err);
/* Appends a value compact and with sorted members: equal values give equal octets. */
CA_MUST_CHECK enum ca_status ca_shape_dump(const json_t *value, struct ca_buf *out,
                                           struct ca_error *err);

/* CA_REFUSED "configuration": "PATH: sentence". */
enum ca_status ca_shape_refuse(struct ca_error *err, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* *why with the path before its text; returns its status. */
enum ca_status ca_shape_wrap(struct ca_error *err, const char *path, const struct ca_error *why);

/* Every member of object is in the list and of its type; the required ones are there. */
CA_MUST_CHECK enum ca_status ca_shape_check(const json_t *object, const char *path,
                                            const struct ca_shape_member *members, size_t count,
                                            struct ca_error *err);
/* The text, flag or number of a member; NULL, false or 0 when it is absent. */
const char *ca_shape_text(const json_t *object, const char *member);
bool ca_shape_flag(const json_t *object, const char *member);
int64_t ca_shape_number(const json_t *object, const char *member);

/* 1 to max characters; 1 to max entries of a list. */
CA_MUST_CHECK enum ca_status ca_shape_check_length(const char *text, size_t max, const char *path,
                                                   struct ca_error *err);
CA_MUST_CHECK enum ca_status ca_shape_check_count(const json_t *list, size_t max, const char *path,
                                                  struct ca_error *err);
/* Appends the content octets of a dotted OID of at most 64 characters. */
CA_MUST_CHECK enum ca_status ca_shape_oid(const char *dotted, const char *path, struct ca_buf *out,
                                          struct ca_error *err);

/* ASN1Subject: appends a whole Name with at least one attribute. */
CA_MUST_CHECK enum ca_status ca_shape_subject(const json_t *subject, const char *path,
                                              struct ca_buf *out, struct ca_error *err);
/* KeyUsage: nine booleans to enum ca_key_usage bits. */
CA_MUST_CHECK enum ca_status ca_shape_key_usage(const json_t *key_usage, const char *path,
                                                uint16_t *bits, struct ca_error *err);
/* GeneralName: exactly one member; appends it; the alphabets of engine/general_name.h. */
CA_MUST_CHECK enum ca_status ca_shape_general_name(const json_t *name, const char *path,
                                                   struct ca_buf *out, struct ca_error *err);
/* The same from "DNS:a.example", "IP:192.0.2.1", "email:a@b.example" or "URI:https://...". */
CA_MUST_CHECK enum ca_status ca_shape_general_name_text(const char *text, const char *path,
                                                        struct ca_buf *out, struct ca_error *err);

#endif
