/* Is an ExternalSecret's template made of other texts than the last time?
 *
 * A stamp of what templateFrom named is kept beside the version of the ExternalSecret
 * that the last pass left. After a start, or when somebody else wrote the object, there
 * is none: then the times of the sources' writes tell. */
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/controller/externalsecret_own.h"
#include "core/controller/refresh.h"
#include "core/controller/template_watched.h"
#include "core/kube/obj.h"

/* Two Secrets that are made of each other would be made again and again. */
#define NEWS_PAUSE_MS 1000

void es_pass_note_seen(const struct es_pass *p)
{
    struct es_cache *cache = p->env->external_secrets;
    char rv[ES_RV_MAX];

    if (p->seen_holds && p->seen.stamp.number && es_cache_rv(cache, p->ns, p->name, rv))
        es_cache_note(cache, p->ns, p->name, rv, p->seen.stamp.number);
}

/* Whoever refreshes never, or only when he edits, does not want to be told by others. */
static bool follows_template(const struct es_pass *p)
{
    return p->policy->writes && es_refresh_is_periodic(p->es) && es_refresh_interval_ms(p->es) > 0 &&
           es_template_has_sources(es_obj_at(p->es, "spec", "target", "template"));
}

static bool is_ready(const struct es_pass *p)
{
    return es_streq(es_obj_str(es_obj_condition(p->es, "Ready"), "status"), "True");
}

static bool is_other(const struct es_pass *p, const struct es_stamp *now, int64_t refreshed_ms)
{
    uint64_t noted = es_cache_noted(p->env->external_secrets, p->ns, p->name,
                                    es_obj_str(p->es, "metadata", "resourceVersion"));

    if (noted)
        return noted != now->number;
    /* A pass that failed leaves no stamp, and is to be repeated. Times of writes are cut
     * to seconds, as that of the refresh is. */
    return now->missing || now->written_unix_ms >= refreshed_ms || !is_ready(p);
}

static bool has_news(struct es_pass *p)
{
    const json_t *template = es_obj_at(p->es, "spec", "target", "template");
    struct es_template_seen seen = {.made = p->seen.made};
    int64_t refreshed_ms = 0;

    /* What cannot be read now is looked at when the refresh is due. */
    if (!follows_template(p) || es_template_look(p->env, p->ns, template, &seen, NULL) < 0)
        return false;
    es_time_parse(es_obj_str(p->es, "status", "refreshTime"), &refreshed_ms);
    if (!is_other(p, &seen.stamp, refreshed_ms)) {
        p->seen = seen;
        p->seen_holds = true;
        es_pass_note_seen(p);
        return false;
    }
    int64_t elapsed = p->started_unix_ms - refreshed_ms;
    if (elapsed < NEWS_PAUSE_MS)
        p->rest_ms = NEWS_PAUSE_MS - elapsed;
    return !p->rest_ms;
}

bool es_pass_is_due(struct es_pass *p)
{
    return es_refresh_is_due(p->es, p->version, p->started_unix_ms) || has_news(p);
}

int64_t es_pass_rest_ms(const struct es_pass *p)
{
    return p->rest_ms ? p->rest_ms : es_refresh_after_ms(p->es, p->started_unix_ms);
}
