/* esod completion: a script that teaches a shell to complete the command line. */
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/cmd/cmd.h"

extern const char completion_bash[], completion_zsh[], completion_fish[];

static const struct {
    const char *shell, *script;
} scripts[] = {{"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};
#define SCRIPTS (sizeof scripts / sizeof *scripts)

static int cmd_completion(int argc, char **argv)
{
    struct es_error err = ES_ERROR_INIT;

    if (es_wants_help(argc, argv))
        return es_print_help(&es_command_completion);
    for (size_t i = 0; argc == 2 && i < SCRIPTS; i++)
        if (es_streq(argv[1], scripts[i].shell)) {
            fputs(scripts[i].script, stdout);
            return es_flush_stdout();
        }
    if (argc < 2)
        es_error_set(&err, ES_E_CONFIG,
                     "completion: for which shell? bash, zsh or fish; see esod completion --help");
    else if (argc > 2)
        es_error_set(&err, ES_E_CONFIG, "completion: one shell, not both \"%s\" and \"%s\"", argv[1],
                     argv[2]);
    else
        es_error_set(&err, ES_E_CONFIG,
                     "completion: there is a script for bash, zsh and fish, not for \"%s\"", argv[1]);
    return es_complain(&err);
}

/* ---- what people are told ---- */

const struct es_command es_command_completion = {
    .name = "completion",
    .summary = "print a script that makes a shell complete the command line",
    .usage = "esod completion bash|zsh|fish",
    .about =
        "The Debian package has these scripts where the shells look for them. Elsewhere, for this shell and\n"
        "the next ones: in bash `eval \"$(esod completion bash)\"` in ~/.bashrc; in zsh\n"
        "`source <(esod completion zsh)` in ~/.zshrc, behind compinit; in fish\n"
        "`esod completion fish > ~/.config/fish/completions/esod.fish`.",
    .operands = "bash|zsh|fish",
    .run = cmd_completion,
};
