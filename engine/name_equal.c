#include "engine/name_equal.h"

#include "engine/general_name.h"

#include <stdlib.h>
#include <string.h>

#define DIRECTORY_NAME CA_DER_CONTEXT_CONSTRUCTED(4)

static int order_of_numbers(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

static int order_of_octets(struct ca_bytes a, struct ca_bytes b)
{
    int order = order_of_numbers(a.len, b.len);

    return order != 0 || a.len == 0 ? order : memcmp(a.data, b.data, a.len);
}

/* All three hold UTF-8, two of them less of it. */
static uint8_t without_string_type(uint8_t tag)
{
    return tag == CA_DER_PRINTABLE_STRING || tag == CA_DER_IA5_STRING ? CA_DER_UTF8_STRING : tag;
}

/*
 * Names are equal but for string types when they are of one length and differ in nothing but tags
 * of values: the element by element walk below meets the same structure in both. The order of the
 * attributes inside an RDN is theirs by their types (X.690 11.6), so string types do not change it.
 */
static int order_of_names(struct ca_bytes a, struct ca_bytes b)
{
    struct ca_der at_a = ca_der_open(a), at_b = ca_der_open(b);

    if (a.len != b.len) return order_of_numbers(a.len, b.len);
    while (!ca_der_at_end(&at_a) && !ca_der_at_end(&at_b)) {
        struct ca_der_element x = { .tag = 0 }, y = { .tag = 0 };
        int order;

        if (ca_der_any(&at_a, &x, NULL) != CA_OK || ca_der_any(&at_b, &y, NULL) != CA_OK)
            return order_of_octets(a, b);
        order = order_of_numbers(without_string_type(x.tag), without_string_type(y.tag));
        if (order == 0) order = order_of_numbers(x.content.len, y.content.len);
        if (order != 0) return order;
        if ((x.tag & 0x20) != 0) {      /* into it: what follows it is still behind its content */
            at_a.rest = ca_bytes_of(x.content.data, x.content.len + at_a.rest.len);
            at_b.rest = ca_bytes_of(y.content.data, y.content.len + at_b.rest.len);
            continue;
        }
        order = order_of_octets(x.content, y.content);
        if (order != 0) return order;
    }
    return 0;
}

bool ca_name_equal(struct ca_bytes a, struct ca_bytes b)
{
    return ca_bytes_equal(a, b) || order_of_names(a, b) == 0;
}

static int order_of_general_names(const void *one, const void *other)
{
    const struct ca_bytes *a = one, *b = other;
    int order = order_of_numbers(a->data[0], b->data[0]);

    if (order != 0) return order;
    return a->data[0] == DIRECTORY_NAME ? order_of_names(*a, *b) : order_of_octets(*a, *b);
}

/* The names, sorted, none twice. */
static size_t sorted_names(struct ca_bytes general_names, struct ca_bytes names[CA_NAMES_MAX])
{
    struct ca_der input = ca_der_open(general_names), list = { .reason = 0 };
    size_t count = 0, kept = 0;

    if (ca_der_enter(&input, CA_DER_SEQUENCE, "the names", &list, NULL) != CA_OK) return 0;
    while (count < CA_NAMES_MAX && !ca_der_at_end(&list)) {
        struct ca_der_element name = { .tag = 0 };

        if (ca_der_any(&list, &name, NULL) != CA_OK) return 0;
        names[count++] = name.whole;
    }
    qsort(names, count, sizeof(names[0]), order_of_general_names);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || order_of_general_names(&names[kept - 1], &names[i]) != 0)
            names[kept++] = names[i];
    }
    return kept;
}

bool ca_san_equal(struct ca_bytes a, struct ca_bytes b)
{
    struct ca_bytes names_a[CA_NAMES_MAX], names_b[CA_NAMES_MAX];
    size_t count_a, count_b;

    if (ca_bytes_equal(a, b)) return true;
    count_a = sorted_names(a, names_a);
    count_b = sorted_names(b, names_b);
    if (count_a != count_b || count_a == 0) return false;
    for (size_t i = 0; i < count_a; i++) {
        if (order_of_general_names(&names_a[i], &names_b[i]) != 0) return false;
    }
    return true;
}
