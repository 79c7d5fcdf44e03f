/*
 * The options that say what certificates look like, shared by issue, explain and batch run:
 * --template, --api-passthrough, --blocklist, --strict-passthrough.
 *
 * --template takes a row of the catalogue (by name or ARN), a preset by name, or a file: what has a
 * "/" in it that is no ARN and no "/V1", or ends in .json.
 *
 * Thread: the main thread only.
 */
#ifndef TOOLS_TERMS_H
#define TOOLS_TERMS_H

#include "tools/cli.h"

#include "batch/terms.h"

/* Rows of a command's option table. */
#define TERMS_OPTIONS                                                                              \
    { "template", "T", 0, "template: a name, an ARN or a .json file (EndEntityCertificate)", 0 },  \
    { "api-passthrough", "F", 0, "ApiPassthrough, AWS's JSON: names and extensions to write", 0 }, \
    { "strict-passthrough", NULL, 0, "refuse what would be asked for and ignored", 0 },            \
    { "blocklist", "F", 0, "key hashes that get no certificate, sorted, one a line", 0 }

/* The files behind the options. */
struct terms {
    struct batch_terms_spec spec;   /* views into the buffers and the command line */
    struct ca_buf template_json, api_json;
};

/* Reads the files and looks at what is in them, so that a mistake is told with the file's name.
 * terms is initialised here, and cleared by the caller in any case. */
CA_MUST_CHECK enum ca_status terms_read(struct cli *cli, struct terms *terms,
                                        struct ca_error *err);
void terms_clear(struct terms *terms);

/* True when the text names a template's file and no row of the catalogue. */
bool terms_is_file(const char *tmpl);

#endif
