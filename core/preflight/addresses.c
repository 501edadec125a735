/* Could esod serve its pages here? */
#include "core/base/text.h"
#include "core/ops/server.h"
#include "core/preflight/own.h"

#define CHECK "addresses"

static void check_address(struct es_preflight *p, const char *setting, const char *flag, const char *address)
{
    struct es_error err = ES_ERROR_INIT;

    if (es_str_empty(address) || es_streq(address, "0")) {
        es_report_add(p->report, CHECK, ES_FINE, "%s: switched off", setting);
    } else if (es_server_try(address, &err) < 0) {
        es_report_add(p->report, CHECK, ES_FAILED, "%s: %s", setting, err.text);
        es_report_remedy(p->report,
                         "another esod may run here; set %s (--%s) to an address that is free, or 0 for none",
                         setting, flag);
    } else {
        es_report_add(p->report, CHECK, ES_FINE, "%s: %s is free", setting, address);
    }
}

int es_check_addresses(struct es_preflight *p)
{
    check_address(p, "metricsAddr", "metrics-addr", p->config->metrics_addr);
    check_address(p, "liveAddr", "live-addr", p->config->live_addr);
    return 0;
}
