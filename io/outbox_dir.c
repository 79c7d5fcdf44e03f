#include "io/outbox_dir.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_PREFIX ".certmill-"
#define PART_SUFFIX ".part"
#define MARK ".files"       /* no name of outbox_put_file begins with a dot */
#define FILE_MODE 0644      /* the umask may take from it */

struct part_name {
    char text[NAME_MAX + 1];
};

static enum ca_status refuse(struct ca_error *err, const struct outbox_dir *dir, const char *what)
{
    return ca_fail_named(err, CA_REFUSED, "output-directory", "%s %s", dir->path, what);
}

bool outbox_dir_name_fits(const struct outbox_dir *dir, const char *name)
{
    return strlen(PART_PREFIX) + strlen(dir->job) + 1 + strlen(name) + strlen(PART_SUFFIX)
           <= NAME_MAX;
}

static struct part_name part_name(const struct outbox_dir *dir, const char *name)
{
    struct part_name part;

    assert(outbox_dir_name_fits(dir, name));
    (void)snprintf(part.text, sizeof(part.text), PART_PREFIX "%s.%s" PART_SUFFIX, dir->job, name);
    return part;
}

static bool is_part(const char *name)
{
    size_t len = strlen(name);

    return strncmp(name, PART_PREFIX, strlen(PART_PREFIX)) == 0 && len > strlen(PART_SUFFIX)
           && strcmp(name + len - strlen(PART_SUFFIX), PART_SUFFIX) == 0;
}

/* A part file of this job: one of those it always has, and the mark. */
static bool is_fixed_part(const struct outbox_dir *dir, const char *name)
{
    static const char *const fixed[] = { OUTBOX_SUMMARY, MARK };

    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) {
        struct part_name part = part_name(dir, outbox_file_name((enum outbox_file)i));

        if (strcmp(name, part.text) == 0) return true;
    }
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        struct part_name part = part_name(dir, fixed[i]);

        if (strcmp(name, part.text) == 0) return true;
    }
    return false;
}

/* The part of a file of outbox_put_file, as far as a name can tell. */
static bool is_loose_part(const struct outbox_dir *dir, const char *name)
{
    size_t prefix = strlen(PART_PREFIX), job = strlen(dir->job);

    return is_part(name) && !is_fixed_part(dir, name)
           && strncmp(name + prefix, dir->job, job) == 0 && name[prefix + job] == '.';
}

static bool is_final(const char *name)
{
    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) {
        if (strcmp(name, outbox_file_name((enum outbox_file)i)) == 0) return true;
    }
    return strcmp(name, OUTBOX_SUMMARY) == 0;
}

static bool exists(const struct outbox_dir *dir, const char *name)
{
    struct stat info;

    return fstatat(dir->fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_regular(const struct outbox_dir *dir, const char *name)
{
    struct stat info;

    return fstatat(dir->fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode);
}

/* What a look over the directory is told, entry by entry. */
struct look {
    struct outbox_dir *dir;
    const struct outbox_spec *spec;
    bool any_file;                  /* files of outbox_put_file may be there */
    char foreign[NAME_MAX + 1];     /* the first, in byte order, that is not ours */
};

static bool is_ours(const struct look *look, const char *name)
{
    if (!look->spec->resume) return false;
    if (is_fixed_part(look->dir, name)) return true;
    if (is_final(name)) return look->spec->finishing;
    if (is_part(name)) return look->any_file && is_loose_part(look->dir, name);
    return look->any_file && is_regular(look->dir, name);
}

static void look_at(struct look *look, const char *name)
{
    if (is_ours(look, name)) return;
    if (look->foreign[0] != '\0' && strcmp(look->foreign, name) <= 0) return;
    (void)snprintf(look->foreign, sizeof(look->foreign), "%s", name);
}

static void remove_loose_part(struct look *look, const char *name)
{
    if (!is_loose_part(look->dir, name)) return;
    (void)unlinkat(look->dir->fd, name, 0);     /* outbox_dir_create tries again, and reports */
}

static enum ca_status for_each_entry(struct look *look,
                                     void (*each)(struct look *look, const char *name),
                                     struct ca_error *err)
{
    int fd = openat(look->dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd == -1 ? NULL : fdopendir(fd);
    int failed = errno;

    if (dir == NULL) {
        if (fd != -1) (void)close(fd);
        return ca_fail_errno(err, failed, "cannot list %s", look->dir->path);
    }
    for (;;) {
        const struct dirent *entry;

        errno = 0;
        entry = readdir(dir);
        if (entry == NULL) break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        each(look, entry->d_name);
    }
    failed = errno;
    (void)closedir(dir);
    if (failed != 0) return ca_fail_errno(err, failed, "cannot list %s", look->dir->path);
    return CA_OK;
}

static enum ca_status refuse_foreign(const struct look *look, struct ca_error *err)
{
    if (look->foreign[0] == '\0') return CA_OK;
    if (is_part(look->foreign)) {
        (void)ca_fail_named(err, CA_REFUSED, "output-directory",
                            "%s belongs to a job that is not resumed here (it holds %s)",
                            look->dir->path, look->foreign);
        ca_hint(err, "resume that job, or choose an empty directory");
    } else {
        (void)ca_fail_named(err, CA_REFUSED, "output-directory",
                            "%s holds %s, which is not this job's", look->dir->path, look->foreign);
        ca_hint(err, "choose an empty directory, or one that does not exist yet");
    }
    return CA_REFUSED;
}

static enum ca_status check_entries(struct outbox_dir *dir, const struct outbox_spec *spec,
                                    struct ca_error *err)
{
    struct look look = { .dir = dir, .spec = spec };
    struct part_name mark = part_name(dir, MARK);
    enum ca_status st;

    dir->has_loose = spec->resume && exists(dir, mark.text);
    /* At the very end the mark goes before the job is stored as completed; the summary stands for
     * it. */
    look.any_file = dir->has_loose || (spec->finishing && exists(dir, OUTBOX_SUMMARY));
    st = for_each_entry(&look, look_at, err);
    return st == CA_OK ? refuse_foreign(&look, err) : st;
}

/* The new directory's own name must survive a crash too. */
static enum ca_status sync_parent(const struct outbox_dir *dir, struct ca_error *err)
{
    int fd = openat(dir->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum ca_status st = CA_OK;

    if (fd == -1 || fsync(fd) == -1) {
        st = ca_fail_errno(err, errno, "cannot sync the directory above %s", dir->path);
    }
    if (fd != -1) (void)close(fd);
    return st;
}

static enum ca_status open_dir(struct outbox_dir *dir, struct ca_error *err)
{
    bool made = mkdir(dir->path, 0777) == 0;

    if (!made && errno != EEXIST) return ca_fail_errno(err, errno, "cannot make %s", dir->path);
    dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->fd == -1 && errno == ENOTDIR) return refuse(err, dir, "is no directory");
    if (dir->fd == -1) return ca_fail_errno(err, errno, "cannot open %s", dir->path);
    return made ? sync_parent(dir, err) : CA_OK;
}

enum ca_status outbox_dir_open(struct outbox_dir *dir, const struct outbox_spec *spec,
                               struct ca_error *err)
{
    enum ca_status st;

    *dir = (struct outbox_dir){ .fd = -1, .path = strdup(spec->dir), .job = strdup(spec->job) };
    if (dir->path == NULL || dir->job == NULL) {
        return ca_fail(err, CA_NOMEM, "no memory for the output directory's name");
    }
    if (!outbox_dir_name_fits(dir, outbox_file_name(OUTBOX_REJECTED))) {
        return refuse(err, dir, "cannot take output files: the job's name is too long");
    }
    st = open_dir(dir, err);
    return st == CA_OK ? check_entries(dir, spec, err) : st;
}

void outbox_dir_close(struct outbox_dir *dir)
{
    if (dir->fd != -1) (void)close(dir->fd);
    dir->fd = -1;
    free(dir->path);
    free(dir->job);
    dir->path = dir->job = NULL;
}

enum ca_status outbox_dir_create(struct outbox_dir *dir, const char *name, int *fd,
                                 struct ca_error *err)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    struct part_name part = part_name(dir, name);

    *fd = openat(dir->fd, part.text, flags, FILE_MODE);
    if (*fd == -1 && errno == EEXIST && unlinkat(dir->fd, part.text, 0) == 0) {
        *fd = openat(dir->fd, part.text, flags, FILE_MODE);
    }
    if (*fd != -1) return CA_OK;
    return ca_fail_errno(err, errno, "cannot create %s in %s", name, dir->path);
}

/* Renames where nothing may be replaced. File systems that cannot promise it look first. */
static int rename_new(int dir_fd, const char *from, const char *to)
{
    struct stat info;

    if (renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    if (fstatat(dir_fd, to, &info, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(dir_fd, from, dir_fd, to);
}

static enum ca_status fail_rename(const struct outbox_dir *dir, const char *name, int errnum,
                                  struct ca_error *err)
{
    if (errnum != EEXIST) {
        return ca_fail_errno(err, errnum, "cannot rename %s in %s", name, dir->path);
    }
    return ca_fail_named(err, CA_REFUSED, "output-directory",
                         "%s holds %s, which is not this job's", dir->path, name);
}

enum ca_status outbox_dir_publish(struct outbox_dir *dir, const char *name, bool replace,
                                  struct ca_error *err)
{
    struct part_name part = part_name(dir, name);
    int res = replace ? renameat(dir->fd, part.text, dir->fd, name)
                      : rename_new(dir->fd, part.text, name);

    if (res == 0) return CA_OK;
    return fail_rename(dir, name, errno, err);
}

/* What had its final name is a part again. Both at once cannot come from us. */
static enum ca_status take_back(struct outbox_dir *dir, const char *name, struct ca_error *err)
{
    struct part_name part = part_name(dir, name);

    if (rename_new(dir->fd, name, part.text) == 0 || errno == ENOENT) return CA_OK;
    return fail_rename(dir, name, errno, err);
}

static enum ca_status fail_changed(const struct outbox_dir *dir, const char *name,
                                   struct ca_error *err)
{
    return ca_fail_named(err, CA_CORRUPT, "output-changed",
                         "the unfinished %s in %s is shorter than it was", name, dir->path);
}

/* Opens a part that an earlier run left; at least len octets of it are there. */
static enum ca_status open_again(struct outbox_dir *dir, const char *name, uint64_t len, int *fd,
                                 struct ca_error *err)
{
    struct part_name part = part_name(dir, name);
    struct stat info;

    *fd = openat(dir->fd, part.text, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*fd == -1 && errno == ENOENT) {
        return len == 0 ? outbox_dir_create(dir, name, fd, err) : fail_changed(dir, name, err);
    }
    if (*fd == -1 || fstat(*fd, &info) == -1) {
        return ca_fail_errno(err, errno, "cannot open %s in %s", part.text, dir->path);
    }
    if (!S_ISREG(info.st_mode)) return refuse(err, dir, "holds a part that is no regular file");
    return (uint64_t)info.st_size < len ? fail_changed(dir, name, err) : CA_OK;
}

static enum ca_status open_part(struct outbox_dir *dir, const struct outbox_spec *spec,
                                enum outbox_file file, int *fd, struct ca_error *err)
{
    const char *name = outbox_file_name(file);
    enum ca_status st = CA_OK;

    if (!spec->resume) return outbox_dir_create(dir, name, fd, err);
    if (spec->finishing) st = take_back(dir, name, err);
    return st == CA_OK ? open_again(dir, name, spec->lengths.octets[file], fd, err) : st;
}

/* Only when all parts are long enough: a refusal leaves everything as it was. */
static enum ca_status cut_parts(struct outbox_dir *dir, const struct outbox_spec *spec,
                                const int fds[OUTBOX_FILE_COUNT], struct ca_error *err)
{
    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) {
        if (ftruncate(fds[i], (off_t)spec->lengths.octets[i]) == 0) continue;
        return ca_fail_errno(err, errno, "cannot cut %s in %s",
                             outbox_file_name((enum outbox_file)i), dir->path);
    }
    return CA_OK;
}

/* The job is unfinished again. The mark takes over from the summary before that goes. */
static enum ca_status remove_summary(struct outbox_dir *dir, struct ca_error *err)
{
    enum ca_status st = CA_OK;

    if (!exists(dir, OUTBOX_SUMMARY)) return CA_OK;
    if (!dir->has_loose) st = outbox_dir_mark_loose(dir, err);
    if (st != CA_OK) return st;
    if (fsync(dir->fd) == -1) return ca_fail_errno(err, errno, "cannot sync %s", dir->path);
    if (unlinkat(dir->fd, OUTBOX_SUMMARY, 0) == 0) return CA_OK;
    return ca_fail_errno(err, errno, "cannot remove %s in %s", OUTBOX_SUMMARY, dir->path);
}

static enum ca_status clear_leftovers(struct outbox_dir *dir, const struct outbox_spec *spec,
                                      struct ca_error *err)
{
    struct look look = { .dir = dir, .spec = spec };
    struct part_name summary = part_name(dir, OUTBOX_SUMMARY);
    enum ca_status st = spec->finishing ? remove_summary(dir, err) : CA_OK;

    if (st != CA_OK) return st;
    (void)unlinkat(dir->fd, summary.text, 0);   /* made anew at the end, where failures show */
    return dir->has_loose ? for_each_entry(&look, remove_loose_part, err) : CA_OK;
}

void outbox_dir_remove_parts(struct outbox_dir *dir)
{
    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) {
        struct part_name part = part_name(dir, outbox_file_name((enum outbox_file)i));

        (void)unlinkat(dir->fd, part.text, 0);      /* one that stays is told to the next job */
    }
}

enum ca_status outbox_dir_open_parts(struct outbox_dir *dir, const struct outbox_spec *spec,
                                     int fds[OUTBOX_FILE_COUNT], struct ca_error *err)
{
    int opened[OUTBOX_FILE_COUNT];
    enum ca_status st = CA_OK;

    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) opened[i] = -1;
    for (int i = 0; i < OUTBOX_FILE_COUNT && st == CA_OK; i++) {
        st = open_part(dir, spec, (enum outbox_file)i, &opened[i], err);
    }
    if (st == CA_OK && spec->resume) st = cut_parts(dir, spec, opened, err);
    if (st == CA_OK && spec->resume) st = clear_leftovers(dir, spec, err);
    if (st == CA_OK) {
        memcpy(fds, opened, sizeof(opened));
        return CA_OK;
    }
    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) {
        if (opened[i] != -1) (void)close(opened[i]);
    }
    if (!spec->resume) outbox_dir_remove_parts(dir);
    return st;
}

enum ca_status outbox_dir_mark_loose(struct outbox_dir *dir, struct ca_error *err)
{
    int fd;
    enum ca_status st = outbox_dir_create(dir, MARK, &fd, err);

    if (st != CA_OK) return st;
    (void)close(fd);        /* nothing was written */
    dir->has_loose = true;
    return CA_OK;
}

enum ca_status outbox_dir_unmark_loose(struct outbox_dir *dir, struct ca_error *err)
{
    struct part_name mark = part_name(dir, MARK);

    if (!dir->has_loose) return CA_OK;
    if (unlinkat(dir->fd, mark.text, 0) == -1) {
        return ca_fail_errno(err, errno, "cannot remove %s in %s", mark.text, dir->path);
    }
    dir->has_loose = false;
    return CA_OK;
}
