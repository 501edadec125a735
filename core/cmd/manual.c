#include "core/cmd/manual.h"

#include <stdio.h>
#include <string.h>

#include "core/base/manpage.h"
#include "core/base/text.h"
#include "core/cmd/cmd.h"

#define PAGE_MAX ((size_t)256 << 10)
#define SOURCE "esod " ESOD_VERSION

/* ---- what esod(1) alone tells; docs/commands.md and docs/configuration.md have the same ---- */

struct row {
    const char *term, *text;
};

static const struct row exit_codes[] = {
    {"0", "done; for `run`: ended by SIGTERM or SIGINT"},
    {"1",
     "tried and failed: an ExternalSecret could not be synced, an output could not be written, a plugin's "
     "file is not the one that is pinned (`plugins verify`), a check failed (`preflight`), a definition is "
     "not "
     "in place (`crds --apply`)"},
    {"2",
     "wrong use: an unknown command or flag, a wrong setting, a plugin that cannot be loaded, an address "
     "that is taken. Nothing will change until somebody changes it"},
    {"3",
     "`run`: this replica was the leader and cannot be sure of it any more. Started again it is a standby"},
    {0},
};

static const struct row environment[] = {
    {"KUBECONFIG", "kubeconfig files, as kubectl reads them"},
    {"HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "proxies for providers and the API server"},
    {"SSL_CERT_FILE", "certificate authorities to trust instead of the system's"},
    {"ESOD_DEBUGGABLE", "when set, core dumps and debuggers are allowed. They see secrets"},
    {0},
};

static const struct row files[] = {
    {"/etc/esod/esod.yaml", "settings of `esod run`, where it is not told another file with `--config`; "
                            "see `esod.yaml`(5)"},
    {"/usr/lib/esod/plugins", "the plugins of an esod that is installed in /usr"},
    {"/usr/share/doc/esod",
     "everything else that there is to read, among it an example of the configuration"},
    {0},
};

static void add_rows(struct es_buf *out, const char *title, const struct row *rows)
{
    es_man_heading(out, title);
    for (; rows->term; rows++) {
        es_man_item(out, rows->term);
        es_man_text(out, rows->text);
    }
}

static void add_see_also(struct es_buf *out, const char *text)
{
    es_man_heading(out, "SEE ALSO");
    es_man_text(out, text);
}

/* ---- the pages ---- */

static void write_overview(struct es_buf *out)
{
    es_man_begin(out, "esod", 1, SOURCE, "an External Secrets operator for Kubernetes");
    es_man_synopsis(out, "esod COMMAND [FLAGS]\nesod COMMAND --help\nesod --version");
    es_man_heading(out, "DESCRIPTION");
    es_man_text(out, es_about);
    es_man_heading(out, "COMMANDS");
    for (const struct es_command *const *c = es_commands; *c; c++) {
        es_man_item(out, (*c)->name);
        es_man_text(out, (*c)->summary);
    }
    add_rows(out, "EXIT STATUS", exit_codes);
    add_rows(out, "ENVIRONMENT", environment);
    add_rows(out, "FILES", files);
    es_man_heading(out, "SEE ALSO");
    for (const struct es_command *const *c = es_commands; *c; c++) {
        es_buf_adds(out, "\\fBesod\\-");
        es_man_words(out, (*c)->name);
        es_buf_adds(out, "\\fR(1),\n");
    }
    es_man_text(out, "`esod.yaml`(5), `kubectl`(1)");
}

static void write_command(struct es_buf *out, const struct es_command *c)
{
    struct es_flag f;
    char name[64];

    snprintf(name, sizeof name, "esod-%s", c->name);
    es_man_begin(out, name, 1, SOURCE, c->summary);
    es_man_synopsis(out, c->usage);
    es_man_heading(out, "DESCRIPTION");
    es_man_text(out, c->about);
    es_man_heading(out, "OPTIONS");
    for (size_t at = 0; es_command_next_flag(c, &at, &f);)
        es_man_flag(out, &f);
    add_see_also(out, c->settings ? "`esod`(1), `esod.yaml`(5)" : "`esod`(1)");
}

static void add_key(struct es_buf *out, const struct es_config_key *k)
{
    es_man_item(out, k->name);
    es_man_text(out, k->help);
    if (k->type)
        es_buf_addf(out, ".br\nA %s", k->type);
    if (k->type && *k->fallback) {
        es_buf_adds(out, "; default: ");
        es_man_words(out, k->fallback);
    }
    if (k->flag) {
        es_buf_adds(out, "; flag: \\fB\\-\\-");
        es_man_words(out, k->flag);
        es_buf_adds(out, "\\fR.\n");
    }
}

static void write_file(struct es_buf *out)
{
    struct es_config_key k;

    es_man_begin(out, "esod.yaml", 5, SOURCE, "settings of esod");
    es_man_heading(out, "DESCRIPTION");
    es_man_text(
        out,
        "A YAML file with the keys below. `esod run` reads /etc/esod/esod.yaml if it is there, and every "
        "command with settings the file that `--config` names. A flag wins over the file, and the file "
        "over the default. Durations are written like 90s, 5m or 1h30m, and paths are relative to the "
        "folder of the file. Unknown keys are errors.");
    es_man_heading(out, "SETTINGS");
    for (size_t at = 0; es_config_next_key(&at, &k);)
        add_key(out, &k);
    es_man_heading(out, "ENTRIES OF PLUGINS");
    es_man_text(out, "An entry is a name, a path with a slash in it, or a mapping with these keys:");
    for (size_t at = 0; es_config_next_plugin_key(&at, &k);)
        add_key(out, &k);
    add_rows(out, "FILES", files);
    add_see_also(out, "`esod`(1), `esod-run`(1), `esod-plugins`(1)");
}

/* ---- which one? ---- */

static void list_pages(void)
{
    puts("esod.1\nesod.yaml.5");
    for (const struct es_command *const *c = es_commands; *c; c++)
        printf("esod-%s.1\n", (*c)->name);
}

static const struct es_command *command_of_page(const char *page)
{
    char name[64];
    size_t len = strlen(page);

    if (!es_str_starts(page, "esod-") || !es_str_ends(page, ".1") || len >= sizeof name)
        return NULL;
    snprintf(name, sizeof name, "%.*s", (int)(len - strlen("esod-.1")), page + strlen("esod-"));
    return es_command_find(name);
}

int es_manual(int count, char **words)
{
    struct es_buf out;

    if (count == 0) {
        list_pages();
        return es_flush_stdout();
    }
    const struct es_command *c = command_of_page(words[0]);
    es_buf_init(&out, PAGE_MAX);
    if (c)
        write_command(&out, c);
    else if (es_streq(words[0], "esod.1"))
        write_overview(&out);
    else if (es_streq(words[0], "esod.yaml.5"))
        write_file(&out);
    else
        fprintf(stderr, "esod: there is no page %s; without a name, all are listed\n", words[0]);
    int code = out.len ? ES_EXIT_OK : ES_EXIT_USAGE;
    fputs(es_buf_str(&out), stdout);
    es_buf_fini(&out);
    int flushed = es_flush_stdout();
    return code ? code : flushed;
}
