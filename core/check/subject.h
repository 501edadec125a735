/* core/check/subject.h: the plugin under check, as a child has it loaded, and its stores. */
#ifndef ES_CHECK_SUBJECT_H
#define ES_CHECK_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/check/options.h"
#include "core/check/script.h"
#include "core/plugin/registry.h"
#include "core/plugin/services.h"
#include "esp/plugin.h"

struct es_subject {
    const struct es_check_opts *opts;
    esp_entry_fn entry;
    const struct esp_plugin *data;
    struct es_registry *registry;
    const struct es_plugin *plugin;
    bool live;     /* http reaches the network, Secrets are those of --secrets */
    size_t rounds; /* of what is repeated: 1000, or 100 with --quick */
};

void es_subject_init(struct es_subject *s, const struct es_check_opts *opts);

/* Maps the module and finds its entry, which is not called. False: reported. */
bool es_subject_map(struct es_subject *s);

/* Maps, calls the entry with the host of watch.h, vets. False: reported. */
bool es_subject_load(struct es_subject *s);

/* A store of the plugin: the spec of the command line with the schema's defaults in it,
 * or an empty one. Lives in one thread at a time. */
struct es_store {
    struct es_subject *subject;
    const struct es_provider *provider;
    const struct esp_store_ops *ops;
    json_t *spec;
    bool fits; /* the spec fits the schema: an instance may be asked for */
    struct es_authority who;
    char *id;                       /* the member "store" of documents */
    const struct es_script *script; /* what the services answer; never NULL */
    bool cancelled;                 /* who.cancelled points here */
    void *instance;
    bool is_open;
};

void es_store_init(struct es_store *st, struct es_subject *s, const struct es_provider *p);
void es_store_fini(struct es_store *st); /* closes it when it is open */

/* Opens it as a core does. When that fails, says so as a skip. */
bool es_store_open(struct es_store *st);
void es_store_close(struct es_store *st); /* fine when it is not open */

/* Calls `fn` for each store that the command line selects; says so when there is none. */
void es_subject_each(struct es_subject *s, void (*fn)(struct es_store *st));

/* The same, with the store opened before, and only where that works. */
void es_subject_each_open(struct es_subject *s, void (*fn)(struct es_store *st));

#endif
