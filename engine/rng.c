#include "engine/rng.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define POOL_OCTETS 4096
#define DRAW_MAX 32

/* Mapped, not allocated: the kernel empties the pages in a child process (MADV_WIPEONFORK), so a
 * child finds left == 0 and draws octets of its own. Asking getpid() before every draw would be a
 * system call per certificate; it is the fallback where the kernel knows no such advice. */
struct pool {
    uint32_t left;                  /* octets not yet handed out, at the end of octets[] */
    uint8_t octets[POOL_OCTETS];
};

struct ca_rng {
    struct ca_crypto *crypto;
    struct pool *pool;              /* NULL in a seeded generator */
    bool wiped_on_fork;
    pid_t filled_by;                /* looked at only when !wiped_on_fork */
    uint64_t seed;
};

static enum ca_status map_pool(struct ca_rng *rng, struct ca_error *err)
{
    void *at = mmap(NULL, sizeof(*rng->pool), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                    -1, 0);

    if (at == MAP_FAILED) return ca_fail(err, CA_NOMEM, "no memory for a pool of random octets");
    rng->pool = at;                 /* zeroed: nothing left */
    rng->wiped_on_fork = madvise(at, sizeof(*rng->pool), MADV_WIPEONFORK) == 0;
    (void)madvise(at, sizeof(*rng->pool), MADV_DONTDUMP);   /* a courtesy; cores hold no secret */
    return CA_OK;
}

enum ca_status ca_rng_new(struct ca_crypto *crypto, const uint64_t *seed, struct ca_rng **out,
                          struct ca_error *err)
{
    struct ca_rng *rng = calloc(1, sizeof(*rng));
    enum ca_status st = CA_OK;

    if (rng == NULL) return ca_fail(err, CA_NOMEM, "no memory for a random generator");
    rng->crypto = crypto;
    if (seed != NULL) rng->seed = *seed;
    else st = map_pool(rng, err);
    if (st != CA_OK) goto out;
    *out = rng;
    rng = NULL;                     /* the caller's now */
out:
    ca_rng_free(rng);
    return st;
}

void ca_rng_free(struct ca_rng *rng)
{
    if (rng == NULL) return;
    if (rng->pool != NULL) {
        ca_wipe(rng->pool, sizeof(*rng->pool));
        (void)munmap(rng->pool, sizeof(*rng->pool));    /* our own mapping: cannot fail */
    }
    free(rng);
}

/* A function of (seed, ordinal) alone: the same job has the same serials with any number of
 * workers. One digest is enough for the longest draw. */
static enum ca_status draw_seeded(struct ca_rng *rng, uint64_t ordinal, uint8_t *out, size_t len,
                                  struct ca_error *err)
{
    uint8_t in[16], digest[DRAW_MAX];
    enum ca_status st;

    ca_put_u64(in, rng->seed);
    ca_put_u64(in + 8, ordinal);
    st = ca_crypto_digest(rng->crypto, CA_DIGEST_SHA256, ca_bytes_of(in, sizeof(in)), digest, err);
    if (st == CA_OK) memcpy(out, digest, len);
    return st;
}

static enum ca_status refill(struct ca_rng *rng, struct ca_error *err)
{
    enum ca_status st;

    rng->pool->left = 0;            /* a failed refill leaves nothing to hand out */
    st = ca_crypto_random(rng->crypto, rng->pool->octets, POOL_OCTETS, err);
    if (st != CA_OK) return st;
    rng->pool->left = POOL_OCTETS;
    if (!rng->wiped_on_fork) rng->filled_by = getpid();
    return CA_OK;
}

enum ca_status ca_rng_draw(struct ca_rng *rng, uint64_t ordinal, uint8_t *out, size_t len,
                           struct ca_error *err)
{
    struct pool *pool = rng->pool;
    uint8_t *from;

    assert(len <= DRAW_MAX);
    if (pool == NULL) return draw_seeded(rng, ordinal, out, len, err);
    if (pool->left < len || (!rng->wiped_on_fork && getpid() != rng->filled_by)) {
        enum ca_status st = refill(rng, err);

        if (st != CA_OK) return st;
    }
    from = pool->octets + (POOL_OCTETS - pool->left);
    memcpy(out, from, len);
    ca_wipe(from, len);             /* drawn octets are in no memory of ours but the caller's */
    pool->left -= (uint32_t)len;
    return CA_OK;
}
