/*
 * Presets: templates of ours that ship as files (tools/share/templates) and are built in, so that
 * `--template device` works wherever the program is.
 *
 * Thread: constant data.
 */
#ifndef ENGINE_PRESET_H
#define ENGINE_PRESET_H

#include "engine/bytes.h"

size_t ca_preset_count(void);
/* In the order of their names. index is below the count. */
void ca_preset_at(size_t index, const char **name, struct ca_bytes *json);
bool ca_preset_find(const char *name, struct ca_bytes *json);

#endif
