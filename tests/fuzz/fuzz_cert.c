/*
 * Certificates, as they are imported and read back: one that is accepted lies wholly inside its
 * input and reads the same again; what OpenSSL says of its serial and dates is what we say.
 */
#include "engine/cert.h"
#include "tests/fuzz/planted.h"

#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

/* A fuzz target's own way to fail: asserts may be compiled out. */
static void require(bool holds)
{
    if (!holds) abort();
}

static bool inside(struct ca_bytes whole, struct ca_bytes part)
{
    return part.len == 0 ||
           (part.data >= whole.data && part.len <= whole.len &&
            (size_t)(part.data - whole.data) <= whole.len - part.len);
}

static void require_openssl_agrees(const struct ca_cert *cert)
{
    const unsigned char *at = cert->der.data;
    X509 *x = d2i_X509(NULL, &at, (long)cert->der.len);
    const ASN1_INTEGER *serial;
    time_t now = (time_t)cert->not_after_s;

    require(x != NULL && at == cert->der.data + cert->der.len);
    serial = X509_get0_serialNumber(x);
    require(ASN1_STRING_length(serial) == cert->serial.len &&
            memcmp(ASN1_STRING_get0_data(serial), cert->serial.octets, cert->serial.len) == 0);
    require(ASN1_TIME_cmp_time_t(X509_get0_notAfter(x), now) == 0);
    X509_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ca_bytes der = ca_bytes_of(data, size);
    struct ca_error err = { .status = CA_OK };
    struct ca_cert cert;

    if (size == 0 || size > 65536) return 0;
    if (ca_cert_parse(der, &cert, &err) != CA_OK) {
        require(err.text[0] != '\0');
        return 0;
    }
    require(ca_bytes_equal(cert.der, der) && cert.serial.len >= 1 && cert.serial.len <= 20);
    require(inside(der, cert.tbs) && inside(cert.tbs, cert.issuer) && inside(der, cert.signature));
    require(inside(cert.tbs, cert.subject) && inside(cert.tbs, cert.key.whole));
    require(inside(cert.tbs, cert.extensions) && inside(cert.extensions, cert.san));
    require(inside(cert.extensions, cert.ski) && inside(cert.extensions, cert.aki));
    require_openssl_agrees(&cert);
    planted(cert.signature.len > 0 && cert.signature.data[cert.signature.len / 2] == 0x7e, data,
            size);
    return 0;
}
