/*
 * Reading name rules from a template's "subject" and "san" (engine/name_rules.h). Private to
 * engine: shows jansson's types.
 */
#ifndef ENGINE_NAME_RULES_JSON_H
#define ENGINE_NAME_RULES_JSON_H

#include "engine/finding.h"
#include "engine/name_rules.h"

#include <jansson.h>

/* subject, san: the members' values, or NULL. Every mistake is added to findings with its path
 * ("subject.attributes.CN.pattern"); *out is NULL when both are NULL, and after mistakes.
 * CA_REFUSED "template" when there were any; CA_NOMEM. */
CA_MUST_CHECK enum ca_status ca_name_rules_parse(const json_t *subject, const json_t *san,
                                                 struct ca_findings *findings,
                                                 struct ca_name_rules **out, struct ca_error *err);

#endif
