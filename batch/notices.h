/*
 * A job's notices in words (engine/notice.h): what its summary lists.
 *
 * Appends to a buffer; any thread.
 */
#ifndef BATCH_NOTICES_H
#define BATCH_NOTICES_H

#include "io/schema.h"

/* A JSON list of one sentence for each notice of the job's row, "CODE: TEXT (RULE)", with the
 * counts where the row has them; [] when there are none. */
void batch_notices_append_json(const struct schema_job *row, struct ca_buf *out);

#endif
