/* Webhooks that the reference operator leaves behind refuse every edit of stores and
 * ExternalSecrets, since nobody answers any more. */
#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/preflight/own.h"

#define CHECK "webhooks"

static const struct es_kind configuration = {.group = "admissionregistration.k8s.io",
                                             .version = "v1",
                                             .plural = "validatingwebhookconfigurations",
                                             .kind = "ValidatingWebhookConfiguration"};

static bool is_about_us(const json_t *webhook)
{
    json_t *rule, *group;
    size_t i, k;

    json_array_foreach (es_obj_at(webhook, "rules"), i, rule)
        json_array_foreach (es_obj_at(rule, "apiGroups"), k, group)
            if (es_streq(json_string_value(group), ES_GROUP))
                return true;
    return false;
}

static void tell(struct es_preflight *p, const char *name, const json_t *webhook)
{
    const json_t *client = es_obj_at(webhook, "clientConfig");
    enum es_behind behind = es_check_behind(p, client);
    bool gone = behind == ES_NO_SERVICE || behind == ES_NO_ENDPOINT,
         ignored = es_streq(es_obj_str(webhook, "failurePolicy"), "Ignore");
    char text[ES_BEHIND_TEXT_MAX];

    es_report_add(p->report, CHECK, gone && !ignored ? ES_FAILED : ES_WARNING,
                  "ValidatingWebhookConfiguration %s, which is not esod's, checks every write of %s: %s%s",
                  name, ES_GROUP, es_check_behind_text(client, behind, text),
                  gone && !ignored ? ", so every write is refused" : "");
    es_report_remedy(p->report,
                     "%skubectl delete validatingwebhookconfiguration %s (esod's definitions have its rules "
                     "in them)",
                     gone ? "" : "when the operator that it belongs to is taken away: ", name);
}

int es_check_webhooks(struct es_preflight *p)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *all = NULL, *each, *webhook;
    size_t i, k, found = 0;

    if (es_check_list(p, &configuration, NULL, NULL, &all, &err) < 0) {
        es_check_unasked(p, CHECK, "webhooks that others may have left behind", &err);
        return 0;
    }
    json_array_foreach (all, i, each)
        json_array_foreach (es_obj_at(each, "webhooks"), k, webhook)
            if (is_about_us(webhook)) {
                tell(p, es_obj_name(each), webhook);
                found++;
                break;
            }
    if (!found)
        es_report_add(p->report, CHECK, ES_FINE, "none stands between this and the objects of %s", ES_GROUP);
    json_decref(all);
    return 0;
}
