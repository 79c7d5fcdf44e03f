/*
 * Keys that nobody gets a certificate for: sorted lists of key hashes (engine/key_check.h), binary
 * searched. One is built in: keys whose private halves were published (RFC 9500 and other RFCs,
 * known weak keys). A user's own comes from a file of text: one hash of 32 hexadecimal digits a
 * line, sorted, each once; "#" begins a comment; blanks around a hash and empty lines do not count.
 *
 * Frozen after load; any thread.
 */
#ifndef ENGINE_BLOCKLIST_H
#define ENGINE_BLOCKLIST_H

#include "engine/key_check.h"

#define CA_BLOCKLIST_FILE_MAX (UINT32_C(1) << 30)   /* octets; some 32 million keys */

struct ca_blocklist;

/* CA_MALFORMED "blocklist": with the number of the line. text is copied, half as long; CA_NOMEM. */
CA_MUST_CHECK enum ca_status ca_blocklist_parse(struct ca_bytes text, struct ca_crypto *crypto,
                                                struct ca_blocklist **out, struct ca_error *err);
void ca_blocklist_free(struct ca_blocklist *list);

size_t ca_blocklist_count(const struct ca_blocklist *list);
/* SHA-256 over the sorted binary hashes: what a profile's hash covers. */
const uint8_t *ca_blocklist_hash(const struct ca_blocklist *list);
bool ca_blocklist_has(const struct ca_blocklist *list, const uint8_t hash[CA_KEY_HASH_LEN]);

/* The built-in list. *where (may be NULL) says where the key was published ("RFC 9500 2.1"). */
size_t ca_published_count(void);
CA_MUST_CHECK enum ca_status ca_published_hash(struct ca_crypto *crypto, uint8_t hash[32],
                                               struct ca_error *err);
bool ca_published_has(const uint8_t hash[CA_KEY_HASH_LEN], const char **where);

#endif
