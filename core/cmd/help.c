/* --help. */
#include <stdint.h>
#include <stdio.h>

#include "core/base/text.h"
#include "core/cmd/cmd.h"

#define HELP_MAX ((size_t)64 << 10)

const char es_about[] = "Keeps Kubernetes Secrets in step with what is kept elsewhere.";

static const struct es_flag help_flag = {.name = "help", .letter = 'h', .help = "This text."};

bool es_wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (es_streq(argv[i], "--help") || es_streq(argv[i], "-h"))
            return true;
    return false;
}

/* Its own flags have the lowest numbers, those of the configuration come behind them. */
bool es_command_next_flag(const struct es_command *c, size_t *at, struct es_flag *ret)
{
    size_t own = 0;

    if (*at == SIZE_MAX)
        return false;
    while (c->flags && c->flags[own].name)
        own++;
    if (*at < own) {
        *ret = c->flags[(*at)++];
        return true;
    }
    size_t setting = *at - own;
    if (es_config_next_flag(&setting, c->settings, ret)) {
        *at = own + setting;
        return true;
    }
    *ret = help_flag;
    *at = SIZE_MAX;
    return true;
}

int es_print_help(const struct es_command *c)
{
    struct es_flag f;
    struct es_buf out;

    es_buf_init(&out, HELP_MAX);
    es_usage_lines(&out, c->usage);
    es_buf_addf(&out, "\n%s\n\nFlags:\n", c->about);
    for (size_t at = 0; es_command_next_flag(c, &at, &f);)
        es_flag_line(&out, &f);
    fputs(es_buf_str(&out), stdout);
    es_buf_fini(&out);
    return es_flush_stdout();
}

void es_print_usage(FILE *to)
{
    fprintf(to, "Usage: esod COMMAND [FLAGS]\n\n%s\n\nCommands:\n", es_about);
    for (const struct es_command *const *c = es_commands; *c; c++)
        fprintf(to, "  %-11s %s\n", (*c)->name, (*c)->summary);
    fputs("\n`esod COMMAND --help` tells about one of them.\n", to);
}
