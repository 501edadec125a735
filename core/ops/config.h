/* core/ops/config.h: settings, from the defaults, the file and the flags.
 *
 * One table (config.c) declares every setting: its flag, its key in the file,
 * type, default and help. Parsing, checking, --help and the reference page in
 * docs/ all come from it. */
#ifndef ES_OPS_CONFIG_H
#define ES_OPS_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/usage.h"
#include "core/plugin/registry.h"

#define ES_CONFIG_LIST_MAX 64

struct es_config {
    const char *config; /* the file that was read, or NULL */
    const char *kubeconfig, *context, *ns;
    const char *metrics_addr, *live_addr;
    const char *metrics_cert_dir, *metrics_cert_name, *metrics_key_name;
    bool metrics_secure, metrics_auth, metric_labels;
    const char *controller_class;
    const char *template_left, *template_right;
    const char *log_level, *log_time, *log_format;
    int64_t concurrent;
    double client_qps;
    int64_t client_burst;
    int64_t store_requeue_ms, shutdown_grace_ms, read_window_ms;
    bool cluster_stores, secret_stores, push_secrets, flood_gate, generic_targets;
    bool cluster_external_secrets, cluster_push_secrets;
    bool elect;                                       /* one of several replicas leads */
    const char *lease_name, *lease_ns;                /* ns NULL: that of the login */
    int64_t lease_ms, lease_renew_ms, lease_retry_ms; /* checked against each other if `elect` */
    const char *runner;          /* esod-plugin-runner: beside the program, or where it was to be installed */
    enum es_isolation isolation; /* of plugins whose entry says nothing: PROCESS or NONE */

    const char *plugin_path[ES_CONFIG_LIST_MAX + 1]; /* NULL at the end */
    struct es_plugin_entry plugins[ES_CONFIG_LIST_MAX];
    size_t plugin_path_count, plugin_count;
    bool plugins_given; /* by file or flag; otherwise all that are installed */

    void *hold; /* owns what the texts above point to */
};

/* Which settings a command takes. */
enum { ES_FOR_RUN = 1, ES_FOR_LOCAL = 2, ES_FOR_PLUGINS = 4, ES_FOR_RENDER = 8, ES_FOR_CRDS = 16 };

/* Reads defaults, then the file (--config, else /etc/esod/esod.yaml if it is
 * there and the command runs a cluster), then the flags. What is no flag is left
 * in argv[0..*argc). `--help` is left alone too. ES_E_CONFIG names the flag, or
 * file:line and key, and the remedy. */
int es_config_load(struct es_config *ret, unsigned command, int *argc, char **argv, struct es_error *err);
void es_config_fini(struct es_config *c);

/* The flags of a command (of several: their sum) one after the other, for --help, the
 * manual and completion. `*at` is 0 at first; false: that was the last one. */
bool es_config_next_flag(size_t *at, unsigned commands, struct es_flag *ret);

/* What the file may say, likewise: first its own keys, then those of an entry of
 * `plugins`. */
struct es_config_key {
    const char *name;
    const char *flag;     /* without dashes; of an entry's keys NULL */
    const char *type;     /* "whole number"; of an entry's keys NULL */
    const char *fallback; /* "": none */
    const char *help;     /* Markdown */
};
bool es_config_next_key(size_t *at, struct es_config_key *ret);
bool es_config_next_plugin_key(size_t *at, struct es_config_key *ret);

/* The tables as Markdown, for docs/configuration.md: the settings, and the keys of an
 * entry of `plugins`. */
void es_config_markdown(struct es_buf *out);
void es_config_plugin_markdown(struct es_buf *out);

/* Flags of the reference that have no effect here and were given: for a warning
 * each. NULL at the end. */
const char *const *es_config_ignored(const struct es_config *c);

#endif
