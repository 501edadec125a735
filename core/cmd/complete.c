#include "core/cmd/complete.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/cmd/cmd.h"
#include "core/plugin/registry.h"

struct line {
    const char *typed;  /* the beginning of the word that is asked for */
    const char *prefix; /* "--output=", where that is the value of a flag in the same word */
    const char *rest;   /* ":files", ... */
    int count;
    char **words;
};

static void offer(const struct line *l, const char *word, size_t len, const char *about)
{
    if (len < strlen(l->typed) || strncmp(word, l->typed, strlen(l->typed)) != 0)
        return;
    printf("%s%.*s", l->prefix, (int)len, word);
    /* The first sentence: there is one line for it. */
    if (about)
        printf("\t%.*s", (int)strcspn(about, ".\n"), about);
    putchar('\n');
}

/* ---- values ---- */

static int offer_plugin(void *ctx, const char *file, struct es_error *err)
{
    const char *name = strrchr(file, '/') + 1;
    (void)err;

    offer(ctx, name, strlen(name) - strlen(".so"), NULL);
    return 0;
}

/* Where the line says that they are, or the configuration that it names, if that can be read. */
static void offer_plugins(struct line *l)
{
    struct es_config config;
    struct es_error err = ES_ERROR_INIT;
    char *argv[2 * ES_CONFIG_LIST_MAX];
    int argc = 0;

    for (int i = 1; i + 1 < l->count && argc < ES_CONFIG_LIST_MAX; i++) {
        const char *w = l->words[i];
        if (es_streq(w, "--plugin-path") || es_streq(w, "--config")) {
            argv[argc++] = l->words[i];
            argv[argc++] = l->words[++i];
        } else if (es_str_starts(w, "--plugin-path=") || es_str_starts(w, "--config=")) {
            argv[argc++] = l->words[i];
        }
    }
    if (es_config_load(&config, ES_FOR_PLUGINS, &argc, argv, &err) < 0)
        return;
    es_registry_each_file(config.plugin_path, offer_plugin, l, &err);
    es_config_fini(&config);
}

static bool is_kind(const char *piece, size_t len, const char *kind)
{
    return strlen(kind) == len && strncmp(piece, kind, len) == 0;
}

/* "yaml|json|FOLDER": the words, and what stands for something. */
static void offer_value(struct line *l, const char *value)
{
    const char *piece;
    size_t len;

    while ((piece = es_value_piece(&value, &len))) {
        if (is_kind(piece, len, ES_VALUE_FILE))
            l->rest = ":files";
        else if (is_kind(piece, len, ES_VALUE_DIR) || is_kind(piece, len, ES_VALUE_FOLDER))
            l->rest = ":folders";
        else if (is_kind(piece, len, ES_VALUE_PLUGIN) && strchr(l->typed, '/'))
            l->rest = ":files";
        else if (is_kind(piece, len, ES_VALUE_PLUGIN))
            offer_plugins(l);
        else if (islower((unsigned char)*piece))
            offer(l, piece, len, NULL);
    }
}

static const char *value_of(const struct es_flag *f)
{
    return f->words ? f->words : f->value;
}

/* ---- flags ---- */

/* Whether the first `len` bytes of `word` are the flag; one dash is as good as two. */
static bool names_flag(const char *word, size_t len, const struct es_flag *f)
{
    size_t dashes = strspn(word, "-");

    if (dashes == 0 || dashes > 2 || len <= dashes)
        return false;
    if (f->letter && dashes == 1 && len == 2 && word[1] == f->letter)
        return true;
    return strlen(f->name) == len - dashes && strncmp(word + dashes, f->name, len - dashes) == 0;
}

static bool find_flag(const struct es_command *c, const char *word, size_t len, struct es_flag *ret)
{
    for (size_t at = 0; es_command_next_flag(c, &at, ret);)
        if (names_flag(word, len, ret))
            return true;
    return false;
}

static void offer_flags(const struct line *l, const struct es_command *c)
{
    struct es_flag f;
    char word[80];

    for (size_t at = 0; es_command_next_flag(c, &at, &f);) {
        snprintf(word, sizeof word, "--%s", f.name);
        offer(l, word, strlen(word), f.help);
    }
}

/* The value of --flag=value, in one word. */
static void offer_joined_value(struct line *l, const struct es_command *c, size_t name_len)
{
    char prefix[80];
    struct es_flag f;

    if (name_len + 2 > sizeof prefix || !find_flag(c, l->typed, name_len, &f))
        return;
    snprintf(prefix, sizeof prefix, "%.*s=", (int)name_len, l->typed);
    l->prefix = prefix;
    l->typed += name_len + 1;
    offer_value(l, f.on_off ? "true|false" : value_of(&f));
    l->prefix = "";
}

/* ---- the line ---- */

static void offer_argument(struct line *l, const struct es_command *c)
{
    const char *before = l->words[l->count - 2];
    size_t name_len = strcspn(l->typed, "=");
    struct es_flag f;

    if (l->count > 2 && find_flag(c, before, strlen(before), &f) && !es_str_empty(f.value))
        offer_value(l, value_of(&f));
    else if (l->typed[0] == '-' && l->typed[name_len])
        offer_joined_value(l, c, name_len);
    else if (l->typed[0] == '-')
        offer_flags(l, c);
    else
        offer_value(l, c->operands);
}

static void offer_commands(const struct line *l)
{
    for (const struct es_command *const *c = es_commands; *c; c++)
        offer(l, (*c)->name, strlen((*c)->name), (*c)->summary);
}

int es_complete(int count, char **words)
{
    struct line l = {.prefix = "", .rest = ":nothing", .count = count, .words = words};

    l.typed = count ? words[count - 1] : "";
    const struct es_command *c = count > 1 ? es_command_find(words[0]) : NULL;
    if (c)
        offer_argument(&l, c);
    else if (count < 2 || (count == 2 && es_streq(words[0], "help")))
        offer_commands(&l);
    puts(l.rest);
    return es_flush_stdout();
}
