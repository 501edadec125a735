/* core/check/print.h: results for people and for machines. */
#ifndef ES_CHECK_PRINT_H
#define ES_CHECK_PRINT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/check/options.h"
#include "core/check/run.h"

/* A line for a check, and its sentences; on stdout. `strict`: a warning is a failure. */
void es_print_result(const struct es_result *r, bool color);
void es_print_summary(const struct es_result *results, size_t count, bool strict);

/* Whole files. ES_E_CONFIG, naming the file, when it cannot be written. */
int es_write_json(const char *file, const char *plugin, const struct es_result *results, size_t count,
                  struct es_error *err);
int es_write_junit(const char *file, const char *plugin, const struct es_result *results, size_t count,
                   bool strict, struct es_error *err);

#endif
