/*
 * Private to engine: what an EncryptedPrivateKeyInfo (RFC 5958 3) says about its own encryption,
 * judged before anything is derived from the passphrase.
 *
 * A key file comes from outside: parameters that are too cheap make the passphrase worthless, and
 * parameters that are too dear would let a file hold the program up for hours or take its memory.
 *
 * No allocation; any thread.
 */
#ifndef ENGINE_PBES2_H
#define ENGINE_PBES2_H

#include "engine/bytes.h"

/*
 * What we write. scrypt (RFC 7914): OpenSSL refuses, in every version so far and with no way to ask
 * for more through PKCS#8, what needs above 32 MiB, and N=2^15 with r=8 needs 32 MiB and 3 KiB. A
 * key that the openssl program could not open would be one that its owner cannot rescue, so N is
 * 2^14 and p makes up for it (OWASP names N=2^14, r=8, p=5 as the equal of N=2^15, p=3).
 * PBKDF2 with HMAC-SHA256 (RFC 8018): 600,000 rounds.
 */
#define CA_PBES2_SCRYPT_N 16384
#define CA_PBES2_SCRYPT_R 8
#define CA_PBES2_SCRYPT_P 5
#define CA_PBES2_ROUNDS 600000
#define CA_PBES2_SALT 16            /* octets */

/*
 * der: the whole EncryptedPrivateKeyInfo, nothing after it.
 *   CA_REFUSED "weak-encryption"   no PBES2, another cipher than AES-CBC, PBKDF2 below 100,000
 *                                  rounds or with another PRF than HMAC-SHA1 or HMAC-SHA2, scrypt
 *                                  below 16 MiB, a salt below 8 octets
 *   CA_MALFORMED "bad-key-file"    not that structure, or parameters beyond all reason (PBKDF2
 *                                  above 10,000,000 rounds, scrypt above OpenSSL's 32 MiB or
 *                                  with p above 16)
 */
CA_MUST_CHECK enum ca_status ca_pbes2_check(struct ca_bytes der, struct ca_error *err);

#endif
