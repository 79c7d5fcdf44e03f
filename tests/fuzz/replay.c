/*
 * Runs one fuzz target over every file of the directories given: how ctest replays a corpus without
 * a fuzzer. Ends with 1 when there was nothing to run.
 */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_LEN_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Into a block of exactly the file's size, so that a sanitizer sees every octet read too far. */
static int replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size == 0 ? 1 : size);
    int done = 0;

    if (file != NULL && data != NULL && fread(data, 1, size, file) == size) {
        (void)LLVMFuzzerTestOneInput(data, size);
        done = 1;
    } else {
        (void)fprintf(stderr, "cannot read %s\n", path);
    }
    if (file != NULL) (void)fclose(file);
    free(data);
    return done;
}

/* Files replayed, -1 when one could not be. */
static int replay_directory(const char *directory)
{
    DIR *dir = opendir(directory);
    const struct dirent *entry;
    int count = 0;

    if (dir == NULL) {
        perror(directory);
        return -1;
    }
    while (count >= 0 && (entry = readdir(dir)) != NULL) {
        char path[PATH_LEN_MAX];
        struct stat info;
        int len = snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);

        if (strcmp(entry->d_name, "SOURCE") == 0) continue;
        if (len < 0 || (size_t)len >= sizeof(path) || stat(path, &info) != 0) {
            count = -1;
        } else if (S_ISREG(info.st_mode)) {
            count = replay_file(path, (size_t)info.st_size) == 1 ? count + 1 : -1;
        }
    }
    (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;

    for (int i = 1; i < argc; i++) {
        int count = replay_directory(argv[i]);

        if (count < 0) return 1;
        total += count;
    }
    (void)printf("%d inputs replayed\n", total);
    return total > 0 ? 0 : 1;
}
