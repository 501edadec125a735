/* core/cmd/verify.h: are the plugins' files the ones that the configuration pins? */
#ifndef ES_CMD_VERIFY_H
#define ES_CMD_VERIFY_H

#include <stdbool.h>

#include "core/base/error.h"
#include "core/ops/config.h"

/* Looks at each plugin that the configuration lists, or at all that are
 * installed, without loading any, and prints what it finds. *ret_bad: one
 * differs from its pin, is missing or cannot be read; why is on stderr. */
int es_verify_plugins(const struct es_config *config, bool json, bool *ret_bad, struct es_error *err);

#endif
