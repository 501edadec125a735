/* esod crds: the CustomResourceDefinitions, made of the core's documents and the
 * schemas of the plugins. */
#include <stdio.h>

#include "core/base/text.h"
#include "core/cmd/cmd.h"
#include "core/cmd/load.h"
#include "core/cmd/login.h"
#include "core/cmd/providers.h"
#include "core/plugin/crd.h"
#include "core/preflight/apply.h"

#define OUTPUT_MAX ((size_t)64 << 20)

struct wish {
    enum es_crd_format format;
    bool apply, formatted;
    struct es_apply_opts how;
};

static bool take_switch(struct wish *w, const char *argument)
{
    bool *const switches[] = {&w->apply, &w->how.force_conflicts, &w->how.take_over};
    static const char *const flags[] = {"--apply", "--force-conflicts", "--take-over"};

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (es_streq(argument, flags[i])) {
            *switches[i] = true;
            return true;
        }
    return false;
}

static int read_argument(struct wish *w, int argc, char **argv, int *i, struct es_error *err)
{
    const char *argument = argv[*i], *form = es_read_output(argc, argv, i);

    w->formatted = w->formatted || !form || *form;
    if (es_streq(form, "yaml"))
        w->format = ES_CRD_YAML;
    else if (es_streq(form, "json"))
        w->format = ES_CRD_JSON;
    else if (form && !*form)
        return take_switch(w, argument)
                   ? 0
                   : es_error_set(err, ES_E_CONFIG, "crds: unknown argument \"%s\"; see esod crds --help",
                                  argument);
    else
        return es_error_set(err, ES_E_CONFIG, "crds: %s is yaml or json%s%s", argument, form ? ", not " : "",
                            form ? form : "");
    return 0;
}

static int read_arguments(struct wish *w, int argc, char **argv, struct es_error *err)
{
    int rc = 0;

    for (int i = 0; rc == 0 && i < argc; i++)
        rc = read_argument(w, argc, argv, &i, err);
    if (rc == 0 && w->apply && w->formatted)
        return es_error_set(err, ES_E_CONFIG, "crds: --output is for printing; leave it out with --apply");
    if (rc == 0 && !w->apply && (w->how.force_conflicts || w->how.take_over))
        return es_error_set(err, ES_E_CONFIG, "crds: --%s goes with --apply",
                            w->how.take_over ? "take-over" : "force-conflicts");
    return rc;
}

static int print(const struct es_crds *crds, enum es_crd_format format, struct es_error *err)
{
    struct es_buf out;

    es_buf_init(&out, OUTPUT_MAX);
    int rc = es_crds_write(&out, crds, format, err);
    if (rc == 0)
        fwrite(es_buf_str(&out), 1, out.len, stdout);
    es_buf_fini(&out);
    return rc;
}

static void tell_applied(void *ctx, const char *name, const char *done, const struct es_error *err)
{
    bool *failed = ctx;

    if (done)
        printf("%-50s %s\n", name, done);
    else
        fprintf(stderr, "esod: %s\n", err->text);
    *failed = *failed || !done;
}

static int apply(const struct es_config *config, const struct es_crds *crds, const struct es_apply_opts *how,
                 bool *ret_failed, struct es_error *err)
{
    struct es_http *http = NULL;
    struct es_kube *kube = NULL;
    int rc = es_http_new(&http, NULL, err);

    if (rc == 0)
        rc = es_connect(&kube, http, config, err);
    if (rc == 0)
        es_apply_definitions(kube, crds, how, tell_applied, ret_failed);
    es_kube_free(kube);
    es_http_free(http);
    return rc;
}

static int cmd_crds(int argc, char **argv)
{
    struct es_config config;
    struct es_registry *registry = NULL;
    struct es_crds *crds = NULL;
    struct es_services services = {0};
    struct es_error err = ES_ERROR_INIT;
    struct wish wish = {0};
    bool failed = false;

    if (es_wants_help(argc, argv))
        return es_print_help(&es_command_crds);
    argc--, argv++;
    if (es_config_load(&config, es_command_crds.settings, &argc, argv, &err) < 0)
        return es_complain(&err);
    int rc = read_arguments(&wish, argc, argv, &err);
    if (rc == 0)
        rc = es_load_plugins(&registry, &config, &services, &err);
    if (rc == 0)
        rc = es_crds_of_registry(&crds, registry, &err);
    if (rc == 0)
        rc = wish.apply ? apply(&config, crds, &wish.how, &failed, &err) : print(crds, wish.format, &err);
    es_crds_free(crds);
    es_registry_free(registry);
    es_config_fini(&config);
    return es_end_command(rc, failed, &err);
}

/* ---- what people are told ---- */

static const struct es_flag flags[] = {
    {.name = "output", .letter = 'o', .value = "yaml|json", .fallback = "yaml", .help = "Format."},
    {.name = "apply",
     .help = "Install them in the cluster, or bring them up to date, instead. Deletes nothing."},
    {.name = "force-conflicts", .help = "With `--apply`: take over fields that others have set differently."},
    {.name = "take-over",
     .help = "With `--apply`: the same, also of a newer esod or of a Helm release that is not esod's."},
    {0},
};

const struct es_command es_command_crds = {
    .name = "crds",
    .summary = "print or install the CustomResourceDefinitions for the plugins",
    .usage = "esod crds [-o yaml|json] [FLAGS] | kubectl apply --server-side -f -\n"
             "esod crds --apply [--force-conflicts] [--take-over] [FLAGS]",
    .about = "Prints the CustomResourceDefinitions, or installs them. The plugins that the configuration "
             "lists, or\n"
             "all that are installed, say what may stand under spec.provider of a store. Exit code 1 with "
             "`--apply`:\n"
             "not all of them are in place.",
    .settings = ES_FOR_PLUGINS | ES_FOR_CRDS,
    .flags = flags,
    .run = cmd_crds,
};
