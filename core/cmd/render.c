/* esod render: what a template makes of given values, without a cluster or a store. */
#include <stdio.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/text.h"
#include "core/base/yaml.h"
#include "core/cluster/local_house.h"
#include "core/cmd/cmd.h"
#include "core/cmd/render_input.h"
#include "core/cmd/secret_view.h"
#include "core/controller/offline.h"
#include "core/controller/template.h"
#include "core/kube/obj.h"
#include "core/ops/process.h"

#define OUTPUT_MAX ((size_t)64 << 20)

struct render {
    const char *file;
    bool base64, show_values, json;
    struct es_values values;
    json_t *objects; /* ConfigMaps and Secrets */
    json_t *results;
    struct es_env env;
    struct es_error *err;
};

/* ---- arguments ---- */

enum flag { FLAG_NONE, FLAG_VALUES, FLAG_SET, FLAG_SET_FILE, FLAG_FROM };

/* A flag that takes a value: the value, and *i is moved to what was read last. NULL: it
 * is missing. */
static enum flag read_flag(int argc, char **argv, int *i, const char **ret_value)
{
    static const char *const names[] = {[FLAG_VALUES] = "--values",
                                        [FLAG_SET] = "--set",
                                        [FLAG_SET_FILE] = "--set-file",
                                        [FLAG_FROM] = "--from"};
    const char *a = argv[*i];

    for (int f = FLAG_VALUES; f <= FLAG_FROM; f++) {
        size_t len = strlen(names[f]);
        if (strncmp(a, names[f], len) != 0 || (a[len] && a[len] != '='))
            continue;
        *ret_value = a[len] ? a + len + 1 : *i + 1 < argc ? argv[++*i] : NULL;
        return (enum flag)f;
    }
    return FLAG_NONE;
}

/* What stands for itself, and the file. */
static int take_word(struct render *r, const char *a)
{
    if (es_streq(a, "--base64"))
        r->base64 = true;
    else if (es_streq(a, "--show-values"))
        r->show_values = true;
    else if (*a == '-' && a[1])
        return es_error_set(r->err, ES_E_CONFIG,
                            "render: unknown or incomplete flag \"%s\"; see esod render --help", a);
    else if (r->file)
        return es_error_set(r->err, ES_E_CONFIG, "render: one file, not both \"%s\" and \"%s\"", r->file, a);
    else
        r->file = a;
    return 0;
}

static int take_form(struct render *r, const char *form)
{
    r->json = es_streq(form, "json");
    if (r->json || es_streq(form, "yaml"))
        return 0;
    return es_error_set(r->err, ES_E_CONFIG, "render: -o is yaml or json%s%s", form ? ", not " : "",
                        form ? form : "");
}

static int read_words(struct render *r, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char *a = argv[i], *value = NULL;
        if (read_flag(argc, argv, &i, &value) != FLAG_NONE) {
            if (!value)
                return es_error_set(r->err, ES_E_CONFIG, "render: %s needs a value", a);
            continue;
        }
        const char *form = es_read_output(argc, argv, &i);
        int rc = form && !*form ? take_word(r, a) : take_form(r, form);
        if (rc < 0)
            return rc;
    }
    return r->file ? 0 : es_error_set(r->err, ES_E_CONFIG, "render: which file? see esod render --help");
}

static int take_value(struct render *r, enum flag flag, const char *value)
{
    switch (flag) {
    case FLAG_VALUES:
        return es_render_read_values(&r->values, value, r->base64, r->err);
    case FLAG_FROM:
        return es_render_read_objects(r->objects, value, r->err);
    default:
        return es_render_read_pair(&r->values, value, flag == FLAG_SET_FILE, r->err);
    }
}

/* Files first: what is set on the command line overwrites, wherever it stands. */
static int read_values(struct render *r, int argc, char **argv, bool files)
{
    for (int i = 0; i < argc; i++) {
        const char *value = NULL;
        enum flag flag = read_flag(argc, argv, &i, &value);
        bool is_file = flag == FLAG_VALUES || flag == FLAG_FROM;
        int rc = flag != FLAG_NONE && is_file == files ? take_value(r, flag, value) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- manifests ---- */

static bool is_ours(const json_t *object)
{
    const struct es_kind *kind = es_kind_find(es_obj_str(object, "apiVersion"), es_obj_str(object, "kind"));
    return kind == &es_kind_external_secret || kind == &es_kind_push_secret;
}

/* What names no namespace is in that of the object that reads it. */
static int apply_objects(const struct render *r, struct es_local *house, const char *ns)
{
    json_t *object;
    size_t i;

    json_array_foreach (r->objects, i, object) {
        json_t *copy = json_deep_copy(object);
        int rc = copy ? 0 : es_error_nomem(r->err);
        if (rc == 0 && !*es_obj_namespace(copy) &&
            es_obj_set(copy, json_string(ns), "metadata", "namespace") < 0)
            rc = es_error_nomem(r->err);
        if (rc == 0)
            rc = es_local_apply(house, copy, r->err);
        json_decref(copy);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int render_in_house(struct render *r, const json_t *object, json_t **ret)
{
    struct es_local *house = NULL;
    int rc = es_cluster_new_local(&r->env.cluster, &house, r->err);

    if (rc == 0)
        rc = apply_objects(r, house, es_obj_namespace(object));
    if (rc == 0)
        rc = es_offline_render(&r->env, object, &r->values, ret, r->err);
    es_cluster_free(r->env.cluster);
    r->env.cluster = NULL;
    return rc;
}

static int make_presentable(const struct render *r, json_t *made)
{
    if (!r->show_values)
        return es_view_hide(made);
    return !r->json && es_streq(es_obj_str(made, "kind"), "Secret") ? es_view_plain(made) : 0;
}

static int render_object(struct render *r, const struct es_yaml_doc *doc)
{
    json_t *object = doc->root, *made = NULL;
    int rc = 0;

    if (!*es_obj_name(object))
        return es_error_set(r->err, ES_E_CONFIG, "%s:%d: metadata.name is missing", r->file, doc->line);
    if (!*es_obj_namespace(object) && es_obj_set(object, json_string("default"), "metadata", "namespace") < 0)
        return es_error_nomem(r->err);
    rc = render_in_house(r, object, &made);
    if (rc < 0)
        return es_error_wrap(r->err, "%s:%d: %s %s: ", r->file, doc->line, es_obj_str(object, "kind"),
                             es_obj_name(object));
    if (make_presentable(r, made) < 0 || json_array_append(r->results, made) < 0)
        rc = es_error_nomem(r->err);
    json_decref(made);
    return rc;
}

static int print_yaml(const struct render *r)
{
    struct es_buf out;
    json_t *one;
    size_t i;

    es_buf_init(&out, OUTPUT_MAX);
    json_array_foreach (r->results, i, one) {
        es_buf_adds(&out, i ? "---\n" : "");
        es_yaml_write(&out, one, false);
    }
    int rc = es_buf_failed(&out) ? es_error_set(r->err, ES_E_TOO_LARGE, "the output is too large") : 0;
    if (rc == 0)
        fwrite(es_buf_str(&out), 1, out.len, stdout);
    es_buf_fini(&out);
    return rc;
}

static int print_json(const struct render *r)
{
    if (json_array_size(r->results) == 1)
        return es_print_json(json_incref(json_array_get(r->results, 0)), r->err);
    return es_print_json(json_pack("{s:s,s:s,s:O}", "apiVersion", "v1", "kind", "List", "items", r->results),
                         r->err);
}

static int render_manifests(struct render *r, const struct es_yaml *yaml)
{
    for (size_t i = 0; i < yaml->count; i++) {
        int rc = is_ours(yaml->docs[i].root) ? render_object(r, &yaml->docs[i]) : 0;
        if (rc < 0)
            return rc;
    }
    return r->json ? print_json(r) : print_yaml(r);
}

/* ---- the text of a template ---- */

static int render_text(struct render *r, const struct es_blob *text)
{
    const char *slash = strrchr(r->file, '/');
    json_t *source = json_stringn(text->ptr ? (const char *)text->ptr : "", text->len);
    struct es_blob out = {0};

    if (!source)
        return es_error_set(r->err, ES_E_CONFIG, "%s: the template is not UTF-8", r->file);
    int rc = es_template_text(&r->env, slash ? slash + 1 : r->file, source, &r->values, &out, r->err);
    if (rc == 0)
        fwrite(out.ptr ? (const char *)out.ptr : "", 1, out.len, stdout);
    es_blob_fini(&out);
    json_decref(source);
    return rc;
}

/* ---- which of the two ---- */

static bool mentions(const struct es_blob *text, const char *word)
{
    return text->ptr && memmem(text->ptr, text->len, word, strlen(word));
}

static const struct es_yaml_doc *first_of_group(const struct es_yaml *yaml, bool ours)
{
    for (size_t i = 0; i < yaml->count; i++) {
        const json_t *root = yaml->docs[i].root;
        if (ours ? is_ours(root) : es_str_starts(es_obj_str(root, "apiVersion"), ES_GROUP "/"))
            return &yaml->docs[i];
    }
    return NULL;
}

/* A template may be anything, YAML that is about Kubernetes too. What speaks of this group
 * is meant as a manifest, also when it cannot be read. */
static int render_file(struct render *r, const struct es_blob *text)
{
    struct es_yaml yaml = {0};
    int rc = 0;

    if (!mentions(text, ES_GROUP "/"))
        return render_text(r, text);
    rc = es_yaml_parse(&yaml, r->file, (const char *)text->ptr, text->len, r->err);
    const struct es_yaml_doc *stranger = first_of_group(&yaml, false);
    if (rc == 0 && first_of_group(&yaml, true)) {
        rc = es_render_add_objects(r->objects, &yaml, r->file, r->err);
        if (rc == 0)
            rc = render_manifests(r, &yaml);
    } else if (rc == 0 && stranger) {
        rc =
            es_error_set(r->err, ES_E_CONFIG,
                         "%s:%d: unsupported template kind %s: only ExternalSecrets and PushSecrets have one",
                         r->file, stranger->line, es_obj_str(stranger->root, "kind"));
    } else if (rc == 0) {
        rc = render_text(r, text);
    }
    es_yaml_fini(&yaml);
    return rc;
}

/* ---- the command ---- */

static int run(struct render *r, int argc, char **argv)
{
    struct es_blob text = {0};
    int rc = read_words(r, argc, argv);

    if (rc == 0)
        rc = read_values(r, argc, argv, true);
    if (rc == 0)
        rc = read_values(r, argc, argv, false);
    if (rc == 0)
        rc = es_render_read_file(&text, r->file, r->err);
    if (rc < 0)
        return es_complain(r->err);
    rc = render_file(r, &text);
    es_blob_fini(&text);
    if (rc == 0)
        return es_flush_stdout();
    es_complain(r->err);
    return ES_EXIT_FAILED;
}

static int cmd_render(int argc, char **argv)
{
    struct es_error err = ES_ERROR_INIT;
    struct render r = {.objects = json_array(), .results = json_array(), .err = &err};
    struct es_config config;

    if (es_wants_help(argc, argv)) {
        json_decref(r.objects);
        json_decref(r.results);
        return es_print_help(&es_command_render);
    }
    argc--, argv++;
    int exit_code = ES_EXIT_USAGE;
    if (es_config_load(&config, ES_FOR_RENDER, &argc, argv, &err) < 0) {
        es_complain(&err);
    } else {
        es_process_harden();
        r.env.clock = &es_system_clock;
        r.env.settings.template_left = config.template_left;
        r.env.settings.template_right = config.template_right;
        exit_code = run(&r, argc, argv);
        es_config_fini(&config);
    }
    es_values_fini(&r.values);
    json_decref(r.objects);
    json_decref(r.results);
    return exit_code;
}

/* ---- what people are told ---- */

static const struct es_flag flags[] = {
    {.name = "values",
     .value = ES_VALUE_FILE,
     .help = "Keys and their texts (YAML), or a Secret. Several are added up."},
    {.name = "base64", .help = "The values of such files are base64."},
    {.name = "set", .value = "KEY=VALUE", .help = "One value."},
    {.name = "set-file", .value = "KEY=FILE", .help = "One value, which is what the file holds."},
    {.name = "from",
     .value = ES_VALUE_FILE,
     .help = "ConfigMaps and Secrets for templateFrom. Those in FILE count too."},
    {.name = "output",
     .letter = 'o',
     .value = "yaml|json",
     .fallback = "yaml",
     .help = "Form of the Secrets."},
    {.name = "show-values", .help = "Print the values, not only their lengths."},
    {0},
};

const struct es_command es_command_render = {
    .name = "render",
    .summary = "render a template with given values, without a cluster",
    .usage =
        "esod render FILE [--values FILE] [--set KEY=VALUE] [--from FILE] [-o yaml|json] [--show-values]",
    .about = "Renders a template with the values that are given, without a cluster. FILE holds "
             "ExternalSecrets or\n"
             "PushSecrets, of which the Secrets are printed, or is the text of one template, of which the "
             "result is\n"
             "printed; - is standard input. Exit code 1: it cannot be rendered; 2: wrong use.",
    .settings = ES_FOR_RENDER,
    .flags = flags,
    .operands = ES_VALUE_FILE,
    .run = cmd_render,
};
