/*
 * Where a passphrase comes from: a private file, an open descriptor, systemd's credential
 * $CREDENTIALS_DIRECTORY/certmill-passphrase, or a person at /dev/tty. Never an argument or an
 * environment variable: both can be read by others.
 *
 * One line end at the end is no part of it.
 *
 * Thread: the main thread only.
 */
#ifndef TOOLS_PASSPHRASE_H
#define TOOLS_PASSPHRASE_H

#include "batch/registry.h"

#define PASSPHRASE_CREDENTIAL "certmill-passphrase"

struct passphrase {
    const char *file;       /* --passphrase-file; NULL: not given */
    int fd;                 /* --passphrase-fd; -1: not given */
};

/*
 * A source for the registry; it borrows passphrase. Its get:
 *   CA_REFUSED "no-passphrase"        none of the three and no terminal
 *   CA_REFUSED "file-mode"            the file can be read or written by others
 *   CA_REFUSED "bad-passphrase"       empty or longer than CA_PASSPHRASE_MAX
 *   CA_REFUSED "passphrase-mismatch"  the two that were typed differ
 *   CA_AGAIN   "interrupted"          a signal while it was asked for; the signal is sent again
 *   CA_IO      it cannot be read
 */
struct batch_passphrase passphrase_source(struct passphrase *passphrase);

#endif
