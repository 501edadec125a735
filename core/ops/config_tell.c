/* The settings, as they are told: in --help, in the manual, in completion, in the document. */
#include "core/ops/config_own.h"

struct type_words {
    const char *value, *type; /* in --help, in the document */
    const char *words;        /* what the value is one of; NULL: `value` says it all */
};

static const struct type_words words[] = {
    [ES_SET_TEXT] = {"TEXT", "text", NULL},
    [ES_SET_PATH] = {ES_VALUE_FILE, "path", NULL},
    [ES_SET_INTEGER] = {"N", "whole number", NULL},
    [ES_SET_NUMBER] = {"N", "number", NULL},
    [ES_SET_BOOLEAN] = {"", "boolean", NULL},
    [ES_SET_DURATION] = {"DURATION", "duration", NULL},
    [ES_SET_LEVEL] = {"LEVEL", "word", "debug|info|warn|error"},
    [ES_SET_TIME_ENCODING] = {"ENCODING", "word", "epoch|millis|nano|iso8601|rfc3339|rfc3339nano"},
    [ES_SET_LOG_FORMAT] = {"FORMAT", "word", "json|console"},
    [ES_SET_DIRS] = {ES_VALUE_DIR, "list of paths", NULL},
    [ES_SET_PLUGINS] = {"NAME", "list", ES_VALUE_PLUGIN},
    [ES_SET_ISOLATION] = {"WHERE", "word", "process|none"},
};

bool es_config_next_flag(size_t *at, unsigned commands, struct es_flag *ret)
{
    const struct es_setting *s = &es_settings_table[*at];

    while (s->flag && !(s->commands & commands))
        s++;
    if (!s->flag)
        return false;
    *ret = (struct es_flag){.name = s->flag,
                            .value = words[s->type].value,
                            .words = words[s->type].words,
                            .fallback = s->fallback,
                            .on_off = s->type == ES_SET_BOOLEAN,
                            .help = s->help};
    *at = (size_t)(s - es_settings_table) + 1;
    return true;
}

bool es_config_next_key(size_t *at, struct es_config_key *ret)
{
    const struct es_setting *s = &es_settings_table[*at];

    while (s->flag && !s->key)
        s++;
    if (!s->flag)
        return false;
    *ret = (struct es_config_key){.name = s->key,
                                  .flag = s->flag,
                                  .type = words[s->type].type,
                                  .fallback = s->fallback,
                                  .help = s->help};
    *at = (size_t)(s - es_settings_table) + 1;
    return true;
}

/* ---- the document ---- */

static void add_commands(struct es_buf *out, unsigned commands)
{
    static const struct {
        unsigned bit;
        const char *text;
    } names[] = {{ES_FOR_RUN, "run"},
                 {ES_FOR_LOCAL, "local"},
                 {ES_FOR_RENDER, "render"},
                 {ES_FOR_CRDS, "crds"},
                 {ES_FOR_PLUGINS, "crds, plugins"}};
    const char *between = "";

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (commands & names[i].bit) {
            es_buf_addf(out, "%s%s", between, names[i].text);
            between = ", ";
        }
}

void es_config_markdown(struct es_buf *out)
{
    es_buf_adds(out, "| key | flag | type | default | commands | meaning |\n|---|---|---|---|---|---|\n");
    for (const struct es_setting *s = es_settings_table; s->flag; s++) {
        if (s->key)
            es_buf_addf(out, "| `%s` ", s->key);
        else
            es_buf_adds(out, "| ");
        es_buf_addf(out, "| `--%s` | %s ", s->flag, words[s->type].type);
        if (*s->fallback)
            es_buf_addf(out, "| `%s` | ", s->fallback);
        else
            es_buf_adds(out, "| | ");
        add_commands(out, s->commands);
        es_buf_addf(out, " | %s |\n", s->help);
    }
}

void es_config_plugin_markdown(struct es_buf *out)
{
    struct es_config_key k;

    es_buf_adds(out, "| key of an entry | |\n|---|---|\n");
    for (size_t at = 0; es_config_next_plugin_key(&at, &k);)
        es_buf_addf(out, "| `%s` | %s |\n", k.name, k.help);
}
