#include "core/check/options.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/base/yaml.h"

const char es_check_usage[] =
    "Usage: esp-check PLUGIN.so [FLAGS]\n\n"
    "Loads a provider plugin in child processes and tries every promise of the plugin ABI.\n\n"
    "Flags:\n"
    "  --spec FILE        The provider's block (what stands under spec.provider.NAME), as YAML or JSON.\n"
    "  --key KEY          A key that the store has. May be given again.\n"
    "  --component NAME   Only this component. Default: all of them.\n"
    "  --only CHECK       Only this check. May be given again.\n"
    "  --skip CHECK       Not this check. May be given again.\n"
    "  --list             Names the checks.\n"
    "  --quick            Fewer rounds, for the loop of editing and trying.\n"
    "  --strict           A warning counts as a failure.\n"
    "  --live             For the check `values`, the network is real.\n"
    "  --secrets FILE     With --live: manifests of the Secrets and ConfigMaps that the spec names.\n"
    "  --junit FILE       Writes the results as JUnit XML.\n"
    "  --json FILE        Writes the results as JSON.\n"
    "  --version          Prints the version.\n"
    "  --help             This text.\n\n"
    "Exit code: 0 all is well, 1 a promise is broken, 2 wrong use, or the plugin cannot be loaded.\n";

/* ---- flags, as data ---- */

enum kind { SWITCH, TEXT, LIST };

struct flag {
    const char *name;
    enum kind kind;
    size_t offset, count_offset; /* in struct es_check_opts */
};

#define AT(field) offsetof(struct es_check_opts, field)

static const struct flag flags[] = {
    {"--spec", TEXT, AT(spec_file), 0},
    {"--key", LIST, AT(keys), AT(key_count)},
    {"--component", TEXT, AT(component), 0},
    {"--only", LIST, AT(only), AT(only_count)},
    {"--skip", LIST, AT(skip), AT(skip_count)},
    {"--list", SWITCH, AT(list), 0},
    {"--quick", SWITCH, AT(quick), 0},
    {"--strict", SWITCH, AT(strict), 0},
    {"--live", SWITCH, AT(live), 0},
    {"--secrets", TEXT, AT(secrets_file), 0},
    {"--junit", TEXT, AT(junit), 0},
    {"--json", TEXT, AT(json), 0},
    {"--version", SWITCH, AT(version), 0},
    {"--help", SWITCH, AT(help), 0},
    {"-h", SWITCH, AT(help), 0},
};

static const struct flag *find_flag(const char *argument, size_t len)
{
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strlen(flags[i].name) == len && strncmp(flags[i].name, argument, len) == 0)
            return &flags[i];
    return NULL;
}

static int add(struct es_check_opts *o, const struct flag *f, const char *value, struct es_error *err)
{
    void *field = (char *)o + f->offset;

    if (f->kind == TEXT) {
        *(const char **)field = value;
        return 0;
    }
    size_t *count = (size_t *)(void *)((char *)o + f->count_offset);
    const char **more = es_mem_realloc(*(const char ***)field, (*count + 1) * sizeof *more);
    if (!more)
        return es_error_nomem(err);
    more[(*count)++] = value;
    *(const char ***)field = more;
    return 0;
}

static int read_flag(struct es_check_opts *o, int argc, char **argv, int *i, struct es_error *err)
{
    const char *argument = argv[*i], *equals = strchr(argument, '=');
    size_t len = equals ? (size_t)(equals - argument) : strlen(argument);
    const struct flag *f = find_flag(argument, len);
    const char *value = equals ? equals + 1 : NULL;

    if (!f)
        return es_error_set(err, ES_E_CONFIG, "unknown flag %s; see esp-check --help", argument);
    if (f->kind == SWITCH && value)
        return es_error_set(err, ES_E_CONFIG, "%s takes no value", f->name);
    if (f->kind == SWITCH) {
        *(bool *)((char *)o + f->offset) = true;
        return 0;
    }
    if (!value && *i + 1 < argc)
        value = argv[++*i];
    if (es_str_empty(value))
        return es_error_set(err, ES_E_CONFIG, "%s wants a value; see esp-check --help", f->name);
    return add(o, f, value, err);
}

/* ---- what the flags mean ---- */

static int known_checks(const char *flag, const char *const *ids, size_t count, struct es_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!es_check_find(ids[i]))
            return es_error_set(err, ES_E_CONFIG, "%s %s: there is no such check; see esp-check --list", flag,
                                ids[i]);
    return 0;
}

static int take_file(struct es_check_opts *o, const char *file, struct es_error *err)
{
    if (o->file)
        return es_error_set(err, ES_E_CONFIG, "one plugin at a time: %s comes after %s", file, o->file);
    o->file = strchr(file, '/') ? es_mem_strdup(file) : es_strf("./%s", file);
    return o->file ? 0 : es_error_nomem(err);
}

/* An empty file is an empty block. */
static int read_spec(struct es_check_opts *o, struct es_error *err)
{
    struct es_yaml y = {0};
    int rc = es_yaml_load(&y, o->spec_file, err);

    if (rc == ES_E_NOT_FOUND)
        return es_error_set(err, ES_E_CONFIG, "--spec %s: there is no such file", o->spec_file);
    if (rc == 0 && y.count > 1)
        rc = es_error_set(err, ES_E_CONFIG, "--spec %s: more than one document; give the provider's block",
                          o->spec_file);
    else if (rc == 0 && y.count && !json_is_object(y.docs[0].root))
        rc = es_error_set(err, ES_E_CONFIG,
                          "--spec %s: no mapping; give the provider's block, what stands under "
                          "spec.provider.NAME",
                          o->spec_file);
    else if (rc == 0)
        o->spec = y.count ? json_incref(y.docs[0].root) : json_object();
    es_yaml_fini(&y);
    return rc;
}

static int read_objects(struct es_check_opts *o, struct es_error *err)
{
    struct es_yaml y = {0};
    int rc = es_yaml_load(&y, o->secrets_file, err);

    if (rc == ES_E_NOT_FOUND)
        return es_error_set(err, ES_E_CONFIG, "--secrets %s: there is no such file", o->secrets_file);
    if (rc < 0)
        return rc;
    o->objects = json_array();
    for (size_t i = 0; i < y.count; i++)
        json_array_append(o->objects, y.docs[i].root);
    es_yaml_fini(&y);
    return 0;
}

static int settle(struct es_check_opts *o, struct es_error *err)
{
    if (o->help || o->list || o->version)
        return 0;
    if (!o->file)
        return es_error_set(err, ES_E_CONFIG, "which plugin? see esp-check --help");
    if (o->secrets_file && !o->live)
        return es_error_set(err, ES_E_CONFIG, "--secrets %s is for --live; without it, secrets are made up",
                            o->secrets_file);
    int rc = known_checks("--only", o->only, o->only_count, err);
    if (rc == 0)
        rc = known_checks("--skip", o->skip, o->skip_count, err);
    if (rc == 0 && o->spec_file)
        rc = read_spec(o, err);
    if (rc == 0 && o->secrets_file)
        rc = read_objects(o, err);
    return rc;
}

int es_check_opts_read(struct es_check_opts *ret, int argc, char **argv, struct es_error *err)
{
    int rc = 0;

    *ret = (struct es_check_opts){0};
    for (int i = 1; i < argc && rc == 0; i++)
        rc = argv[i][0] == '-' && argv[i][1] ? read_flag(ret, argc, argv, &i, err)
                                             : take_file(ret, argv[i], err);
    return rc < 0 ? rc : settle(ret, err);
}

void es_check_opts_fini(struct es_check_opts *o)
{
    es_mem_free(o->file);
    es_mem_free(o->keys);
    es_mem_free(o->only);
    es_mem_free(o->skip);
    json_decref(o->spec);
    json_decref(o->objects);
    *o = (struct es_check_opts){0};
}

static bool has(const char *const *ids, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (es_streq(ids[i], id))
            return true;
    return false;
}

bool es_check_opts_wants(const struct es_check_opts *o, const struct es_check *check)
{
    if (has(o->skip, o->skip_count, check->id))
        return false;
    return o->only_count == 0 || has(o->only, o->only_count, check->id);
}
