#include "core/plugin/remote_talk.h"

#include <stdio.h>

#include "core/base/clock.h"
#include "core/plugin/host.h"

struct talk {
    struct es_link *lane;
    struct esp_call *call;
    int64_t grace_ms;
    int64_t give_up_ms; /* monotonic */
    bool over;          /* nobody wants the result any more ... */
    bool told;          /* ... and the other side knows */
    char *why;
};

static enum es_talk condemn(struct talk *t, const char *what)
{
    snprintf(t->why, ES_TALK_WHY_MAX, "%s %s", es_op_name(t->call->op), what);
    return ES_TALK_CONDEMN;
}

/* ---- the clock ---- */

/* A call that nobody waits for any more gets its grace from now on, wherever it is
 * at the moment. */
static bool gives_up(struct talk *t)
{
    int64_t now = es_mono_ms();

    if (!t->over && es_call_remaining_ms(t->call) <= 0) {
        t->over = true;
        if (now + t->grace_ms < t->give_up_ms)
            t->give_up_ms = now + t->grace_ms;
    }
    return now > t->give_up_ms;
}

/* ---- sending ---- */

/* ES_TALK_DONE: sent. */
static enum es_talk send_all(struct talk *t)
{
    enum es_link_result result;

    while ((result = es_link_flush(t->lane)) == ES_LINK_QUIET)
        if (gives_up(t))
            return condemn(t, "did not take what it asked for");
    if (result == ES_LINK_NOMEM)
        return condemn(t, "could not be answered: out of memory");
    return result == ES_LINK_OK ? ES_TALK_DONE : ES_TALK_ENDED;
}

static void put_reply(struct talk *t, esp_status status)
{
    es_put_begin(t->lane, ES_MSG_REPLY);
    es_put_u32(t->lane, (uint32_t)status);
}

/* An answer that finds no memory becomes a short one: the plugin is not to blame,
 * and neither are the other calls in its process. */
static enum es_talk send_reply(struct talk *t)
{
    es_put_end(t->lane);
    if (t->lane->failed) {
        es_put_forget(t->lane);
        put_reply(t, es_call_service_error(t->call, ES_E_NOMEM, "out of memory"));
        es_put_end(t->lane);
    }
    return send_all(t);
}

static enum es_talk reply_bytes(struct talk *t, esp_status status, esp_bytes out)
{
    put_reply(t, status);
    if (status == ESP_OK)
        es_put_bytes(t->lane, out);
    return send_reply(t);
}

/* ---- services ---- */

static enum es_talk malformed(struct talk *t)
{
    return condemn(t, "sent a frame that makes no sense");
}

static enum es_talk do_http(struct talk *t, struct es_frame *f)
{
    esp_pair headers[ES_WIRE_MAX_HEADERS];
    struct esp_http_request request;
    struct esp_http_response response = {0};

    if (!es_get_http_request(f, &request, &response.size, headers))
        return malformed(t);
    /* Our own struct is whole, whatever the plugin's was: what it did not have is zero. */
    esp_status status = es_host_table.http(t->call, &request, &response);
    put_reply(t, status);
    if (status == ESP_OK)
        es_put_http_response(t->lane, &response);
    return send_reply(t);
}

static enum es_talk do_kube_read(struct talk *t, struct es_frame *f)
{
    int32_t what = (int32_t)es_get_u32(f);
    esp_bytes ns = es_get_bytes(f), name = es_get_bytes(f), key = es_get_bytes(f), out = {0};

    if (!es_get_done(f))
        return malformed(t);
    esp_status status = es_host_table.kube_read(t->call, what, ns, name, key, &out);
    return reply_bytes(t, status, out);
}

static enum es_talk do_sa_token(struct talk *t, struct es_frame *f)
{
    esp_bytes audiences[ES_WIRE_MAX_AUDIENCES], out = {0};
    esp_bytes ns = es_get_bytes(f), account = es_get_bytes(f);
    uint32_t ttl_s = es_get_u32(f);
    size_t count = es_get_count(f, sizeof(uint32_t), ES_WIRE_MAX_AUDIENCES);

    for (size_t i = 0; i < count; i++)
        audiences[i] = es_get_bytes(f);
    if (!es_get_done(f))
        return malformed(t);
    esp_status status = es_host_table.sa_token(t->call, ns, account, audiences, count, ttl_s, &out);
    return reply_bytes(t, status, out);
}

static enum es_talk do_ambient(struct talk *t, struct es_frame *f)
{
    int32_t what = (int32_t)es_get_u32(f);
    esp_bytes name = es_get_bytes(f), out = {0};

    if (!es_get_done(f))
        return malformed(t);
    esp_status status = es_host_table.ambient(t->call, what, name, &out);
    return reply_bytes(t, status, out);
}

static enum es_talk do_render(struct talk *t, struct es_frame *f)
{
    esp_bytes text = es_get_bytes(f), data = es_get_bytes(f), out = {0};

    if (!es_get_done(f))
        return malformed(t);
    esp_status status = es_host_table.render(t->call, text, data, &out);
    return reply_bytes(t, status, out);
}

#if ESP_ABI_MINOR >= 1
static enum es_talk do_wait(struct talk *t, struct es_frame *f)
{
    uint32_t ms = es_get_u32(f);

    if (!es_get_done(f))
        return malformed(t);
    put_reply(t, es_host_table.wait(t->call, ms));
    return send_reply(t);
}
#endif

/* ---- what is handed out ---- */

static enum es_talk take_emit(struct talk *t, struct es_frame *f)
{
    int32_t channel = (int32_t)es_get_u32(f);
    esp_bytes key = es_get_bytes(f), value = es_get_bytes(f);

    if (!es_get_done(f))
        return malformed(t);
    es_call_emit(t->call, channel, key, value); /* a refusal stays with the call */
    return ES_TALK_DONE;
}

static enum es_talk take_refused_emit(struct talk *t, struct es_frame *f)
{
    uint32_t verdict = es_get_u32(f);
    int32_t channel = (int32_t)es_get_u32(f);

    if (!es_get_done(f) || verdict < ES_EMIT_CHANNEL || verdict > ES_EMIT_NUL)
        return malformed(t);
    es_call_refuse_emit(t->call, (enum es_emit_verdict)verdict, channel);
    return ES_TALK_DONE;
}

static enum es_talk take_fail(struct talk *t, struct es_frame *f)
{
    esp_status status = (esp_status)es_get_u32(f);
    uint64_t retry_after_ms = es_get_u64(f);
    esp_bytes why = es_get_bytes(f);

    if (!es_get_done(f))
        return malformed(t);
    es_call_fail(t->call, status, retry_after_ms, why);
    return ES_TALK_DONE;
}

static enum es_talk take_fail_at(struct talk *t, struct es_frame *f)
{
    uint64_t index = es_get_u64(f);
    esp_status status = (esp_status)es_get_u32(f);
    esp_bytes why = es_get_bytes(f);

    if (!es_get_done(f))
        return malformed(t);
    es_call_fail_at(t->call, (size_t)index, status, why);
    return ES_TALK_DONE;
}

static enum es_talk take_log(struct talk *t, struct es_frame *f)
{
    int32_t level = (int32_t)es_get_u32(f);
    esp_bytes line = es_get_bytes(f);

    if (!es_get_done(f))
        return malformed(t);
    es_host_table.log(t->call, level, line);
    return ES_TALK_DONE;
}

static enum es_talk take_return(struct talk *t, struct es_frame *f, esp_status *ret_status,
                                uint64_t *ret_instance)
{
    *ret_status = (esp_status)es_get_u32(f);
    *ret_instance = es_get_u64(f);
    return es_get_done(f) ? ES_TALK_DONE : malformed(t);
}

static enum es_talk take(struct talk *t, struct es_frame *f)
{
    switch (f->type) {
    case ES_MSG_EMIT:
        return take_emit(t, f);
    case ES_MSG_REFUSED_EMIT:
        return take_refused_emit(t, f);
    case ES_MSG_FAIL:
        return take_fail(t, f);
    case ES_MSG_FAIL_AT:
        return take_fail_at(t, f);
    case ES_MSG_LOG:
        return take_log(t, f);
    case ES_MSG_HTTP:
        return do_http(t, f);
    case ES_MSG_KUBE_READ:
        return do_kube_read(t, f);
    case ES_MSG_SA_TOKEN:
        return do_sa_token(t, f);
    case ES_MSG_AMBIENT:
        return do_ambient(t, f);
    case ES_MSG_RENDER:
        return do_render(t, f);
#if ESP_ABI_MINOR >= 1
    case ES_MSG_WAIT:
        return do_wait(t, f);
#endif
    default:
        return malformed(t);
    }
}

/* ---- the call ---- */

/* Tells the plugin when nobody wants the result any more, once, and ends what
 * does not listen. */
static enum es_talk look_at_clock(struct talk *t)
{
    if (gives_up(t))
        return condemn(t, "did not return when its time was over");
    if (!t->over || t->told)
        return ES_TALK_DONE;
    es_put_begin(t->lane, ES_MSG_CANCEL);
    es_put_end(t->lane);
    t->told = !t->lane->failed;
    if (t->told)
        return send_all(t);
    es_put_forget(t->lane); /* no memory for eight bytes: next time */
    return ES_TALK_DONE;
}

/* What does not fit into a frame, or into memory, never leaves: nothing happened
 * to the lane, and the process is not to blame. */
static bool put_call(struct talk *t, const struct es_wire_call *asked, esp_status *ret_status)
{
    t->lane->call++;
    es_put_call(t->lane, asked);
    if (!t->lane->failed)
        return true;
    es_put_forget(t->lane);
    *ret_status = es_call_service_error(t->call, ES_E_NOMEM,
                                        "the request of %s is larger than %zu MiB, or memory is out",
                                        es_op_name(t->call->op), ES_FRAME_MAX >> 20);
    return false;
}

enum es_talk es_talk(struct es_link *lane, struct esp_call *c, const struct es_wire_call *asked,
                     int64_t grace_ms, esp_status *ret_status, uint64_t *ret_instance,
                     char why[ES_TALK_WHY_MAX])
{
    struct talk t = {.lane = lane, .call = c, .grace_ms = grace_ms, .why = why};
    struct es_frame frame = {0};

    t.give_up_ms = asked->deadline_ms + grace_ms;
    if (!put_call(&t, asked, ret_status))
        return ES_TALK_DONE;
    enum es_talk result = send_all(&t);
    while (result == ES_TALK_DONE) {
        enum es_link_result got = es_link_next(lane, &frame);
        if (got == ES_LINK_CLOSED)
            return ES_TALK_ENDED;
        if (got == ES_LINK_BROKEN)
            return malformed(&t);
        if (got == ES_LINK_NOMEM)
            return condemn(&t, "sent more than there is memory for");
        bool last = got == ES_LINK_FRAME && frame.type == ES_MSG_RETURN;
        if (got == ES_LINK_FRAME)
            result = frame.call != lane->call ? condemn(&t, "was answered with another call's frame")
                     : last                   ? take_return(&t, &frame, ret_status, ret_instance)
                                              : take(&t, &frame);
        es_frame_fini(&frame);
        if (last)
            break;
        if (result == ES_TALK_DONE)
            result = look_at_clock(&t);
    }
    return result;
}
