/* Writes down what the core and a plugin's process say to each other, as inputs for
 * wire_fuzz, talk_fuzz and runner_fuzz:
 *
 *   fuzz_record RUNNER PLUGIN FOLDER
 *
 * The linker sends the core's recv and send here (--wrap). tests/fuzz/corpus was made
 * this way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/base/log.h"
#include "core/plugin/call.h"
#include "core/wire/message.h"

ssize_t __real_recv(int fd, void *into, size_t room, int flags);
ssize_t __real_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *into, size_t room, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);

struct tape {
    unsigned char bytes[4096];
    size_t len;
};

static struct tape heard, said;

static void note(struct tape *t, const void *data, ssize_t len)
{
    if (len <= 0 || (size_t)len > sizeof t->bytes - t->len)
        return;
    memcpy(t->bytes + t->len, data, (size_t)len);
    t->len += (size_t)len;
}

ssize_t __wrap_recv(int fd, void *into, size_t room, int flags)
{
    ssize_t n = __real_recv(fd, into, room, flags);
    note(&heard, into, n);
    return n;
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
    ssize_t n = __real_send(fd, data, len, flags);
    note(&said, data, n);
    return n;
}

/* A lane's calls count up. In a test each is the first. */
static void number_anew(struct tape *t)
{
    const uint16_t first = 1;
    uint32_t len;

    for (size_t at = 0; at + 8 <= t->len; at += 8 + len) {
        memcpy(&len, t->bytes + at, sizeof len);
        memcpy(t->bytes + at + 6, &first, sizeof first);
    }
}

/* `first` is the byte that stands before the conversation; NOTHING: none does. */
#define NOTHING (-1)
static void write_down(const char *folder, const char *target, const char *name, int first,
                       const struct tape *t)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, target);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", folder, target, name);
    FILE *f = fopen(path, "wb");
    if (!f || (first != NOTHING && fputc(first, f) == EOF) || fwrite(t->bytes, 1, t->len, f) != t->len ||
        fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

static void start_over(void)
{
    heard.len = said.len = 0;
}

/* ---- the conversation ---- */

static struct es_authority who = {.store_kind = "ClusterSecretStore",
                                  .store_namespace = "",
                                  .store_name = "s",
                                  .consumer_namespace = "team"};
static const char *folder;

/* One call, as es_instance makes it. */
static void *record(const struct es_registry *r, const struct es_provider *p, enum es_op op, void *instance)
{
    static const esp_pair values[] = {{{(const uint8_t *)"a", 1}, {(const uint8_t *)"from a Secret", 13}}};
    static const char json[] = "{\"key\":\"k\",\"property\":\"\",\"namespace\":\"team\"}";
    const struct esp_store_ops *s = p->component->store;
    const esp_op ops[ES_OPS] = {
        [ES_OP_CHECK] = s->check,     [ES_OP_VALIDATE] = s->validate,   [ES_OP_GET] = s->get,
        [ES_OP_GET_MAP] = s->get_map, [ES_OP_GET_BATCH] = s->get_batch, [ES_OP_LIST] = s->list,
        [ES_OP_EXISTS] = s->exists,   [ES_OP_PUSH] = s->push,           [ES_OP_REMOVE] = s->remove};
    const struct esp_request request = {.size = sizeof request,
                                        .json = {(const uint8_t *)json, sizeof json - 1},
                                        .values = values,
                                        .value_count = op == ES_OP_PUSH};
    struct esp_call call;
    char name[32];

    start_over();
    es_call_begin(&call, r, p->plugin, p->component, op, &who);
    call.ref_count = 3;
    if (op == ES_OP_CONFIGURE)
        p->plugin->data->configure(&call, &request);
    else if (op == ES_OP_OPEN)
        s->open(&call, &request, &instance);
    else if (op == ES_OP_CLOSE)
        s->close(instance, &call);
    else
        ops[op](instance, &call, &request);
    es_call_end(&call);
    number_anew(&heard);
    write_down(folder, "talk", es_op_name(op), op, &heard);
    write_down(folder, "runner", es_op_name(op), NOTHING, &said);
    if (op == ES_OP_GET || op == ES_OP_PUSH) { /* the richest of each side */
        snprintf(name, sizeof name, "%s-core", es_op_name(op));
        write_down(folder, "wire", es_op_name(op), 0, &heard);
        write_down(folder, "wire", name, 7, &said);
    }
    return instance;
}

static void record_all(const struct es_registry *r, const struct es_provider *p)
{
    record(r, p, ES_OP_CONFIGURE, NULL);
    record(r, p, ES_OP_CHECK, NULL);
    void *instance = record(r, p, ES_OP_OPEN, NULL);
    for (enum es_op op = ES_OP_VALIDATE; op < ES_OPS; op++)
        record(r, p, op, instance);
    record(r, p, ES_OP_CLOSE, instance);
}

/* There is no network here, so this one is made up. */
static void write_response(void)
{
    const esp_pair header = {{(const uint8_t *)"content-type", 12}, {(const uint8_t *)"text/plain", 10}};
    const struct esp_http_response a = {
        .status = 200, .headers = &header, .header_count = 1, .body = {(const uint8_t *)"body", 4}};
    struct es_link l;

    es_link_init(&l, -1);
    es_put_begin(&l, ES_MSG_REPLY);
    es_put_http_response(&l, &a);
    es_put_end(&l);
    start_over();
    note(&said, l.out, (ssize_t)l.out_len);
    es_link_fini(&l);
    write_down(folder, "wire", "http-response", 0, &said);
}

int main(int argc, char **argv)
{
    struct es_registry *registry = NULL;
    struct es_error err = ES_ERROR_INIT;
    const struct es_plugin *const *plugins;

    if (argc != 4) {
        fprintf(stderr, "usage: %s RUNNER PLUGIN FOLDER\n", argv[0]);
        return 2;
    }
    const struct es_isolation_opts process = {.isolation = ES_ISOLATION_PROCESS, .runner = argv[1]};
    const struct es_plugin_entry entry = {.name = argv[2]};
    folder = argv[3];
    mkdir(folder, 0777);
    es_log_init(&(struct es_log_opts){.level = ES_DEBUG, .fd = 2});
    who.spec = json_pack("{s:s, s:s}", "secret", "creds", "account", "robot");
    if (es_registry_new(&registry, NULL, &err) == 0)
        es_registry_isolate(registry, &process);
    if (!registry || es_registry_load(registry, NULL, &entry, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    write_down(folder, "wire", "tables", 0, &heard);
    write_down(folder, "wire", "hello", 3, &said);
    es_registry_plugins(registry, &plugins);
    record_all(registry, plugins[0]->providers);
    write_response();
    es_registry_free(registry);
    json_decref((json_t *)who.spec);
    return 0;
}
