#include "tools/passphrase.h"

#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define LINE_MAX_OCTETS (CA_PASSPHRASE_MAX + 2)     /* a passphrase and its line end */

/* Room for a line at once: a buffer that grows leaves copies of the secret behind. */
static enum ca_status line_init(struct ca_buf *line, struct ca_error *err)
{
    const size_t room = LINE_MAX_OCTETS + 1;    /* one more shows a file that is longer */

    ca_buf_init(line, room);
    (void)ca_buf_reserve(line, room);           /* the next line looks at it */
    return ca_buf_status(line, "the passphrase", err);
}

/* Drops the line end and checks the length. */
static enum ca_status line_finish(struct ca_buf *line, struct ca_error *err)
{
    if (line->len > 0 && line->data[line->len - 1] == '\n') {
        line->len--;
        if (line->len > 0 && line->data[line->len - 1] == '\r') line->len--;
    }
    if (line->len > CA_PASSPHRASE_MAX || line->failed != CA_OK) {
        return ca_fail_named(err, CA_REFUSED, "bad-passphrase",
                             "the passphrase is longer than %d octets", CA_PASSPHRASE_MAX);
    }
    if (line->len == 0) {
        return ca_fail_named(err, CA_REFUSED, "bad-passphrase", "the passphrase is empty");
    }
    return CA_OK;
}

/*
 * systemd gives a credential to the unit's user by an access control list on a file of root's, so
 * the owner may be root and the mode 0440: what file_read calls private is too strict here.
 */
static enum ca_status read_credential(const char *path, struct ca_buf *out, struct ca_error *err)
{
    enum ca_status st;
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0) return ca_fail_errno(err, errno, "cannot open the credential %s", path);
    if (fstat(fd, &about) != 0) {
        st = ca_fail_errno(err, errno, "cannot look at the credential %s", path);
    } else if (!S_ISREG(about.st_mode) || (about.st_mode & 0027) != 0 ||
               (about.st_uid != 0 && about.st_uid != geteuid())) {
        st = ca_fail_named(err, CA_REFUSED, "file-mode",
                           "the credential %s is not a private file of yours or root's", path);
    } else {
        st = file_read_fd(fd, LINE_MAX_OCTETS, "the credential", out, err);
    }
    (void)close(fd);    /* nothing was written */
    return st;
}

/* Reads a line with echo off, or stops at the first signal. */
static enum ca_status read_line(int tty, int signals, struct ca_buf *out, struct ca_error *err)
{
    for (;;) {
        struct pollfd wait[2] = { { .fd = tty, .events = POLLIN },
                                  { .fd = signals, .events = POLLIN } };
        uint8_t octets[256];
        ssize_t got;

        if (poll(wait, 2, -1) < 0 && errno != EINTR) {
            return ca_fail_errno(err, errno, "cannot wait for the terminal");
        }
        if ((wait[1].revents & POLLIN) != 0) {
            return ca_fail_named(err, CA_AGAIN, "interrupted",
                                 "interrupted while asking for the passphrase");
        }
        if (wait[0].revents == 0) continue;
        got = read(tty, octets, sizeof(octets));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return ca_fail_errno(err, errno, "cannot read from the terminal");
        ca_buf_append(out, octets, (size_t)got);
        ca_wipe(octets, sizeof(octets));
        /* A terminal gives whole lines; no octets are an end of file (^D). */
        if (got == 0 || out->failed != CA_OK || out->data[out->len - 1] == '\n') return CA_OK;
    }
}

static enum ca_status ask(int tty, int signals, const char *question, struct ca_buf *line,
                          struct ca_error *err)
{
    enum ca_status st;

    (void)dprintf(tty, "%s: ", question);
    st = read_line(tty, signals, line, err);
    (void)dprintf(tty, "\n");
    return st == CA_OK ? line_finish(line, err) : st;
}

static enum ca_status ask_twice(int tty, int signals, struct ca_buf *line, struct ca_error *err)
{
    struct ca_buf again;
    enum ca_status st = line_init(&again, err);

    if (st == CA_OK) st = ask(tty, signals, "New passphrase for the store's keys", line, err);
    if (st == CA_OK) st = ask(tty, signals, "The same again", &again, err);
    if (st == CA_OK && !ca_bytes_equal(ca_buf_view(line), ca_buf_view(&again))) {
        st = ca_fail_named(err, CA_REFUSED, "passphrase-mismatch", "the two passphrases differ");
    }
    ca_buf_clear_secret(&again);
    return st;
}

/* The first signal that came while the question was open, 0 when none did. */
static int take_signal(int signals)
{
    struct signalfd_siginfo info;
    struct pollfd wait = { .fd = signals, .events = POLLIN };

    if (poll(&wait, 1, 0) != 1 || read(signals, &info, sizeof(info)) != sizeof(info)) return 0;
    return (int)info.ssi_signo;
}

/* With echo off a signal must not end the process before echo is on again: signals wait in a
 * descriptor meanwhile, and the one that came is sent again at the end. */
static enum ca_status ask_quietly(int tty, bool confirm, struct ca_buf *out, struct ca_error *err)
{
    enum ca_status st = CA_OK;
    struct termios before, quiet;
    sigset_t set, mask;
    int signals = -1;
    int came = 0;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGQUIT);
    (void)sigaddset(&set, SIGTSTP);
    if (tcgetattr(tty, &before) != 0) {
        return ca_fail_errno(err, errno, "cannot switch the terminal's echo off");
    }
    (void)sigprocmask(SIG_BLOCK, &set, &mask);
    quiet = before;
    quiet.c_lflag = (quiet.c_lflag & ~(tcflag_t)ECHO) | ICANON;
    signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (signals < 0 || tcsetattr(tty, TCSAFLUSH, &quiet) != 0) {
        st = ca_fail_errno(err, errno, "cannot switch the terminal's echo off");
        goto out;
    }
    st = confirm ? ask_twice(tty, signals, out, err)
                 : ask(tty, signals, "Passphrase of the store's keys", out, err);
    (void)tcsetattr(tty, TCSAFLUSH, &before);
    came = take_signal(signals);
out:
    if (signals >= 0) (void)close(signals);
    (void)sigprocmask(SIG_SETMASK, &mask, NULL);
    if (came != 0) (void)kill(getpid(), came);
    return st;
}

static enum ca_status ask_person(bool confirm, struct ca_buf *out, struct ca_error *err)
{
    enum ca_status st;
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (tty < 0) {
        (void)ca_fail_named(err, CA_REFUSED, "no-passphrase",
                            "a passphrase is needed and there is no terminal to ask at");
        ca_hint(err, "give --passphrase-file FILE, --passphrase-fd N, or the credential "
                     "$CREDENTIALS_DIRECTORY/" PASSPHRASE_CREDENTIAL);
        return CA_REFUSED;
    }
    st = ask_quietly(tty, confirm, out, err);
    (void)close(tty);
    return st;
}

/* The credential's path in out when systemd gave us one. */
static bool credential_path(char *out, size_t cap)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    int len;

    if (dir == NULL || dir[0] == '\0') return false;
    len = snprintf(out, cap, "%s/" PASSPHRASE_CREDENTIAL, dir);
    return len > 0 && (size_t)len < cap && access(out, F_OK) == 0;
}

static enum ca_status read_source(const struct passphrase *from, bool confirm, struct ca_buf *line,
                                  struct ca_error *err)
{
    enum ca_status st;
    char path[PATH_MAX];

    if (from->file != NULL) {
        st = file_read(from->file, LINE_MAX_OCTETS, FILE_PRIVATE, line, err);
    } else if (from->fd >= 0) {
        st = file_read_fd(from->fd, LINE_MAX_OCTETS, "the passphrase's descriptor", line, err);
    } else if (credential_path(path, sizeof(path))) {
        st = read_credential(path, line, err);
    } else {
        return ask_person(confirm, line, err);
    }
    return st == CA_OK ? line_finish(line, err) : st;
}

static enum ca_status get(void *ctx, bool confirm, struct ca_buf *out, struct ca_error *err)
{
    struct ca_buf line;
    enum ca_status st = line_init(&line, err);

    if (st == CA_OK) st = read_source(ctx, confirm, &line, err);
    if (st == CA_OK) {
        ca_buf_append_bytes(out, ca_buf_view(&line));
        st = ca_buf_status(out, "the passphrase", err);
    }
    ca_buf_clear_secret(&line);
    return st;
}

struct batch_passphrase passphrase_source(struct passphrase *passphrase)
{
    return (struct batch_passphrase){ .get = get, .ctx = passphrase };
}
