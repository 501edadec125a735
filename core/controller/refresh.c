#include "core/controller/refresh.h"

#include "core/base/clock.h"
#include "core/base/cron.h"
#include "core/base/text.h"
#include "core/kube/obj.h"

#define DEFAULT_INTERVAL_MS (60 * 60 * INT64_C(1000))

int64_t es_refresh_interval_ms(const json_t *es)
{
    const char *text = es_obj_str(es, "spec", "refreshInterval");
    int64_t ms;

    if (!*text || es_duration_parse(text, &ms) < 0)
        return DEFAULT_INTERVAL_MS;
    return ms;
}

struct window {
    bool readable, active;
    int64_t edge_ms; /* when it closes, if active; else when it opens next */
};

/* A window is open from each activation of its schedule for `duration`. */
static struct window look_at(const json_t *window, int64_t now_ms)
{
    struct es_cron cron;
    int64_t duration_ms;

    /* What cannot be read is passed over, as the reference does. */
    if (es_cron_parse(&cron, es_obj_str(window, "schedule"), NULL) < 0 ||
        es_duration_parse(es_obj_str(window, "duration"), &duration_ms) < 0)
        return (struct window){0};
    int64_t start = es_cron_next(&cron, now_ms - duration_ms - 1000);
    if (start >= 0 && start <= now_ms && now_ms <= start + duration_ms)
        return (struct window){.readable = true, .active = true, .edge_ms = start + duration_ms};
    return (struct window){.readable = true, .edge_ms = es_cron_next(&cron, now_ms)};
}

/* Permitted now? If not, *ret_edge_ms is when to ask again. */
static bool windows_permit(const json_t *es, int64_t now_ms, int64_t *ret_edge_ms)
{
    const json_t *windows = es_obj_at(es, "spec", "syncWindows", "windows");
    bool deny = es_streq(es_obj_str(es, "spec", "syncWindows", "kind"), "deny");
    bool active = false;
    int64_t edge = INT64_MAX;
    json_t *window;
    size_t i;

    if (!json_array_size(windows))
        return true;
    json_array_foreach (windows, i, window) {
        struct window w = look_at(window, now_ms);
        active = active || w.active;
        if (w.readable && w.edge_ms >= now_ms && w.edge_ms < edge)
            edge = w.edge_ms;
    }
    *ret_edge_ms = edge;
    return active != deny;
}

bool es_refresh_is_due(const json_t *es, const char *version, int64_t now_ms)
{
    const char *policy = es_obj_str(es, "spec", "refreshPolicy");
    const char *synced = es_obj_str(es, "status", "syncedResourceVersion");
    int64_t refreshed_ms;
    bool never = es_time_parse(es_obj_str(es, "status", "refreshTime"), &refreshed_ms) < 0;

    if (es_streq(policy, "CreatedOnce"))
        return !*synced || never;
    if (es_streq(policy, "OnChange"))
        return !*synced || never || !es_streq(synced, version);

    int64_t interval = es_refresh_interval_ms(es);
    if (interval <= 0 && *synced)
        return false;
    if (!es_streq(synced, version) || never || refreshed_ms > now_ms)
        return true;
    if (refreshed_ms + interval >= now_ms)
        return false;
    int64_t edge_ms;
    return windows_permit(es, now_ms, &edge_ms);
}

bool es_refresh_is_periodic(const json_t *es)
{
    const char *policy = es_obj_str(es, "spec", "refreshPolicy");
    return !*policy || es_streq(policy, "Periodic");
}

int64_t es_refresh_after_ms(const json_t *es, int64_t now_ms)
{
    int64_t interval = es_refresh_interval_ms(es);
    int64_t refreshed_ms, edge_ms;

    if (interval <= 0)
        return -1;
    /* Changes and a lost target arrive as events; nothing falls due by time. */
    if (!es_refresh_is_periodic(es) ||
        es_time_parse(es_obj_str(es, "status", "refreshTime"), &refreshed_ms) < 0)
        return interval;
    int64_t elapsed = now_ms - refreshed_ms;
    if (elapsed < 0)
        return 0;
    /* One more millisecond: "due" means strictly later than the interval. */
    if (elapsed <= interval)
        return interval - elapsed + 1;
    if (windows_permit(es, now_ms, &edge_ms))
        return 0;
    int64_t wait = edge_ms == INT64_MAX ? interval : edge_ms - now_ms + 1;
    return wait < 1000 ? 1000 : wait;
}

int64_t es_refresh_after_sync_ms(const json_t *es)
{
    int64_t interval = es_refresh_interval_ms(es);
    return interval <= 0 ? -1 : interval;
}
