/*
 * Where LMDB mapped the data file. It does not say (mdb_env_info knows the address of fixed maps
 * only), and a wrong guess would be advice about somebody else's memory: the kernel's own list of
 * this process's mappings is asked, by device and inode.
 */
#include "io/store_private.h"

#include <lmdb.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define RELEASE_EVERY_BYTES (UINT64_C(256) << 10) /* growth after which the mapping is released */

void store_map_find(struct store *store)
{
    char line[4096];
    struct stat data;
    FILE *maps;
    int fd;

    if (mdb_env_get_fd(store->env, &fd) != 0 || fstat(fd, &data) != 0) return;
    maps = fopen("/proc/self/maps", "re");
    if (maps == NULL) return;
    while (store->map == NULL && fgets(line, sizeof(line), maps) != NULL) {
        unsigned long long begin, inode;
        unsigned major_number, minor_number;

        if (sscanf(line, "%llx-%*x %*s %*s %x:%x %llu", &begin, &major_number, &minor_number,
                   &inode) == 4 &&
            inode == data.st_ino && makedev(major_number, minor_number) == data.st_dev) {
            store->map = (void *)(uintptr_t)begin;
        }
    }
    (void)fclose(maps);
}

void store_map_release(struct store *store)
{
    MDB_envinfo info;
    MDB_stat stat;
    uint64_t used_bytes;

    if (store->map == NULL || mdb_env_info(store->env, &info) != 0 ||
        mdb_env_stat(store->env, &stat) != 0) {
        return;
    }
    used_bytes = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
    if (used_bytes < store->released_bytes + RELEASE_EVERY_BYTES) return;
    (void)madvise(store->map, used_bytes, MADV_DONTNEED);   /* advice: nothing to mend */
    store->released_bytes = used_bytes;
}
