#include "batch/publish.h"

#include "batch/resume.h"

#include <stdlib.h>
#include <string.h>

#define RING_DEPTH 64
#define GROUPS_PER_SYNC 32

struct batch_publish {
    struct batch_publish_spec spec;
    struct ring *ring;
    struct outbox *outbox;
    struct ca_buf scratch;
    uint64_t done;                  /* ordinals appended */
    unsigned groups;                /* since the last sync */
    bool broken;
};

static enum ca_status sync_files(struct batch_publish *publish, struct ca_error *err)
{
    struct batch_published published = { .done = publish->done };
    enum ca_status st = outbox_sync(publish->outbox, &published.lengths, err);

    if (st != CA_OK) return st;
    publish->groups = 0;
    publish->spec.synced(publish->spec.ctx, &published);
    return CA_OK;
}

static enum ca_status open_outbox(struct batch_publish *publish, struct ca_error *err)
{
    const struct batch_job *job = publish->spec.job;
    char tag[37];
    struct outbox_spec spec = {
        .dir = job->out_dir, .job = tag, .resume = !publish->spec.fresh,
        .finishing = job->row.finishing,
    };
    enum ca_status st;

    batch_uuid_format(job->row.uuid, tag);
    memcpy(spec.lengths.octets, job->row.out_lengths, sizeof(spec.lengths.octets));
    publish->done = job->row.out_done;
    st = outbox_open(publish->ring, &spec, &publish->outbox, err);
    if (st != CA_CORRUPT || publish->spec.fresh) return st;
    /* The part files are shorter than the store says, or gone (another directory): all of them
     * again, from the store. */
    memset(&spec.lengths, 0, sizeof(spec.lengths));
    publish->done = 0;
    return outbox_open(publish->ring, &spec, &publish->outbox, err);
}

static enum ca_status open_all(struct batch_publish *publish, struct ca_error *err)
{
    const struct batch_publish_spec *spec = &publish->spec;
    uint64_t committed = spec->job->row.done;
    enum ca_status st =
        ring_open(spec->no_uring ? RING_PLAIN : RING_AUTO, RING_DEPTH, &publish->ring, err);

    if (st == CA_OK) st = open_outbox(publish, err);
    if (st != CA_OK || spec->fresh) return st;
    if (publish->done < committed)
        st = batch_resume_fill(spec->store, spec->job, publish->done, committed, spec->stopping,
                               spec->ctx, publish->outbox, err);
    publish->done = committed;
    return st == CA_OK ? sync_files(publish, err) : st;
}

enum ca_status batch_publish_open(const struct batch_publish_spec *spec,
                                  struct batch_publish **out, struct ca_error *err)
{
    struct batch_publish *publish = calloc(1, sizeof(*publish));
    enum ca_status st;

    if (publish == NULL) return ca_fail(err, CA_NOMEM, "no memory for the outputs");
    publish->spec = *spec;
    ca_buf_init(&publish->scratch, 2 * CA_CERT_DER_MAX);
    st = open_all(publish, err);
    if (st != CA_OK) {
        batch_publish_close(publish);
        return st;
    }
    *out = publish;
    return CA_OK;
}

void batch_publish_discard(struct batch_publish *publish)
{
    if (publish == NULL) return;
    outbox_discard(publish->outbox);
    publish->outbox = NULL;
    batch_publish_close(publish);
}

void batch_publish_close(struct batch_publish *publish)
{
    if (publish == NULL) return;
    outbox_close(publish->outbox);
    ring_close(publish->ring);
    ca_buf_clear(&publish->scratch);
    free(publish);
}

static enum ca_status put_files(struct batch_publish *publish, const struct batch_chunk *chunk,
                                struct ca_error *err)
{
    for (uint32_t i = 0; i < chunk->count; i++) {
        const struct batch_item *item = &chunk->items[i];
        enum ca_status st;

        if (item->refused) continue;
        st = batch_put_cert_file(publish->outbox, item->serial.octets,
                                 ca_bytes_of(chunk->certs.data + item->slot.der_offset,
                                             item->slot.der_len),
                                 &publish->scratch, err);
        if (st != CA_OK) return st;
    }
    return CA_OK;
}

static enum ca_status append_chunk(struct batch_publish *publish, const struct batch_chunk *chunk,
                                   struct ca_error *err)
{
    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) {
        enum ca_status st = outbox_append(publish->outbox, (enum outbox_file)i,
                                          ca_buf_view(&chunk->out[i]), err);
        if (st != CA_OK) return st;
    }
    if (publish->spec.job->per_file) {
        enum ca_status st = put_files(publish, chunk, err);

        if (st != CA_OK) return st;
    }
    publish->done = chunk->first_ordinal + chunk->count;
    if (!chunk->last_of_group || ++publish->groups < GROUPS_PER_SYNC) return CA_OK;
    return sync_files(publish, err);
}

uint64_t batch_publish_run(struct batch_publish *publish, uint64_t *done)
{
    struct batch_chunk *chunk;
    struct ca_error err;
    uint64_t chunks = 0;

    while ((chunk = batch_queue_pop(publish->spec.outbox)) != NULL) {
        chunks++;
        if (!publish->broken && append_chunk(publish, chunk, &err) != CA_OK) {
            publish->broken = true;
            publish->spec.failed(publish->spec.ctx, &err);
        }
        /* Returned even when nothing can be written any more, so that nobody waits for ever. The
         * queue is closed when the run is stopping. */
        (void)batch_queue_push(publish->spec.free, chunk);
    }
    if (!publish->broken && sync_files(publish, &err) != CA_OK) {
        publish->broken = true;
        publish->spec.failed(publish->spec.ctx, &err);
    }
    *done = publish->done;
    return chunks;
}

enum ca_status batch_publish_finish(struct batch_publish *publish, struct ca_bytes summary,
                                    struct ca_error *err)
{
    return outbox_finish(publish->outbox, summary, err);
}

uint64_t batch_publish_syncs(const struct batch_publish *publish)
{
    return outbox_sync_count(publish->outbox);
}
