/* core/preflight/preflight.h: asks a cluster everything that can be wrong with it
 * before esod runs there. Reads only; what is reviewed is asked, not tried. */
#ifndef ES_PREFLIGHT_PREFLIGHT_H
#define ES_PREFLIGHT_PREFLIGHT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/kube/client.h"
#include "core/ops/config.h"
#include "core/plugin/crd.h"
#include "core/plugin/registry.h"
#include "core/preflight/report.h"

struct es_preflight {
    const struct es_config *config;
    struct es_kube *kube;
    const struct es_registry *registry; /* what of the plugins could be loaded */
    const struct es_crds *crds;         /* the definitions for these */
    const char *lease_ns;               /* of the Lease, and of whoever logs in */
    /* Whose rights are in question; NULL: those of the login. */
    const char *account_ns, *account;
    struct es_report *report;

    /* Found on the way, for later checks. */
    int64_t ahead_ms; /* the API server's clock, against ours */
    char *user;       /* who the rights are asked for; es_mem_free */
};

/* The checks, in an order in which each may build on what came before. */
struct es_check {
    const char *name; /* for --skip, and in the report */
    /* Whether it is about the cluster: what is not is checked without one, too. */
    bool of_cluster;
    /* Notes what it finds. < 0: there is no use in asking the cluster any more. */
    int (*run)(struct es_preflight *p);
};
extern const struct es_check es_checks[]; /* a row of zeroes at the end */

void es_preflight_fini(struct es_preflight *p);

#endif
