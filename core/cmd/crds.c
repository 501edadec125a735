/* esod crds: the CustomResourceDefinitions, made of the core's documents and the
 * schemas of the plugins. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/text.h"
#include "core/cmd/cmd.h"
#include "core/cmd/load.h"
#include "core/cmd/providers.h"
#include "core/plugin/crd.h"

#define OUTPUT_MAX ((size_t)64 << 20)

static int read_format(int argc, char **argv, enum es_crd_format *ret, struct es_error *err)
{
    for (int i = 0; i < argc; i++) {
        const char *argument = argv[i], *form = es_read_output(argc, argv, &i);
        if (es_streq(form, "yaml"))
            *ret = ES_CRD_YAML;
        else if (es_streq(form, "json"))
            *ret = ES_CRD_JSON;
        else if (form && !*form)
            return es_error_set(err, ES_E_CONFIG, "crds: unknown argument \"%s\"; see esod crds --help",
                                argument);
        else
            return es_error_set(err, ES_E_CONFIG, "crds: %s is yaml or json%s%s", argument,
                                form ? ", not " : "", form ? form : "");
    }
    return 0;
}

static int cmd_crds(int argc, char **argv)
{
    struct es_config config;
    struct es_registry *registry = NULL;
    struct es_crds *crds = NULL;
    struct es_services services = {0};
    struct es_error err = ES_ERROR_INIT;
    enum es_crd_format format = ES_CRD_YAML;
    struct es_buf out;

    if (es_wants_help(argc, argv))
        return es_print_help(&es_command_crds);
    argc--, argv++;
    if (es_config_load(&config, ES_FOR_PLUGINS, &argc, argv, &err) < 0)
        return es_complain(&err);
    es_buf_init(&out, OUTPUT_MAX);
    int rc = read_format(argc, argv, &format, &err);
    if (rc == 0)
        rc = es_load_plugins(&registry, &config, &services, &err);
    if (rc == 0)
        rc = es_crds_of_registry(&crds, registry, &err);
    if (rc == 0)
        rc = es_crds_write(&out, crds, format, &err);
    if (rc == 0)
        fwrite(es_buf_str(&out), 1, out.len, stdout);
    es_buf_fini(&out);
    es_crds_free(crds);
    es_registry_free(registry);
    es_config_fini(&config);
    return rc < 0 ? es_complain(&err) : es_flush_stdout();
}

/* ---- what people are told ---- */

static const struct es_flag flags[] = {
    {.name = "output", .letter = 'o', .value = "yaml|json", .fallback = "yaml", .help = "Format."},
    {0},
};

const struct es_command es_command_crds = {
    .name = "crds",
    .summary = "print the CustomResourceDefinitions for the installed plugins",
    .usage = "esod crds [-o yaml|json] [FLAGS] | kubectl apply --server-side -f -",
    .about =
        "Prints the CustomResourceDefinitions. The plugins that the configuration lists, or all that are\n"
        "installed, say what may stand under spec.provider of a store.",
    .settings = ES_FOR_PLUGINS,
    .flags = flags,
    .run = cmd_crds,
};
