#include "core/check/options.h"

#include <string.h>

#include "core/base/manpage.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/base/usage.h"
#include "core/base/yaml.h"

/* ---- flags, as data ---- */

enum kind { SWITCH, TEXT, LIST };

struct flag {
    struct es_flag told;
    enum kind kind;
    size_t offset, count_offset; /* in struct es_check_opts */
};

#define AT(field) offsetof(struct es_check_opts, field)

static const struct flag flags[] = {
    {{.name = "spec",
      .value = ES_VALUE_FILE,
      .help = "The provider's block (what stands under spec.provider.NAME), as YAML or JSON."},
     TEXT,
     AT(spec_file),
     0},
    {{.name = "key", .value = "KEY", .help = "A key that the store has. May be given again."},
     LIST,
     AT(keys),
     AT(key_count)},
    {{.name = "component", .value = "NAME", .help = "Only this component. Default: all of them."},
     TEXT,
     AT(component),
     0},
    {{.name = "only", .value = "CHECK", .help = "Only this check. May be given again."},
     LIST,
     AT(only),
     AT(only_count)},
    {{.name = "skip", .value = "CHECK", .help = "Not this check. May be given again."},
     LIST,
     AT(skip),
     AT(skip_count)},
    {{.name = "list", .help = "Names the checks."}, SWITCH, AT(list), 0},
    {{.name = "quick", .help = "Fewer rounds, for the loop of editing and trying."}, SWITCH, AT(quick), 0},
    {{.name = "strict", .help = "A warning counts as a failure."}, SWITCH, AT(strict), 0},
    {{.name = "live", .help = "For the check `values`, the network is real."}, SWITCH, AT(live), 0},
    {{.name = "secrets",
      .value = ES_VALUE_FILE,
      .help = "With --live: manifests of the Secrets and ConfigMaps that the spec names."},
     TEXT,
     AT(secrets_file),
     0},
    {{.name = "junit", .value = ES_VALUE_FILE, .help = "Writes the results as JUnit XML."},
     TEXT,
     AT(junit),
     0},
    {{.name = "json", .value = ES_VALUE_FILE, .help = "Writes the results as JSON."}, TEXT, AT(json), 0},
    {{.name = "version", .help = "Prints the version."}, SWITCH, AT(version), 0},
    {{.name = "help", .letter = 'h', .help = "This text."}, SWITCH, AT(help), 0},
    {{.name = "manual", .help = "This text as a page of the manual: esp-check --manual | man -l -"},
     SWITCH,
     AT(manual),
     0},
};
#define FLAGS (sizeof flags / sizeof *flags)

static bool names_flag(const char *argument, size_t len, const struct es_flag *f)
{
    if (f->letter && len == 2 && argument[1] == f->letter)
        return true;
    return len > 2 && argument[1] == '-' && strlen(f->name) == len - 2 &&
           strncmp(argument + 2, f->name, len - 2) == 0;
}

static const struct flag *find_flag(const char *argument, size_t len)
{
    for (size_t i = 0; i < FLAGS; i++)
        if (names_flag(argument, len, &flags[i].told))
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
        return es_error_set(err, ES_E_CONFIG, "--%s takes no value", f->told.name);
    if (f->kind == SWITCH) {
        *(bool *)((char *)o + f->offset) = true;
        return 0;
    }
    if (!value && *i + 1 < argc)
        value = argv[++*i];
    if (es_str_empty(value))
        return es_error_set(err, ES_E_CONFIG, "--%s wants a value; see esp-check --help", f->told.name);
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
    if (o->help || o->manual || o->list || o->version)
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

/* ---- what people are told ---- */

static const char lines[] = "esp-check PLUGIN.so [FLAGS]";
static const char about[] =
    "Loads a provider plugin in child processes and tries every promise of the plugin ABI.";
static const char exit_codes[] =
    "Exit code: 0 all is well, 1 a promise is broken, 2 wrong use, or the plugin cannot be loaded.";

void es_check_opts_help(struct es_buf *out)
{
    es_usage_lines(out, lines);
    es_buf_addf(out, "\n%s\n\nFlags:\n", about);
    for (size_t i = 0; i < FLAGS; i++)
        es_flag_line(out, &flags[i].told);
    es_buf_addf(out, "\n%s\n", exit_codes);
}

void es_check_opts_manual(struct es_buf *out)
{
    es_man_begin(out, "esp-check", 1, "esod " ESOD_VERSION, "try a provider plugin of esod");
    es_man_synopsis(out, lines);
    es_man_heading(out, "DESCRIPTION");
    es_man_text(out, about);
    es_man_heading(out, "OPTIONS");
    for (size_t i = 0; i < FLAGS; i++)
        es_man_flag(out, &flags[i].told);
    es_man_heading(out, "CHECKS");
    for (int i = 0; i < es_check_count; i++) {
        es_man_item(out, es_checks[i].id);
        es_man_text(out, "the plugin");
        es_man_text(out, es_checks[i].title);
    }
    es_man_heading(out, "EXIT STATUS");
    es_man_text(out, exit_codes);
    es_man_heading(out, "SEE ALSO");
    es_man_text(out, "`esod`(1), and docs/sdk in /usr/share/doc/esod");
}
