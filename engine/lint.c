#include "engine/lint_private.h"

#define SERIAL_LEN_MAX 20                           /* RFC 5280 4.1.2.2 */
/* Spec 2.1. Not shared with the builder: a wrong limit there must not hide here. */
#define SHORT_LIVED_MAX_S (INT64_C(7) * 86400)

__attribute__((cold, noinline))
enum ca_status ca_lint_refuse_next(struct ca_lint_run *l, enum ca_reason reason,
                                   const char *sentence)
{
    struct ca_der_element element = { .tag = 0 };
    struct ca_der ahead = l->rest;

    ahead.reason = (uint16_t)reason;
    if (ca_der_any(&ahead, &element, l->err) != CA_OK) return CA_REFUSED;
    return CA_LINT_REFUSE(l, reason, "%s", sentence);
}

/* Everything before the extensions */

static enum ca_status check_version(struct ca_lint_run *l)
{
    static const uint8_t version_3[] = { CA_DER_CONTEXT_CONSTRUCTED(0), 3, CA_DER_INTEGER, 1, 2 };

    if (ca_lint_take(&l->rest, ca_bytes_of(version_3, sizeof(version_3)))) return CA_OK;
    return ca_lint_refuse_next(l, CA_REASON_LINT_VERSION,
                               "RFC 5280 4.1.2.1: a certificate with extensions has version 3");
}

static enum ca_status check_serial(struct ca_lint_run *l)
{
    const struct ca_serial *serial = l->input->serial;
    struct ca_der_element element = { .tag = 0 };
    struct ca_bytes magnitude = { .len = 0 };
    struct ca_der number;
    enum ca_status st;

    l->rest.reason = CA_REASON_LINT_SERIAL;
    st = ca_der_take(&l->rest, CA_DER_INTEGER, "the serial number", &element, l->err);
    if (st != CA_OK) return st;
    number = (struct ca_der){ .rest = element.whole, .reason = CA_REASON_LINT_SERIAL };
    st = ca_der_unsigned(&number, "the serial number", &magnitude, l->err);
    if (st != CA_OK) return st;
    if (magnitude.data[0] == 0)
        return CA_LINT_REFUSE(l, CA_REASON_LINT_SERIAL,
                              "RFC 5280 4.1.2.2: the serial number is zero");
    if (element.content.len > SERIAL_LEN_MAX)
        return CA_LINT_REFUSE(l, CA_REASON_LINT_SERIAL,
                              "RFC 5280 4.1.2.2: a serial number of %zu octets, more than %d",
                              element.content.len, SERIAL_LEN_MAX);
    if (!ca_bytes_equal(magnitude, ca_bytes_of(serial->octets, serial->len)))
        return CA_LINT_REFUSE(l, CA_REASON_LINT_SERIAL,
                              "RFC 5280 4.1.2.2: the serial number is not the one that was drawn");
    return CA_OK;
}

static enum ca_status check_algorithm(struct ca_lint_run *l)
{
    enum ca_sig_alg alg = l->spec->sig_alg;
    enum ca_key_kind signer =
        l->issuer != NULL ? l->issuer->cert.key.kind : l->input->request->key.kind;

    if (!ca_sig_alg_fits_kind(alg, signer))
        return CA_LINT_REFUSE(l, CA_REASON_LINT_ALGORITHM,
                              "RFC 5280 4.1.2.3: the issuer's key cannot sign with the algorithm");
    if (ca_lint_take(&l->rest, ca_sig_alg_der(alg))) return CA_OK;
    return ca_lint_refuse_next(
        l, CA_REASON_LINT_ALGORITHM,
        "RFC 5280 4.1.2.3: the signature algorithm is not the one asked for");
}

static enum ca_status check_issuer(struct ca_lint_run *l)
{
    struct ca_bytes issuer = l->issuer != NULL ? l->issuer->cert.subject : l->contents->subject;

    if (ca_lint_is_empty(issuer))
        return CA_LINT_REFUSE(l, CA_REASON_LINT_ISSUER,
                              "RFC 5280 4.1.2.4: the issuer's name is empty");
    if (ca_lint_take(&l->rest, issuer)) return CA_OK;
    return ca_lint_refuse_next(l, CA_REASON_LINT_ISSUER,
                               "RFC 5280 4.1.2.4: the issuer is not the CA's own name");
}

/* Template and usage mode count a period from issuance, which the certificate does not show: the
 * backdate lies before it, a ValidityNotBefore is the beginning itself (engine/profile.h). */
static enum ca_status check_period(struct ca_lint_run *l, int64_t period_s)
{
    const struct ca_template *tmpl = l->tmpl;

    if (l->spec->not_before_s == 0) period_s -= CA_BACKDATE_S;
    if (tmpl->validity_max_s != 0 && period_s > tmpl->validity_max_s)
        return CA_LINT_REFUSE(l, CA_REASON_LINT_VALIDITY,
                              "template: the validity is longer than validity.max of template %s",
                              tmpl->name);
    if (l->issuer != NULL && l->spec->short_lived && period_s > SHORT_LIVED_MAX_S)
        return CA_LINT_REFUSE(
            l, CA_REASON_LINT_VALIDITY,
            "usage mode: a CA for short-lived certificates issues for at most 7 days");
    return CA_OK;
}

static enum ca_status check_dates(struct ca_lint_run *l, int64_t from_s, int64_t until_s)
{
    if (from_s != l->input->not_before_s || until_s != l->input->not_after_s)
        return CA_LINT_REFUSE(l, CA_REASON_LINT_VALIDITY,
                              "RFC 5280 4.1.2.5: the dates are not those that were decided");
    if (from_s >= until_s)
        return CA_LINT_REFUSE(l, CA_REASON_LINT_VALIDITY,
                              "RFC 5280 4.1.2.5: the validity ends before it begins");
    if (l->issuer != NULL &&
        (from_s < l->issuer->cert.not_before_s || until_s > l->issuer->cert.not_after_s))
        return CA_LINT_REFUSE(l, CA_REASON_LINT_VALIDITY,
                              "RFC 5280 6.1.3: the validity is not inside the CA's own");
    if (l->tmpl->not_after_s != 0 && until_s != l->tmpl->not_after_s)
        return CA_LINT_REFUSE(l, CA_REASON_LINT_VALIDITY,
                              "template: the validity does not end at not_after of template %s",
                              l->tmpl->name);
    return check_period(l, until_s - from_s);
}

/* The reader wants UTCTime through 2049, which is all that it can say, and GeneralizedTime from
 * 2050. */
static enum ca_status check_validity(struct ca_lint_run *l)
{
    struct ca_der times = { .reason = 0 };
    int64_t from_s = 0, until_s = 0;
    enum ca_status st;

    l->rest.reason = CA_REASON_LINT_VALIDITY;
    st = ca_der_enter(&l->rest, CA_DER_SEQUENCE, "the validity", &times, l->err);
    if (st == CA_OK) st = ca_der_time(&times, "notBefore", &from_s, l->err);
    if (st == CA_OK) st = ca_der_time(&times, "notAfter", &until_s, l->err);
    if (st == CA_OK) st = ca_der_end(&times, "the validity", l->err);
    return st == CA_OK ? check_dates(l, from_s, until_s) : st;
}

static enum ca_status check_subject(struct ca_lint_run *l)
{
    bool empty = ca_lint_is_empty(l->contents->subject);

    if (empty && l->tmpl->kind != CA_TEMPLATE_END_ENTITY)
        return CA_LINT_REFUSE(l, CA_REASON_LINT_SUBJECT,
                              "RFC 5280 4.1.2.6: a CA's subject is empty");
    if (empty != l->contents->subject_empty)
        return CA_LINT_REFUSE(l, CA_REASON_LINT_SUBJECT,
                              "RFC 5280 4.1.2.6: it is not known whether the subject is empty");
    if (ca_lint_take(&l->rest, l->contents->subject)) return CA_OK;
    return ca_lint_refuse_next(l, CA_REASON_LINT_SUBJECT,
                               "RFC 5280 4.1.2.6: the subject is not the one that was decided");
}

static enum ca_status check_key(struct ca_lint_run *l)
{
    if (ca_lint_take(&l->rest, l->input->request->key.whole)) return CA_OK;
    return ca_lint_refuse_next(l, CA_REASON_LINT_KEY,
                               "RFC 5280 4.1.2.7: the key is not the octets that the request has");
}

/* The whole */

static enum ca_status check_all(struct ca_lint_run *l, struct ca_bytes tbs)
{
    struct ca_der der = { .rest = tbs, .reason = CA_REASON_LINT_ENCODING };
    enum ca_status st = ca_der_enter(&der, CA_DER_SEQUENCE, "the TBSCertificate", &l->rest, l->err);

    if (st == CA_OK) st = ca_der_end(&der, "the TBSCertificate", l->err);
    if (st == CA_OK) st = check_version(l);
    if (st == CA_OK) st = check_serial(l);
    if (st == CA_OK) st = check_algorithm(l);
    if (st == CA_OK) st = check_issuer(l);
    if (st == CA_OK) st = check_validity(l);
    if (st == CA_OK) st = check_subject(l);
    if (st == CA_OK) st = check_key(l);
    if (st == CA_OK) st = ca_lint_extensions(l);
    return st;
}

/* What the reader says has no rule before it, and reasons of its own for what is no DER. */
__attribute__((cold, noinline))
static enum ca_status report(const struct ca_lint_run *l, struct ca_error *err)
{
    const struct ca_error *why = l->err;
    uint16_t reason = why->reason;
    const char *rule;

    if (l->judged) {
        if (err != NULL) *err = *why;
        return why->status;
    }
    if (reason < CA_REASON_LINT_ENCODING) reason = CA_REASON_LINT_ENCODING;
    rule = reason == CA_REASON_LINT_ENCODING ? "X.690 10" : ca_reason_rule(reason);
    return ca_refuse(err, (enum ca_reason)reason, "%s: %s", rule, why->text);
}

enum ca_status ca_lint(const struct ca_profile *profile, const struct ca_tbs_input *input,
                       struct ca_bytes tbs, struct ca_error *err)
{
    const struct ca_profile_spec *spec = ca_profile_spec_of(profile);
    struct ca_error why;
    struct ca_lint_run l = { .spec = spec, .tmpl = spec->tmpl, .issuer = spec->issuer,
                             .input = input, .contents = input->contents, .err = &why };

    return check_all(&l, tbs) == CA_OK ? CA_OK : report(&l, err);
}
