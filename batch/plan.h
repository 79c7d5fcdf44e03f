/*
 * A plan: the table of profiles a job's requests may name, compiled and frozen before the first
 * request is read. Shared as const by all threads of a run.
 */
#ifndef BATCH_PLAN_H
#define BATCH_PLAN_H

#include "batch/registry_ca.h"

#define BATCH_PROFILES_MAX 256

struct batch_profile {
    const struct ca_profile *profile;
    const struct batch_issuer *issuer;      /* the key inside is copied by each worker */
    uint64_t id;                            /* first eight octets of the profile's hash */
};

struct batch_plan {
    const struct batch_profile *profiles;
    size_t profile_count;                   /* 1..BATCH_PROFILES_MAX */
    uint32_t job;                           /* 0: a single issue, no result rows */
    const uint64_t *seed;                   /* tests only */
};

/* The first eight octets of a profile's hash. */
static inline uint64_t batch_profile_id(const uint8_t hash[SCHEMA_HASH_LEN])
{
    return ca_get_u64(hash);
}

#endif
