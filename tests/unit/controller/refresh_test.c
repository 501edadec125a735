/* Is it time? Every row of the specification (externalsecret, section 4), and
 * that the answer to "when again" is never a busy loop. */
#include "tests/unit/cluster/cluster_test.h"

#include "core/base/clock.h"
#include "core/controller/refresh.h"

#define VERSION "1-abc"
#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

static int64_t at(const char *when)
{
    int64_t ms;
    assert_int_equal(es_time_parse(when, &ms), 0);
    return ms;
}

/* 2026-11-24 is a Tuesday. */
#define NOW "2026-11-24T12:00:00Z"

static json_t *external_secret(const char *policy, const char *interval, const char *synced,
                               const char *refreshed)
{
    json_t *es = json_object();

    es_obj_set(es, json_object(), "spec");
    if (policy)
        es_obj_set(es, json_string(policy), "spec", "refreshPolicy");
    if (interval)
        es_obj_set(es, json_string(interval), "spec", "refreshInterval");
    if (synced)
        es_obj_set(es, json_string(synced), "status", "syncedResourceVersion");
    if (refreshed)
        es_obj_set(es, json_string(refreshed), "status", "refreshTime");
    return es;
}

/* ---- due or not ---- */

static const struct {
    const char *policy, *interval, *synced, *refreshed;
    bool due;
} rows[] = {
    /* CreatedOnce: until it has been synced, and never after. */
    {"CreatedOnce", "1h", NULL, NULL, true},
    {"CreatedOnce", "1h", "", "2026-11-24T11:59:00Z", true},
    {"CreatedOnce", "1h", VERSION, NULL, true},
    {"CreatedOnce", "1h", VERSION, "2020-01-01T00:00:00Z", false},
    {"CreatedOnce", "1h", "another", "2020-01-01T00:00:00Z", false},
    {"CreatedOnce", "0", NULL, NULL, true},
    /* OnChange: also when spec, labels or annotations have changed. */
    {"OnChange", "1h", NULL, NULL, true},
    {"OnChange", "1h", VERSION, NULL, true},
    {"OnChange", "1h", VERSION, "2020-01-01T00:00:00Z", false},
    {"OnChange", "1h", "another", "2026-11-24T11:59:00Z", true},
    {"OnChange", "0", "another", "2026-11-24T11:59:00Z", true},
    /* Periodic, row 1: an interval of nothing fetches once, edits or not. */
    {"Periodic", "0", NULL, NULL, true},
    {"Periodic", "0", VERSION, "2020-01-01T00:00:00Z", false},
    {"Periodic", "0s", "another", "2020-01-01T00:00:00Z", false},
    {"Periodic", "-1h", "another", "2020-01-01T00:00:00Z", false},
    {"Periodic", "0", VERSION, NULL, false},
    /* Row 2: a change. */
    {"Periodic", "1h", "another", "2026-11-24T11:59:00Z", true},
    {NULL, "1h", "another", "2026-11-24T11:59:00Z", true},
    {NULL, "1h", NULL, "2026-11-24T11:59:00Z", true},
    /* Rows 3 and 4: never, or in the future. */
    {NULL, "1h", VERSION, NULL, true},
    {NULL, "1h", VERSION, "no time", true},
    {NULL, "1h", VERSION, "2026-11-24T12:00:01Z", true},
    {NULL, "1h", VERSION, "2126-11-24T12:00:00Z", true},
    /* Row 5: not before the interval is over, strictly. */
    {NULL, "1h", VERSION, "2026-11-24T11:59:00Z", false},
    {NULL, "1h", VERSION, NOW, false},
    {NULL, "1h", VERSION, "2026-11-24T11:00:01Z", false},
    {NULL, "1h", VERSION, "2026-11-24T11:00:00Z", false},
    /* Row 6, without windows. */
    {NULL, "1h", VERSION, "2026-11-24T10:59:59Z", true},
    {NULL, "10s", VERSION, "2026-11-24T11:59:49Z", true},
    /* No interval, and one that cannot be read: an hour. */
    {NULL, NULL, VERSION, "2026-11-24T11:00:01Z", false},
    {NULL, NULL, VERSION, "2026-11-24T10:59:59Z", true},
    {NULL, "soon", VERSION, "2026-11-24T11:00:01Z", false},
    {NULL, "1h0m0s", VERSION, "2026-11-24T11:00:01Z", false},
};

static void test_due(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *es = external_secret(rows[i].policy, rows[i].interval, rows[i].synced, rows[i].refreshed);
        if (es_refresh_is_due(es, VERSION, at(NOW)) != rows[i].due)
            fail_msg("row %zu: policy %s interval %s", i, rows[i].policy, rows[i].interval);
        json_decref(es);
    }
}

/* ---- sync windows ---- */

/* `late`: the interval is over; what the windows say decides then. */
static json_t *windowed(const char *windows, const char *refreshed)
{
    json_t *es = external_secret(NULL, "1h", VERSION, refreshed);
    es_obj_set(es, quoted(windows), "spec", "syncWindows");
    return es;
}

#define LATE "2026-11-20T00:00:00Z"

static const struct {
    const char *windows, *now;
    bool due;
} window_rows[] = {
    /* Allowed from 22:00 for four hours. */
    {"{'kind':'allow','windows':[{'schedule':'0 22 * * *','duration':'4h'}]}", "2026-11-24T21:59:59Z", false},
    {"{'kind':'allow','windows':[{'schedule':'0 22 * * *','duration':'4h'}]}", "2026-11-24T22:00:00Z", true},
    {"{'kind':'allow','windows':[{'schedule':'0 22 * * *','duration':'4h'}]}", "2026-11-25T01:59:59Z", true},
    {"{'kind':'allow','windows':[{'schedule':'0 22 * * *','duration':'4h'}]}", "2026-11-25T02:00:00Z", true},
    {"{'kind':'allow','windows':[{'schedule':'0 22 * * *','duration':'4h'}]}", "2026-11-25T02:00:01Z", false},
    /* The same, forbidden. */
    {"{'kind':'deny','windows':[{'schedule':'0 22 * * *','duration':'4h'}]}", "2026-11-24T21:59:59Z", true},
    {"{'kind':'deny','windows':[{'schedule':'0 22 * * *','duration':'4h'}]}", "2026-11-24T22:00:00Z", false},
    {"{'kind':'deny','windows':[{'schedule':'0 22 * * *','duration':'4h'}]}", "2026-11-25T02:00:01Z", true},
    /* Any of several. */
    {"{'kind':'allow','windows':[{'schedule':'0 3 * * *','duration':'1h'},"
     "{'schedule':'30 11 * * *','duration':'1h'}]}",
     NOW, true},
    {"{'kind':'deny','windows':[{'schedule':'0 3 * * *','duration':'1h'},"
     "{'schedule':'30 11 * * *','duration':'1h'}]}",
     NOW, false},
    /* Days of the week, descriptors. */
    {"{'kind':'allow','windows':[{'schedule':'0 0 * * 2','duration':'24h'}]}", NOW, true},
    {"{'kind':'allow','windows':[{'schedule':'0 0 * * 3','duration':'24h'}]}", NOW, false},
    {"{'kind':'allow','windows':[{'schedule':'@daily','duration':'13h'}]}", NOW, true},
    {"{'kind':'allow','windows':[{'schedule':'@daily','duration':'11h'}]}", NOW, false},
    /* What cannot be read is passed over: no window is active. */
    {"{'kind':'allow','windows':[{'schedule':'every night','duration':'4h'}]}", NOW, false},
    {"{'kind':'deny','windows':[{'schedule':'every night','duration':'4h'}]}", NOW, true},
    {"{'kind':'allow','windows':[{'schedule':'* * * * *','duration':'long'}]}", NOW, false},
    {"{'kind':'allow','windows':[{'schedule':'bad','duration':'1h'},{'schedule':'* * * * "
     "*','duration':'1h'}]}",
     NOW, true},
    /* An empty list decides nothing. */
    {"{'kind':'allow','windows':[]}", NOW, true},
};

static void test_windows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(window_rows); i++) {
        json_t *es = windowed(window_rows[i].windows, LATE);
        if (es_refresh_is_due(es, VERSION, at(window_rows[i].now)) != window_rows[i].due)
            fail_msg("row %zu: %s at %s", i, window_rows[i].windows, window_rows[i].now);
        json_decref(es);
    }
}

static void test_windows_decide_about_the_interval_only(void **state)
{
    static const char never[] = "{'kind':'allow','windows':[{'schedule':'bad','duration':'1h'}]}";
    (void)state;

    json_t *es = windowed(never, LATE);
    assert_false(es_refresh_is_due(es, VERSION, at(NOW)));
    assert_true(es_refresh_is_due(es, "an-edit", at(NOW)));
    es_obj_unset(es, "status", "refreshTime");
    assert_true(es_refresh_is_due(es, VERSION, at(NOW)));
    es_obj_set(es, json_string("2027-01-01T00:00:00Z"), "status", "refreshTime");
    assert_true(es_refresh_is_due(es, VERSION, at(NOW)));
    es_obj_set(es, json_string("OnChange"), "spec", "refreshPolicy");
    assert_true(es_refresh_is_due(es, "an-edit", at(NOW)));
    json_decref(es);
}

/* ---- when again ---- */

static void assert_after(json_t *es, const char *now, int64_t want_ms)
{
    int64_t have = es_refresh_after_ms(es, at(now));
    if (have != want_ms) {
        char *text = json_dumps(es, JSON_COMPACT);
        fail_msg("%lld, not %lld: %s at %s", (long long)have, (long long)want_ms, text, now);
    }
    json_decref(es);
}

static void test_when_again(void **state)
{
    (void)state;

    /* What is left of the interval; due means later than that. */
    assert_after(external_secret(NULL, "1h", VERSION, "2026-11-24T11:20:00Z"), NOW, 20 * 60000 + 1);
    assert_after(external_secret(NULL, NULL, VERSION, "2026-11-24T11:20:00Z"), NOW, 20 * 60000 + 1);
    assert_after(external_secret(NULL, "1h", VERSION, "2026-11-24T11:00:00Z"), NOW, 1);
    assert_after(external_secret(NULL, "1h", VERSION, "2026-11-24T10:59:59Z"), NOW, 0);
    assert_after(external_secret(NULL, "1h", VERSION, "2026-11-24T12:00:01Z"), NOW, 0);
    /* Never by itself. */
    assert_after(external_secret(NULL, "0", VERSION, "2026-11-24T11:00:00Z"), NOW, -1);
    assert_after(external_secret(NULL, "-5m", VERSION, "2026-11-24T11:00:00Z"), NOW, -1);
    assert_after(external_secret("OnChange", "0", VERSION, "2026-11-24T11:00:00Z"), NOW, -1);
    /* Time has no meaning for these: now and then is enough. */
    assert_after(external_secret("CreatedOnce", "10m", VERSION, "2020-01-01T00:00:00Z"), NOW, 600000);
    assert_after(external_secret("OnChange", "10m", VERSION, "2026-11-24T11:55:00Z"), NOW, 600000);
    assert_after(external_secret(NULL, "10m", VERSION, NULL), NOW, 600000);
}

static void test_when_again_outside_of_windows(void **state)
{
    static const char night[] = "{'kind':'allow','windows':[{'schedule':'0 22 * * *','duration':'4h'}]}";
    static const char noon[] = "{'kind':'deny','windows':[{'schedule':'30 11 * * *','duration':'1h'}]}";
    static const char never[] = "{'kind':'allow','windows':[{'schedule':'bad','duration':'1h'}]}";
    (void)state;

    assert_after(windowed(night, LATE), NOW, 10 * 3600000 + 1);     /* it opens */
    assert_after(windowed(noon, LATE), NOW, 30 * 60000 + 1);        /* it closes */
    assert_after(windowed(never, LATE), NOW, 3600000);              /* no edge to wait for */
    assert_after(windowed(night, LATE), "2026-11-24T22:30:00Z", 0); /* open */
    /* The very moment in which a window ends still belongs to it. */
    assert_after(windowed(noon, LATE), "2026-11-24T12:30:00Z", 1000);
    /* Two, the first edge counts. */
    assert_after(windowed("{'kind':'allow','windows':[{'schedule':'0 22 * * *','duration':'4h'},"
                          "{'schedule':'0 13 * * *','duration':'1m'}]}",
                          LATE),
                 NOW, 3600000 + 1);
}

/* Whenever nothing is due, the next look lies ahead; and at that time either
 * something is due or there is another wait. An hour of fake time for each. */
static void test_no_busy_loop(void **state)
{
    static const char *const intervals[] = {"0", "1ms", "1s", "7s", "1m", "59m", "1h", "24h", "bad", NULL};
    static const char *const windows[] = {
        NULL,
        "{'kind':'allow','windows':[{'schedule':'*/5 * * * *','duration':'1m'}]}",
        "{'kind':'deny','windows':[{'schedule':'*/5 * * * *','duration':'1m'}]}",
        "{'kind':'deny','windows':[{'schedule':'* * * * *','duration':'1h'}]}",
        "{'kind':'allow','windows':[{'schedule':'0 0 31 2 *','duration':'1h'}]}",
        "{'kind':'deny','windows':[{'schedule':'@every 1m','duration':'50s'}]}",
        "{'kind':'allow','windows':[{'schedule':'@every 1h','duration':'1s'}]}",
    };
    static const char *const policies[] = {NULL, "CreatedOnce", "OnChange"};
    (void)state;

    for (size_t p = 0; p < COUNT_OF(policies); p++)
        for (size_t i = 0; i < COUNT_OF(intervals); i++)
            for (size_t w = 0; w < COUNT_OF(windows); w++) {
                json_t *es = external_secret(policies[p], intervals[i], VERSION, "2026-11-24T11:30:00Z");
                if (windows[w])
                    es_obj_set(es, quoted(windows[w]), "spec", "syncWindows");
                int64_t now = at(NOW);
                for (int pass = 0; now >= 0 && now < at(NOW) + 3600000 && pass < 20; pass++) {
                    if (es_refresh_is_due(es, VERSION, now))
                        break;
                    int64_t after = es_refresh_after_ms(es, now);
                    if (after == 0)
                        fail_msg("a busy loop: policy %s interval %s windows %s", policies[p], intervals[i],
                                 windows[w]);
                    now = after < 0 ? -1 : now + after;
                }
                json_decref(es);
            }
}

/* With an interval, the next look after a sync is when it is over. */
static void test_after_a_sync(void **state)
{
    static const struct {
        const char *interval;
        int64_t after_ms;
    } cases[] = {{"1h", 3600000}, {"90s", 90000}, {NULL, 3600000}, {"bad", 3600000}, {"0", -1}, {"-1s", -1}};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *es = external_secret(NULL, cases[i].interval, NULL, NULL);
        assert_int_equal(es_refresh_after_sync_ms(es), cases[i].after_ms);
        json_decref(es);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_windows_decide_about_the_interval_only),
        cmocka_unit_test(test_when_again),
        cmocka_unit_test(test_when_again_outside_of_windows),
        cmocka_unit_test(test_no_busy_loop),
        cmocka_unit_test(test_after_a_sync),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
