#include "engine/notice.h"

#include "engine/der.h"
#include "engine/ext.h"

#include <assert.h>

/* What only a key that encrypts has, and what only one that agrees on keys has (RFC 5280 4.2.1.3);
 * EC keys are forbidden the first, EdDSA keys both. */
#define ENCIPHERS (CA_KU_KEY_ENCIPHERMENT | CA_KU_DATA_ENCIPHERMENT)
#define AGREES (CA_KU_KEY_AGREEMENT | CA_KU_ENCIPHER_ONLY | CA_KU_DECIPHER_ONLY)

/* Purposes that a signature serves, and nothing else (RFC 5280 4.2.1.12). */
#define SIGNS                                                                                      \
    (CA_EKU_CLIENT_AUTH | CA_EKU_CODE_SIGNING | CA_EKU_OCSP_SIGNING | CA_EKU_TIME_STAMPING)

static const struct {
    const char *code, *text, *rule;
} notices[] = {
#define CA_NOTICE_ROW(bit, name, code, text, rule) [bit] = { code, text, rule },
    CA_NOTICES(CA_NOTICE_ROW)
#undef CA_NOTICE_ROW
};

#define NOTICE_COUNT CA_COUNT(notices)

const char *ca_notice_code(unsigned bit)
{
    return bit < NOTICE_COUNT ? notices[bit].code : NULL;
}

const char *ca_notice_text(unsigned bit)
{
    return bit < NOTICE_COUNT ? notices[bit].text : NULL;
}

const char *ca_notice_rule(unsigned bit)
{
    return bit < NOTICE_COUNT ? notices[bit].rule : NULL;
}

/* Does the template write an extension of this type itself? */
static bool writes_extension(const struct ca_template *tmpl, struct ca_bytes oid)
{
    struct ca_der extensions = ca_der_open(tmpl->extensions);

    while (!ca_der_at_end(&extensions)) {
        struct ca_der extension;
        struct ca_bytes type;
        enum ca_status st =
            ca_der_enter(&extensions, CA_DER_SEQUENCE, "an extension", &extension, NULL);

        if (st == CA_OK) st = ca_der_oid(&extension, "an extension's type", &type, NULL);
        assert(st == CA_OK);            /* ours, built by ca_template_parse */
        if (st != CA_OK) return false;
        if (ca_bytes_equal(type, oid)) return true;
    }
    return false;
}

uint32_t ca_notices_of(const struct ca_template *tmpl, enum ca_key_kind kind)
{
    uint16_t usage = ca_template_key_usage(tmpl, kind);
    uint32_t found = 0;

    switch (kind) {
    case CA_KEY_KIND_P256:
    case CA_KEY_KIND_P384:
    case CA_KEY_KIND_P521:
        if ((usage & ENCIPHERS) != 0) found |= CA_NOTICE_BIT(KEY_ENCIPHERMENT_EC);
        break;
    case CA_KEY_KIND_ED25519:
    case CA_KEY_KIND_ED448:
        if ((usage & (ENCIPHERS | AGREES)) != 0) found |= CA_NOTICE_BIT(KEY_ENCIPHERMENT_EDDSA);
        break;
    case CA_KEY_KIND_RSA:
    case CA_KEY_KIND_NONE: break;
    }
    if ((usage & CA_KU_KEY_ENCIPHERMENT) != 0 && tmpl->eku != 0 && (tmpl->eku & ~SIGNS) == 0 &&
        tmpl->eku_more.len == 0)
        found |= CA_NOTICE_BIT(KEY_ENCIPHERMENT_PURPOSE);
    if ((tmpl->eku & CA_EKU_OCSP_SIGNING) != 0 && !writes_extension(tmpl, ca_oid_ocsp_nocheck))
        found |= CA_NOTICE_BIT(OCSP_NO_NOCHECK);
    return found;
}
