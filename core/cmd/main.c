/* esod: one program, a sub-command for each thing that it does. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/cmd/cmd.h"
#include "core/cmd/complete.h"
#include "core/cmd/manual.h"

const struct es_command *const es_commands[] = {
    &es_command_run,        &es_command_local,   &es_command_render,
    &es_command_preflight,  &es_command_crds,    &es_command_plugins,
    &es_command_completion, &es_command_version, NULL,
};

const struct es_command *es_command_find(const char *name)
{
    for (const struct es_command *const *c = es_commands; *c; c++)
        if (es_streq(name, (*c)->name))
            return *c;
    return NULL;
}

int es_complain(const struct es_error *err)
{
    fprintf(stderr, "esod: %s\n", *err->text ? err->text : es_code_name(err->code));
    return err->code == ES_E_CONFIG ? ES_EXIT_USAGE : ES_EXIT_FAILED;
}

int es_print_json(json_t *take_document, struct es_error *err)
{
    if (!take_document)
        return es_error_nomem(err);
    json_dumpf(take_document, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(take_document);
    return 0;
}

int es_flush_stdout(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return ES_EXIT_OK;
    if (errno != EPIPE)
        fprintf(stderr, "esod: standard output: %s\n", strerror(errno));
    return ES_EXIT_FAILED;
}

int es_end_command(int rc, bool bad, const struct es_error *err)
{
    if (rc < 0)
        return es_complain(err);
    int flushed = es_flush_stdout();
    return bad ? ES_EXIT_FAILED : flushed;
}

const char *es_read_output(int argc, char **argv, int *i)
{
    const char *a = argv[*i];

    if (es_str_starts(a, "--output=") || es_str_starts(a, "-o="))
        return strchr(a, '=') + 1;
    if (!es_streq(a, "-o") && !es_streq(a, "--output"))
        return "";
    return *i + 1 < argc ? argv[++*i] : NULL;
}

void es_log_from_config(const struct es_config *c, enum es_log_level level)
{
    bool terminal = isatty(STDERR_FILENO);
    bool console = c->log_format ? es_streq(c->log_format, "console") : terminal;

    if (c->log_level)
        level = (enum es_log_level)es_log_level_parse(c->log_level);
    es_log_init(&(struct es_log_opts){.level = level,
                                      .format = console ? ES_LOG_CONSOLE : ES_LOG_JSON,
                                      .time = console && es_streq(c->log_time, "epoch")
                                                  ? ES_TIME_ISO8601
                                                  : (enum es_log_time)es_log_time_parse(c->log_time),
                                      .color = console && terminal,
                                      .fd = STDERR_FILENO});
}

/* Whoever starts us may have closed these. What is opened next would get their
 * numbers, and a log line would end up in a connection. Writes to what stands in
 * for them fail, as they should. */
static void occupy_standard_streams(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static int no_such_command(const char *name)
{
    fprintf(stderr, "esod: there is no command \"%s\"\n\n", name);
    es_print_usage(stderr);
    return ES_EXIT_USAGE;
}

/* `esod help COMMAND` */
static int help_about(const char *name)
{
    const struct es_command *c = es_command_find(name);

    return c ? es_print_help(c) : no_such_command(name);
}

int main(int argc, char **argv)
{
    occupy_standard_streams();
    es_mem_init();
    /* A reader that has gone away must end a write, not the daemon. */
    signal(SIGPIPE, SIG_IGN);
    /* Whoever started us may not have cared how children end; we do. */
    signal(SIGCHLD, SIG_DFL);
    if (argc < 2) {
        es_print_usage(stderr);
        return ES_EXIT_USAGE;
    }
    const struct es_command *c = es_command_find(argv[1]);
    if (c)
        return c->run(argc - 1, argv + 1);
    if (es_streq(argv[1], ES_CMD_COMPLETE))
        return es_complete(argc - 2, argv + 2);
    if (es_streq(argv[1], ES_CMD_MANUAL))
        return es_manual(argc - 2, argv + 2);
    if (es_streq(argv[1], "help") && argc > 2)
        return help_about(argv[2]);
    if (es_streq(argv[1], "--help") || es_streq(argv[1], "-h") || es_streq(argv[1], "help")) {
        es_print_usage(stdout);
        return es_flush_stdout();
    }
    if (es_streq(argv[1], "--version"))
        return es_command_version.run(argc - 1, argv + 1);
    return no_such_command(argv[1]);
}
