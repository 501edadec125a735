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

#define HELP_MAX ((size_t)64 << 10)

static const struct es_command commands[] = {
    {"run", "serve a Kubernetes cluster", es_cmd_run},
    {"local", "sync a folder of manifests, without a cluster", es_cmd_local},
    {"render", "render a template with given values, without a cluster", es_cmd_render},
    {"preflight", "ask a cluster what could be wrong before esod runs there", es_cmd_preflight},
    {"crds", "print or install the CustomResourceDefinitions for the installed plugins", es_cmd_crds},
    {"plugins", "list the plugins and what they can do", es_cmd_plugins},
    {"version", "print the version", es_cmd_version},
};
#define COMMANDS (sizeof commands / sizeof *commands)

int es_complain(const struct es_error *err)
{
    fprintf(stderr, "esod: %s\n", *err->text ? err->text : es_code_name(err->code));
    return err->code == ES_E_CONFIG ? ES_EXIT_USAGE : ES_EXIT_FAILED;
}

bool es_wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (es_streq(argv[i], "--help") || es_streq(argv[i], "-h"))
            return true;
    return false;
}

void es_print_help(const char *usage, unsigned command, const char *more)
{
    struct es_buf out;

    es_buf_init(&out, HELP_MAX);
    es_buf_addf(&out, "%s\nFlags:\n", usage);
    if (command)
        es_config_help(&out, command);
    es_buf_addf(&out, "  %-34s %s\n", "--help", "This text.");
    if (more)
        es_buf_adds(&out, more);
    fputs(es_buf_str(&out), stdout);
    es_buf_fini(&out);
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

static void print_usage(FILE *to)
{
    fputs("Usage: esod COMMAND [FLAGS]\n\n"
          "Keeps Kubernetes Secrets in step with what is kept elsewhere.\n\nCommands:\n",
          to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`esod COMMAND --help` tells about one of them.\n", to);
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

/* `esod help COMMAND` */
static int help_about(const char *name)
{
    char *argv[] = {(char *)(uintptr_t)name, (char *)(uintptr_t) "--help", NULL};

    for (size_t i = 0; i < COMMANDS; i++)
        if (es_streq(name, commands[i].name))
            return commands[i].run(2, argv);
    fprintf(stderr, "esod: there is no command \"%s\"\n\n", name);
    print_usage(stderr);
    return ES_EXIT_USAGE;
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
        print_usage(stderr);
        return ES_EXIT_USAGE;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (es_streq(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    if (es_streq(argv[1], "help") && argc > 2)
        return help_about(argv[2]);
    if (es_streq(argv[1], "--help") || es_streq(argv[1], "-h") || es_streq(argv[1], "help")) {
        print_usage(stdout);
        return es_flush_stdout();
    }
    if (es_streq(argv[1], "--version"))
        return es_cmd_version(argc - 1, argv + 1);
    fprintf(stderr, "esod: there is no command \"%s\"\n\n", argv[1]);
    print_usage(stderr);
    return ES_EXIT_USAGE;
}
