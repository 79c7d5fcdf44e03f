/*
 * Notices: where a template writes what today's rules advise against, or what a run should know
 * without anything being refused. Reported once per job, in its summary.
 *
 * Bits are stored in job rows and never change their meaning.
 *
 * Thread: constant data.
 */
#ifndef ENGINE_NOTICE_H
#define ENGINE_NOTICE_H

#include "engine/template.h"

/*  X(bit, NAME, "code", "sentence", "rule") */
#define CA_NOTICES(X)                                                                              \
    X(0, KEY_ENCIPHERMENT_EC, "key-encipherment-ec",                                               \
      "the template gives keyEncipherment or dataEncipherment to EC keys, which cannot encipher",  \
      "RFC 8813 3")                                                                                \
    X(1, KEY_ENCIPHERMENT_EDDSA, "key-encipherment-eddsa",                                         \
      "the template gives a usage of encryption to Ed25519 or Ed448 keys, which only sign",        \
      "RFC 9295 3")                                                                                \
    X(2, OCSP_NO_NOCHECK, "ocsp-no-nocheck",                                                       \
      "the template makes OCSP signers without the extension id-pkix-ocsp-nocheck",                \
      "RFC 6960 4.2.2.2.1")                                                                        \
    X(3, IGNORED, "passthrough-ignored",                                                           \
      "something that requests or the API asked for was ignored",                                  \
      "template: passthrough")                                                                     \
    X(4, DUPLICATE_KEYS, "duplicate-keys",                                                         \
      "requests have a key that an earlier one of the run has",                                    \
      "template: duplicate_keys.run")                                                              \
    X(5, KNOWN_KEYS, "known-keys", "requests have a key that already had a certificate",           \
      "template: duplicate_keys.store")                                                            \
    X(6, KEY_ENCIPHERMENT_PURPOSE, "key-encipherment-purpose",                                     \
      "the template gives keyEncipherment for purposes that only sign", "RFC 5280 4.2.1.12")

enum ca_notice {
#define CA_NOTICE_VALUE(bit, name, code, text, rule) CA_NOTICE_##name = (bit),
    CA_NOTICES(CA_NOTICE_VALUE)
#undef CA_NOTICE_VALUE
};

#define CA_NOTICE_BIT(name) (UINT32_C(1) << CA_NOTICE_##name)

const char *ca_notice_code(unsigned bit);       /* NULL: not known */
const char *ca_notice_text(unsigned bit);
const char *ca_notice_rule(unsigned bit);

/* What a certificate of this template for a key of this kind gives cause for. */
uint32_t ca_notices_of(const struct ca_template *tmpl, enum ca_key_kind kind);

#endif
