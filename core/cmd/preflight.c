/* esod preflight: what could be wrong with a cluster, before esod runs there. */
#include "core/preflight/preflight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/cmd/cmd.h"
#include "core/cmd/load.h"
#include "core/cmd/login.h"
#include "core/cmd/providers.h"
#include "core/kube/obj.h"
#include "core/ops/process.h"
#include "core/ops/rights.h"

#define OUTPUT_MAX ((size_t)1 << 20)

#define SKIPS_MAX 16

struct wish {
    bool json, rights;
    const char *account; /* NAMESPACE/NAME, or NULL */
    const char *skips[SKIPS_MAX];
    size_t skip_count;
};

/* ---- arguments ---- */

/* The value of --FLAG VALUE or --FLAG=VALUE; "": it is another flag; NULL: there is no value. */
static const char *read_value(int argc, char **argv, int *i, const char *flag)
{
    const char *a = argv[*i];
    size_t len = strlen(flag);

    if (!es_str_starts(a, flag) || (a[len] && a[len] != '='))
        return "";
    if (a[len])
        return a[len + 1] ? a + len + 1 : NULL;
    return *i + 1 < argc && *argv[*i + 1] ? argv[++*i] : NULL;
}

static int take_output(struct wish *w, const char *argument, const char *form, struct es_error *err)
{
    w->json = es_streq(form, "json");
    if (w->json || es_streq(form, "text"))
        return 0;
    return es_error_set(err, ES_E_CONFIG, "preflight: %s is text or json%s%s", argument, form ? ", not " : "",
                        form ? form : "");
}

static int take_account(struct wish *w, const char *value, struct es_error *err)
{
    const char *slash = value ? strchr(value, '/') : NULL;

    w->account = value;
    if (slash && slash > value && slash[1] && !strchr(slash + 1, '/'))
        return 0;
    return es_error_set(err, ES_E_CONFIG, "preflight: --service-account is NAMESPACE/NAME%s%s",
                        value ? ", not " : "", value ? value : "");
}

static int take_skip(struct wish *w, const char *value, struct es_error *err)
{
    for (const struct es_check *c = es_checks; c->name; c++)
        if (es_streq(value, c->name) && w->skip_count < SKIPS_MAX) {
            w->skips[w->skip_count++] = c->name;
            return 0;
        }
    return es_error_set(err, ES_E_CONFIG,
                        "preflight: --skip: there is no check \"%s\"; see esod preflight --help",
                        value ? value : "");
}

static int read_argument(struct wish *w, int argc, char **argv, int *i, struct es_error *err)
{
    const char *argument = argv[*i], *value = es_read_output(argc, argv, i);

    if (!value || *value)
        return take_output(w, argument, value, err);
    value = read_value(argc, argv, i, "--service-account");
    if (!value || *value)
        return take_account(w, value, err);
    value = read_value(argc, argv, i, "--skip");
    if (!value || *value)
        return take_skip(w, value, err);
    if (!es_streq(argument, "--rights"))
        return es_error_set(err, ES_E_CONFIG, "preflight: unknown argument \"%s\"; see esod preflight --help",
                            argument);
    w->rights = true;
    return 0;
}

/* ---- --rights ---- */

static void print_right(const struct es_config *c, const char *lease_ns, const struct es_right *r)
{
    const char *ns = es_right_namespace(r, c, lease_ns);
    char name[ES_RIGHT_NAME_MAX], what[400], verbs[64];

    const char *object = r->object ? r->object(c) : "";
    snprintf(what, sizeof what, "%s%s%s", es_right_name(r, name), *object ? " " : "", object);
    snprintf(verbs, sizeof verbs, "%s", r->verbs);
    for (char *at = verbs; *at; at++)
        *at = *at == ' ' ? ',' : *at;
    printf("%-22s %-52s %-14s %s%s\n", verbs, what, *ns ? ns : "(cluster)",
           r->required ? "" : "optional: ", r->purpose);
}

static int print_rights(const struct es_config *c, const char *lease_ns, bool json, struct es_error *err)
{
    json_t *rules = json ? es_rights_rules(c, lease_ns) : NULL;

    if (json)
        return es_print_json(json_pack("{s:o}", "rules", rules), err);
    printf("%-22s %-52s %-14s %s\n", "VERBS", "RESOURCE", "NAMESPACE", "WHAT FOR");
    for (const struct es_right *r = es_rights_table; r->resource; r++)
        if (es_right_wanted(r, c))
            print_right(c, lease_ns, r);
    return 0;
}

/* ---- the checks ---- */

struct flight {
    const struct es_config *config;
    struct wish wish;
    char account_ns[256];
    struct es_report report;
    struct es_http *http;
    struct es_kube *kube;
    struct es_registry *registry;
    struct es_crds *crds;
};

static void plugin_refused(void *ctx, const struct es_error *err)
{
    es_report_add(ctx, "plugins", ES_FAILED, "%s", err->text);
    es_report_remedy(ctx, "esod run does not start like this, unless that plugin is optional: true");
}

static bool is_skipped(const struct wish *w, const char *check)
{
    for (size_t i = 0; i < w->skip_count; i++)
        if (es_streq(w->skips[i], check))
            return true;
    return false;
}

static void check_all(struct flight *f, struct es_preflight *p)
{
    bool cluster = p->kube != NULL;

    for (const struct es_check *c = es_checks; c->name; c++)
        if (!is_skipped(&f->wish, c->name) && (cluster || !c->of_cluster) && c->run(p) < 0 && c->of_cluster)
            cluster = false;
    if (!cluster)
        es_report_add(p->report, "the rest", ES_UNCHECKED, "what else there is to ask of the cluster");
}

static int connect(struct flight *f, struct es_error *err)
{
    int rc = es_http_new(&f->http, NULL, err);

    if (rc < 0)
        return rc;
    struct es_error why = ES_ERROR_INIT;
    rc = es_connect(&f->kube, f->http, f->config, &why);
    if (rc < 0) {
        es_report_add(&f->report, "login", ES_FAILED, "%s", why.text);
        es_report_remedy(&f->report,
                         "--kubeconfig FILE, or $KUBECONFIG; in a pod, automountServiceAccountToken: "
                         "true");
    }
    return 0;
}

static int load(struct flight *f, struct es_error *err)
{
    const struct es_services services = {0};
    bool quiet = is_skipped(&f->wish, "plugins");
    struct es_report none;

    es_report_init(&none);
    int rc = es_load_plugins_that_can(&f->registry, f->config, &services, plugin_refused,
                                      quiet ? &none : &f->report, err);
    es_report_fini(&none);
    return rc < 0 ? rc : es_crds_of_registry(&f->crds, f->registry, err);
}

/* In a pod, and in a context that names none, the Lease is where the login is at home. */
static const char *lease_namespace(const struct flight *f, const char *account_ns)
{
    if (f->config->lease_ns)
        return f->config->lease_ns;
    if (account_ns)
        return account_ns;
    return f->kube ? es_kube_config_namespace(es_kube_config_of(f->kube)) : "default";
}

static int print_report(const struct es_report *r, bool json, struct es_error *err)
{
    struct es_buf out;

    if (!es_report_complete(r))
        return es_error_nomem(err);
    if (json)
        return es_print_json(es_report_json(r), err);
    es_buf_init(&out, OUTPUT_MAX);
    es_report_text(r, &out);
    fwrite(es_buf_str(&out), 1, out.len, stdout);
    es_buf_fini(&out);
    return 0;
}

static int fly(struct flight *f, struct es_error *err)
{
    struct es_preflight p = {.config = f->config, .report = &f->report};

    if (f->wish.account) {
        p.account_ns = f->account_ns;
        p.account = es_key_split(f->wish.account, f->account_ns);
    }
    /* Plugins first: their processes are not to inherit connections. */
    int rc = load(f, err);
    if (rc == 0)
        rc = connect(f, err);
    if (rc < 0)
        return rc;
    p.kube = f->kube;
    p.registry = f->registry;
    p.crds = f->crds;
    p.lease_ns = lease_namespace(f, p.account_ns);
    check_all(f, &p);
    es_preflight_fini(&p);
    return print_report(&f->report, f->wish.json, err);
}

static void land(struct flight *f)
{
    es_kube_free(f->kube);
    es_http_free(f->http);
    es_crds_free(f->crds);
    es_registry_free(f->registry);
    es_report_fini(&f->report);
}

/* The namespace is known without asking anybody. */
static int tell_rights(struct flight *f, struct es_error *err)
{
    int rc = es_http_new(&f->http, NULL, err);

    if (rc < 0)
        return rc;
    if (!f->wish.account && !f->config->lease_ns && es_connect(&f->kube, f->http, f->config, NULL) < 0)
        f->kube = NULL;
    if (f->wish.account)
        es_key_split(f->wish.account, f->account_ns);
    return print_rights(f->config, lease_namespace(f, f->wish.account ? f->account_ns : NULL), f->wish.json,
                        err);
}

static int cmd_preflight(int argc, char **argv)
{
    struct es_config config;
    struct es_error err = ES_ERROR_INIT;
    int rc = 0;

    if (es_wants_help(argc, argv))
        return es_print_help(&es_command_preflight);
    argc--, argv++;
    if (es_config_load(&config, ES_FOR_RUN, &argc, argv, &err) < 0)
        return es_complain(&err);
    struct flight f = {.config = &config};
    for (int i = 0; rc == 0 && i < argc; i++)
        rc = read_argument(&f.wish, argc, argv, &i, &err);
    es_log_from_config(&config, ES_WARN);
    es_process_harden();
    es_report_init(&f.report);
    if (rc == 0)
        rc = f.wish.rights ? tell_rights(&f, &err) : fly(&f, &err);
    bool failed = f.report.counts[ES_FAILED] > 0;
    land(&f);
    es_config_fini(&config);
    return es_end_command(rc, failed, &err);
}

/* ---- what people are told ---- */

static const struct es_flag flags[] = {
    {.name = "service-account",
     .value = "NAMESPACE/NAME",
     .help = "Ask for the rights of this one, not of whoever logs in."},
    {.name = "skip",
     .value = "CHECK",
     .words = "plugins|addresses|server|login|definitions|webhooks|rights|operators|objects",
     .help = "Leave out a check: plugins, addresses, server, login, definitions, webhooks, rights, operators "
             "or objects; may be given again."},
    {.name = "rights", .help = "Print the rights that these settings need, and ask nobody."},
    {.name = "output", .letter = 'o', .value = "text|json", .fallback = "text", .help = "Format."},
    {0},
};

const struct es_command es_command_preflight = {
    .name = "preflight",
    .summary = "ask a cluster what could be wrong before esod runs there",
    .usage = "esod preflight [--service-account NAMESPACE/NAME] [--skip CHECK] [-o text|json] [FLAGS]\n"
             "esod preflight --rights [-o text|json] [FLAGS]",
    .about =
        "Asks a cluster what could be wrong before esod runs there with these settings, which are those of\n"
        "`esod run`, and says what to do about it. Nothing is changed. Exit code 1: something FAILED.",
    .settings = ES_FOR_RUN,
    .flags = flags,
    .run = cmd_preflight,
};
