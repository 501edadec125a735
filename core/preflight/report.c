#include "core/preflight/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/kube/obj.h"

#define TEXT_MAX 4096

static const struct {
    const char *word, *shown; /* for programs, for people: what failed has to catch the eye */
} verdicts[ES_VERDICTS] = {
    [ES_FINE] = {"ok", "ok"},
    [ES_WARNING] = {"warning", "warning"},
    [ES_FAILED] = {"failed", "FAILED"},
    [ES_UNCHECKED] = {"not checked", "not checked"},
};

void es_report_init(struct es_report *r)
{
    *r = (struct es_report){.items = json_array()};
    r->incomplete = !r->items;
}

void es_report_fini(struct es_report *r)
{
    json_decref(r->items);
    *r = (struct es_report){0};
}

bool es_report_complete(const struct es_report *r)
{
    return !r->incomplete;
}

/* What was cut must not end within a character: it would be no JSON. */
static void mend_end(char *text)
{
    size_t len = strlen(text);

    for (int i = 0; i < 3 && len && !es_utf8_valid(text, len); i++)
        text[--len] = '\0';
}

/* What is too long is cut, between two characters. */
static void format(char text[TEXT_MAX], const char *fmt, va_list args)
{
    vsnprintf(text, TEXT_MAX, fmt, args);
    mend_end(text);
}

void es_report_add(struct es_report *r, const char *check, enum es_verdict verdict, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    format(text, fmt, args);
    va_end(args);
    r->counts[verdict]++;
    if (json_array_append_new(r->items, json_pack("{s:s,s:s,s:s,s:n}", "check", check, "result",
                                                  verdicts[verdict].word, "text", text, "remedy")) < 0)
        r->incomplete = true;
}

void es_report_remedy(struct es_report *r, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    format(text, fmt, args);
    va_end(args);
    json_t *last = json_array_get(r->items, json_array_size(r->items) - 1);
    if (!last || json_object_set_new(last, "remedy", json_string(text)) < 0)
        r->incomplete = true;
}

static const char *shown(const char *word)
{
    for (size_t i = 0; i < ES_VERDICTS; i++)
        if (es_streq(verdicts[i].word, word))
            return verdicts[i].shown;
    return word;
}

static void add_sum(const struct es_report *r, struct es_buf *out)
{
    if (r->counts[ES_FAILED])
        es_buf_addf(out, "%zu FAILED", r->counts[ES_FAILED]);
    else
        es_buf_adds(out, "nothing failed");
    if (r->counts[ES_WARNING])
        es_buf_addf(out, ", %zu warning%s", r->counts[ES_WARNING], r->counts[ES_WARNING] > 1 ? "s" : "");
    if (r->counts[ES_UNCHECKED])
        es_buf_addf(out, ", %zu not checked", r->counts[ES_UNCHECKED]);
    es_buf_adds(out, "\n");
}

void es_report_text(const struct es_report *r, struct es_buf *out)
{
    json_t *item;
    size_t i;

    json_array_foreach (r->items, i, item) {
        es_buf_addf(out, "%-12s%-18s%s\n", shown(es_obj_str(item, "result")), es_obj_str(item, "check"),
                    es_obj_str(item, "text"));
        if (*es_obj_str(item, "remedy"))
            es_buf_addf(out, "%30s%s\n", "-> ", es_obj_str(item, "remedy"));
    }
    add_sum(r, out);
}

json_t *es_report_json(const struct es_report *r)
{
    return json_pack("{s:O,s:I,s:I,s:I}", "checks", r->items, "failed", (json_int_t)r->counts[ES_FAILED],
                     "warnings", (json_int_t)r->counts[ES_WARNING], "notChecked",
                     (json_int_t)r->counts[ES_UNCHECKED]);
}
