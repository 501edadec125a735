/* A call into a process that says what it likes: the input is all that the process
 * sends, after a byte that chooses the operation and whether it then hangs or goes. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/plugin/remote_talk.h"
#include "tests/fuzz/fuzz.h"

#define HANGS 0x80
#define REFERENCES 3

/* ---- a world without network ---- */

static int give(struct es_blob *ret, struct es_error *err)
{
    return es_blob_set(ret, "a value", 7) < 0 ? es_error_nomem(err) : 0;
}

static int kube_read(void *ctx, const struct es_authority *whom, enum es_kube_read what, const char *ns,
                     const char *name, const char *key, struct es_blob *ret, struct es_error *err)
{
    (void)ctx;
    (void)whom;
    (void)ns;
    REQUIRE(what <= ES_READ_SECRET_OBJECT && *name); /* the block names no "" */
    return *key ? give(ret, err) : es_error_set(err, ES_E_NOT_FOUND, "no such key");
}

static int sa_token(void *ctx, const struct es_authority *whom, const char *ns, const char *name,
                    const char *const *audiences, size_t audience_count, int64_t ttl_s, struct es_blob *ret,
                    struct es_error *err)
{
    (void)ctx;
    (void)whom;
    (void)ns;
    REQUIRE(*name && ttl_s >= 600 && ttl_s <= 86400);
    for (size_t i = 0; i < audience_count; i++)
        REQUIRE(strlen(audiences[i]) <= 1024);
    return give(ret, err);
}

static int render(void *ctx, const char *name, const char *text, size_t len, const json_t *data,
                  struct es_blob *ret, struct es_error *err)
{
    (void)ctx;
    (void)name;
    REQUIRE(json_is_object(data));
    return es_blob_set(ret, text, len) < 0 ? es_error_nomem(err) : 0;
}

static struct es_registry *registry;
static struct es_authority who;
static const char *const ambient[] = {"env:FUZZ_*", "file:$FUZZ_FILE", "file:/dev/null", NULL};
static const struct esp_plugin data_of_plugin = {
    .size = sizeof data_of_plugin, .name = "fuzz", .ambient = ambient};
static const struct esp_component component = {.size = sizeof component, .name = "fuzz"};
static const struct es_plugin plugin = {.name = "fuzz", .data = &data_of_plugin};

static void set_up(void)
{
    static const struct es_services services = {
        .kube_read = kube_read, .sa_token = sa_token, .render = render};
    const struct es_log_opts quiet = {.level = ES_DEBUG, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)};
    struct es_error err = ES_ERROR_INIT;

    es_mem_init();
    es_log_init(&quiet);
    REQUIRE(setenv("FUZZ_VALUE", "a value", 1) == 0);
    REQUIRE(es_registry_new(&registry, &services, &err) == 0);
    who = (struct es_authority){.store_kind = "ClusterSecretStore",
                                .store_namespace = "",
                                .store_name = "store",
                                .consumer_namespace = "team",
                                .spec = json_pack("{s:s, s:s}", "secret", "creds", "account", "robot")};
    REQUIRE(who.spec);
}

/* ---- a call ---- */

static void check_text(const char *text)
{
    for (const char *p = text; *p; p++)
        REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7F);
}

/* Whatever was said, this is what the rest of the core relies on. */
static void check(const struct esp_call *c, enum es_talk result, esp_status status, const char *why)
{
    struct es_error err = ES_ERROR_INIT;
    size_t bytes = 0;

    REQUIRE(c->output_count <= es_op_max_outputs(c->op));
    for (size_t i = 0; i < c->output_count; i++) {
        const char *key = c->outputs[i].key;
        bytes += (key ? strlen(key) : 0) + c->outputs[i].value.len;
    }
    REQUIRE(bytes == c->output_bytes && bytes <= ES_CALL_MAX_BYTES);
    for (const struct es_fault *f = c->faults; f; f = f->next) {
        REQUIRE(f->index < REFERENCES && f->code < 0);
        check_text(f->why);
    }
    REQUIRE((result == ES_TALK_CONDEMN) == (*why != '\0'));
    check_text(why);
    if (result == ES_TALK_DONE && es_call_settle(c, status, &err) < 0)
        check_text(err.text);
}

static void talk(struct es_link *lane, enum es_op op, int64_t time_ms)
{
    static const uint8_t json[] = "{}";
    struct esp_call call;
    esp_status status = ESP_E_INTERNAL;
    uint64_t instance = 0;
    char why[ES_TALK_WHY_MAX] = "";

    who.deadline_ms = es_mono_ms() + time_ms;
    es_call_begin(&call, registry, &plugin, &component, op, &who);
    call.ref_count = REFERENCES;
    const struct es_wire_call asked = {.op = op, .deadline_ms = who.deadline_ms, .json = {json, 2}};
    enum es_talk result = es_talk(lane, &call, &asked, 1, &status, &instance, why);
    check(&call, result, status, why);
    REQUIRE(es_mono_ms() < who.deadline_ms + 5000);
    es_call_end(&call);
}

/* A hanging process shows that the clock is looked at; the others are seldom asked to
 * wait so long that they are late. The answers that nobody takes have to fit into the socket. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct timeval tick = {.tv_usec = 1000};
    const int room = 1 << 20;
    struct es_link lane;
    int pair[2];

    if (!registry)
        set_up();
    if (!size)
        return 0;
    bool hangs = *data & HANGS;
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    for (int i = 0; i < 2; i++) {
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
        setsockopt(pair[i], SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof tick);
        setsockopt(pair[i], SOL_SOCKET, SO_SNDTIMEO, &tick, sizeof tick);
    }
    if (send(pair[1], data + 1, size - 1, MSG_NOSIGNAL) < 0)
        REQUIRE(size == 1);
    if (!hangs)
        shutdown(pair[1], SHUT_WR);
    es_link_init(&lane, pair[0]);
    talk(&lane, (enum es_op)((*data & ~HANGS) % ES_OPS), hangs ? 2 : 100);
    es_link_fini(&lane);
    close(pair[1]);
    return 0;
}
