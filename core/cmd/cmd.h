/* core/cmd/cmd.h: the sub-commands, and what they share. */
#ifndef ES_CMD_CMD_H
#define ES_CMD_CMD_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/ops/config.h"

/* Exit codes, documented in docs/commands.md. */
enum { ES_EXIT_OK = 0, ES_EXIT_FAILED = 1, ES_EXIT_USAGE = 2, ES_EXIT_LEADERSHIP_LOST = 3 };

struct es_command {
    const char *name, *summary;
    /* argv[0] is the command's own name. Returns the exit code. */
    int (*run)(int argc, char **argv);
};

int es_cmd_run(int argc, char **argv);
int es_cmd_local(int argc, char **argv);
int es_cmd_render(int argc, char **argv);
int es_cmd_crds(int argc, char **argv);
int es_cmd_preflight(int argc, char **argv);
int es_cmd_plugins(int argc, char **argv);
int es_cmd_version(int argc, char **argv);

/* "esod: SENTENCE" on stderr; returns ES_EXIT_USAGE for what the user has to
 * change, else ES_EXIT_FAILED. */
int es_complain(const struct es_error *err);

/* Was --help or -h given? */
bool es_wants_help(int argc, char **argv);

/* Prints usage, flags of the config table (command: ES_FOR_*), and the text
 * behind them (may be NULL). */
void es_print_help(const char *usage, unsigned command, const char *more);

/* If argv[*i] is -o, -o=WORD, --output or --output=WORD: the word, NULL when it is missing;
 * *i is moved to what was read last. "" if it is something else. */
const char *es_read_output(int argc, char **argv, int *i);

/* A document for programs, on stdout. NULL is out of memory. */
int es_print_json(json_t *take_document, struct es_error *err);

/* Everything on stdout went through? Otherwise complains, unless the reader has
 * just had enough (| head). */
int es_flush_stdout(void);

/* Log settings of a config; `level` where it names none. The default format
 * depends on the terminal. */
void es_log_from_config(const struct es_config *c, enum es_log_level level);

#endif
