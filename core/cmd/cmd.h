/* core/cmd/cmd.h: the sub-commands, and what they share. */
#ifndef ES_CMD_CMD_H
#define ES_CMD_CMD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/usage.h"
#include "core/ops/config.h"

/* Exit codes, documented in docs/commands.md. */
enum { ES_EXIT_OK = 0, ES_EXIT_FAILED = 1, ES_EXIT_USAGE = 2, ES_EXIT_LEADERSHIP_LOST = 3 };

/* A sub-command, and what people are told about it: by --help, its man page, completion. */
struct es_command {
    const char *name, *summary;
    const char *usage;           /* a line for each way to call it: "esod crds [FLAGS]" */
    const char *about;           /* sentences; a newline is a space, two part paragraphs */
    unsigned settings;           /* ES_FOR_*: the flags of the configuration that it takes */
    const struct es_flag *flags; /* those of its own, a NULL name at the end; or NULL */
    const char *operands;        /* what else it takes, in the words of struct es_flag's `value`; or NULL */
    /* argv[0] is the command's own name. Returns the exit code. */
    int (*run)(int argc, char **argv);
};

extern const struct es_command es_command_run, es_command_local, es_command_render, es_command_preflight,
    es_command_crds, es_command_plugins, es_command_completion, es_command_version;

/* All of them, in the order of --help; NULL at the end. */
extern const struct es_command *const es_commands[];
const struct es_command *es_command_find(const char *name); /* NULL: there is none */

/* Every flag of a command: its own, those of the configuration, --help. `*at` is 0 at first;
 * false: that was the last one. */
bool es_command_next_flag(const struct es_command *c, size_t *at, struct es_flag *ret);

/* "esod: SENTENCE" on stderr; returns ES_EXIT_USAGE for what the user has to
 * change, else ES_EXIT_FAILED. */
int es_complain(const struct es_error *err);

/* Was --help or -h given? */
bool es_wants_help(int argc, char **argv);

extern const char es_about[]; /* what esod is for, in a sentence */

/* What `esod --help` prints. */
void es_print_usage(FILE *to);

/* What --help of a command prints, on stdout. Returns the exit code. */
int es_print_help(const struct es_command *c);

/* If argv[*i] is -o, -o=WORD, --output or --output=WORD: the word, NULL when it is missing;
 * *i is moved to what was read last. "" if it is something else. */
const char *es_read_output(int argc, char **argv, int *i);

/* A document for programs, on stdout. NULL is out of memory. */
int es_print_json(json_t *take_document, struct es_error *err);

/* Everything on stdout went through? Otherwise complains, unless the reader has
 * just had enough (| head). */
int es_flush_stdout(void);

/* How a command ends that has printed what it found: complains of `err` if rc < 0, and sees
 * to it that all of stdout went through. `bad`: what was found is a failure. Returns the exit code. */
int es_end_command(int rc, bool bad, const struct es_error *err);

/* Log settings of a config; `level` where it names none. The default format
 * depends on the terminal. */
void es_log_from_config(const struct es_config *c, enum es_log_level level);

#endif
