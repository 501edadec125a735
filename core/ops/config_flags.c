/* The flags. */
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/ops/config_own.h"

/* Flags of the reference that stand for machinery which esod does without. They
 * are accepted, so that a Deployment's arguments carry over. */
static const char *const moot[] = {
    "enable-secrets-caching",
    "enable-configmaps-caching",
    "enable-managed-secrets-caching",
    "enable-secret-api-read-on-cache-mismatch",
    "enable-http2",
    "enable-vault-token-cache",
    "vault-token-cache-size",
    "experimental-enable-vault-token-cache",
    "experimental-vault-token-cache-size",
    "experimental-enable-doppler-oidc-cache",
    "experimental-doppler-oidc-cache-size",
    "doppler-etag-cache-size",
    "pulumi-oidc-cache-size",
    "mysterybox-tokens-cache-size",
    "mysterybox-connections-cache-size",
};
#define MOOT (sizeof moot / sizeof *moot)

struct flag {
    char name[64];
    const char *value; /* NULL: none after '=' */
};

static bool read_flag(const char *arg, struct flag *ret)
{
    size_t len = strcspn(arg, "=");

    if (arg[0] != '-' || !arg[1] || es_streq(arg, "--"))
        return false;
    size_t dashes = arg[1] == '-' ? 2 : 1;
    if (len - dashes >= sizeof ret->name || len <= dashes)
        return false;
    memcpy(ret->name, arg + dashes, len - dashes);
    ret->name[len - dashes] = '\0';
    ret->value = arg[len] ? arg + len + 1 : NULL;
    return true;
}

static const struct es_setting *setting_by_flag(const char *name, unsigned command)
{
    for (const struct es_setting *s = es_settings_table; s->flag; s++)
        if (s->commands & command && es_streq(s->flag, name))
            return s;
    return NULL;
}

/* Notes a flag once, however often it is given. */
static int note_moot(struct es_config_hold *h, const char *name, struct es_error *err)
{
    for (size_t i = 0; i < h->ignored_count; i++)
        if (h->ignored[i] == name)
            return 0;
    if (!h->ignored)
        h->ignored = calloc(MOOT + 1, sizeof *h->ignored);
    if (!h->ignored)
        return es_error_nomem(err);
    h->ignored[h->ignored_count++] = name;
    return 0;
}

/* 1: not one of these. Their value may be an argument of its own, as in
 * --vault-token-cache-size 100; booleans never have such. */
static int take_moot(struct es_config *c, const struct flag *flag, int argc, char **argv, int *i,
                     struct es_error *err)
{
    for (size_t k = 0; k < MOOT; k++) {
        if (!es_streq(moot[k], flag->name))
            continue;
        if (!flag->value && es_str_ends(flag->name, "-size") && *i + 1 < argc && argv[*i + 1][0] != '-')
            ++*i;
        return note_moot(c->hold, moot[k], err);
    }
    return 1;
}

/* What a flag names is searched before what the file names. */
static int add_path_flag(struct es_config *c, const char *path, struct es_error *err)
{
    struct es_config_hold *h = c->hold;
    int rc = es_config_add_path(c, h->flag_paths, NULL, path, err);

    if (rc == 0)
        h->flag_paths++;
    return rc;
}

static int set_flag(struct es_config *c, const struct es_setting *s, const char *value, struct es_error *err)
{
    switch (s->type) {
    case ES_SET_DIRS:
        return add_path_flag(c, value, err);
    case ES_SET_PLUGINS:
        return es_config_add_plugin(c, NULL, value, "--plugin", NULL, err);
    default:
        return es_config_set(c, s, value, err);
    }
}

/* Takes argv[*i], and the value behind it where it needs one. 1: not a flag of
 * ours. */
static int take_flag(struct es_config *c, unsigned command, int argc, char **argv, int *i,
                     struct es_error *err)
{
    struct flag flag;

    if (!read_flag(argv[*i], &flag))
        return 1;
    const struct es_setting *s = setting_by_flag(flag.name, command);
    if (!s)
        return command & ES_FOR_RUN ? take_moot(c, &flag, argc, argv, i, err) : 1;
    const char *value = flag.value ? flag.value : s->type == ES_SET_BOOLEAN ? "true" : NULL;
    if (!value) {
        if (*i + 1 >= argc)
            return es_error_set(err, ES_E_CONFIG, "--%s needs a value", flag.name);
        value = argv[++*i];
    }
    int rc = set_flag(c, s, value, err);
    return rc < 0 ? es_error_wrap(err, "--%s: ", flag.name) : 0;
}

const char *es_config_file_flag(int argc, char **argv)
{
    struct flag flag;
    const char *path = NULL;

    for (int i = 0; i < argc; i++)
        if (read_flag(argv[i], &flag) && es_streq(flag.name, "config"))
            path = flag.value ? flag.value : i + 1 < argc ? argv[i + 1] : NULL;
    return path;
}

int es_config_take_flags(struct es_config *c, unsigned command, int *argc, char **argv, struct es_error *err)
{
    int left = 0;

    for (int i = 0; i < *argc; i++) {
        int at = i;
        int rc = take_flag(c, command, *argc, argv, &i, err);
        if (rc < 0)
            return rc;
        if (rc == 1)
            argv[left++] = argv[at];
    }
    *argc = left;
    return 0;
}
