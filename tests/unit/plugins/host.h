/* tests/unit/plugins/host.h: a core for one plugin, made of memory.
 *
 * Loads a plugin as the daemon does, runs its operations one at a time and keeps
 * what they emitted and why they failed. What lies outside is a struct world: an
 * HTTP script, objects of a cluster, a clock. Without one, services that reach
 * the world answer ESP_E_UNSUPPORTED. */
#ifndef TEST_PLUGIN_HOST_H
#define TEST_PLUGIN_HOST_H

#include <esp/plugin.h>

#include <stdbool.h>

/* What was emitted; or, with a status below 0 as its channel, what fail_at said of the reference `key`. */
struct output {
    int32_t channel;
    char *key, *value; /* NUL-terminated copies */
    size_t key_len, value_len;
};

/* One HTTP request that a test expects, and what comes back. What is NULL is not looked at. */
struct exchange {
    const char *method, *url, *body;
    const char *headers; /* "name: value" or "!name" (must not be there) in lines; among others */
    esp_status fails;    /* not ESP_OK: there is no answer, as if the transport had failed */
    int32_t status;
    const char *answer;
    const char *answer_headers; /* "name: value" in lines */
};

/* A value that kube_read or ambient hands out. */
struct object {
    int32_t what;      /* ESP_KUBE_... or ESP_AMBIENT_... */
    const char *ns;    /* kube_read: where it is; else NULL */
    const char *name;  /* NULL ends a list */
    const char *key;   /* kube_read, "" for a whole object; else NULL */
    const char *value; /* NULL: `refused` is the answer */
    esp_status refused;
};

/* A token that sa_token hands out when it is asked for exactly this. */
struct sa_token {
    const char *ns, *account; /* account NULL ends a list */
    const char *audiences;    /* joined with commas */
    uint32_t ttl_s;
    const char *token;
};

/* What surrounds a plugin. Zeroes are a world without anything. */
struct world {
    /* Either a script, in order and to its end (test_script_done), or a function, which
     * answers with test_answer and may be entered by several threads at once. */
    const struct exchange *script;
    size_t script_count, script_at;
    esp_status (*http)(struct world *world, struct esp_call *call, const struct esp_http_request *request,
                       struct esp_http_response *response);
    void *ctx; /* for it */

    /* Renders templates, and answers with test_give; NULL: this core renders none. */
    esp_status (*render)(struct world *world, struct esp_call *call, esp_bytes text, esp_bytes data,
                         esp_bytes *out);

    const char *namespace; /* the consumer's, for what is asked without one; NULL: nobody's, UNDECIDED */
    const struct object *objects, *ambient;
    const struct sa_token *tokens;
    int64_t now_ms;       /* the wall clock; `wait` moves it, and takes no time (atomic) */
    int64_t remaining_ms; /* 0: 30 s; below 0: the deadline has passed */
    int64_t waited_ms;    /* so far, against remaining_ms (atomic) */
    size_t requests;      /* HTTP exchanges so far (atomic) */
};

struct handed; /* memory that a service handed out */

/* One operation: what it said. All but emit_limit and world is reset by the next run. */
struct esp_call {
    struct output *outputs;
    size_t count;
    esp_status failed_with; /* what `fail` was called with, 1 if it was not */
    char why[1100];
    uint64_t retry_after_ms; /* the same call's */
    struct handed *handed;
    size_t emit_limit;   /* emit fails after so many; 0: never */
    struct world *world; /* borrowed; NULL: none */
};

/* Set while the host works on this thread, so that a test that makes allocations fail can spare it. Volatile:
 * compilers know that calloc looks at no variable. */
extern _Thread_local volatile bool test_in_host;

/* The table of the plugin in the file. Fails the test when it does not load. */
const struct esp_plugin *test_load(const char *file);

/* The same for a plugin that is linked in. */
const struct esp_plugin *test_enter(esp_entry_fn entry);

/* Runs an operation; `json` is the document, `values` the secret side. */
esp_status test_run(struct esp_call *call, esp_op op, void *instance, const char *json,
                    const esp_pair *values, size_t value_count);
esp_status test_open(struct esp_call *call, const struct esp_store_ops *ops, const char *json,
                     void **instance);
void test_reset(struct esp_call *call);

/* Gives a request its answer: copies that live as long as the call. `headers` as in struct exchange. */
esp_status test_answer(struct esp_call *call, struct esp_http_response *response, int32_t status,
                       const char *headers, const char *body);

/* A copy of the bytes that lives as long as the call. */
esp_bytes test_give(struct esp_call *call, esp_bytes bytes);

/* The header of a request, NULL if it has none; case does not matter. */
const esp_pair *test_header(const struct esp_http_request *request, const char *name);

/* Fails the test unless the whole script has been used. */
void test_script_done(const struct world *world);

/* The output on VALUE with that key, NULL if there is none. */
const struct output *test_value(const struct esp_call *call, const char *key);

#endif
