/*
 * Rules for names out of JSON, and what matching them needs. Every function fails the test when
 * JSON, OpenSSL or the engine does.
 */
#ifndef TESTS_SUPPORT_NAME_RULES_FIXTURE_H
#define TESTS_SUPPORT_NAME_RULES_FIXTURE_H

#include "engine/finding.h"
#include "engine/name_rules.h"

struct name_rules_fixture {
    struct ca_matcher *matcher;
    struct ca_arena arena;
};

int name_rules_setup(void **state);     /* *state: the fixture */
int name_rules_teardown(void **state);

/* A name in a test's notation, and what is expected of it. */
struct name_rules_case {
    const char *name;
    const char *want;
};

/* Rules from JSON with ' for "; either may be NULL. Mistakes are left to the caller. */
enum ca_status name_rules_parse(const char *subject, const char *san, struct ca_findings *findings,
                                struct ca_name_rules **out, struct ca_error *err);
/* The same for rules without mistakes. The caller frees them. */
struct ca_name_rules *name_rules_of(const char *subject, const char *san);

/* Subjects: "CN=a/O=b", "+" before an attribute puts it into the RDN before; "O:PRINTABLE=b" has
 * that string type. The result is a view of *der, for OPENSSL_free. */
struct ca_bytes name_rules_subject(const char *text, uint8_t **der);

#endif
