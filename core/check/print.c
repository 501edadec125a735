#include "core/check/print.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/check/report.h"
#include "core/plugin/call.h"

#define MAX_FILE ((size_t)8 << 20)

static const char *const words[] = {
    [ES_PASS] = "pass", [ES_SKIP] = "skip", [ES_WARN] = "warn", [ES_FAIL] = "FAIL"};
static const char *const colors[] = {
    [ES_PASS] = "\033[32m", [ES_SKIP] = "\033[2m", [ES_WARN] = "\033[33m", [ES_FAIL] = "\033[1;31m"};

/* ---- for people ---- */

static const char *label_of(char level)
{
    switch (level) {
    case ES_REPORT_WARN:
        return "warning: ";
    case ES_REPORT_SKIP:
        return "not tried: ";
    default:
        return "";
    }
}

/* Of a check that failed, what it printed, a line at a time. */
static void print_output(const struct es_buf *output)
{
    const char *at = es_buf_str(output);

    if (!output->len)
        return;
    printf("                           it printed:\n");
    while (*at) {
        size_t len = strcspn(at, "\n");
        printf("                           | %.*s\n", (int)len, at);
        at += len + (at[len] == '\n');
    }
}

void es_print_result(const struct es_result *r, bool color)
{
    const char *on = color ? colors[r->verdict] : "", *off = color ? "\033[0m" : "";

    printf("  %s%s%s  %-16s %s\n", on, words[r->verdict], off, r->check->id, r->check->title);
    for (size_t i = 0; i < r->finding_count; i++)
        printf("                           %s%s\n", label_of(r->findings[i].level), r->findings[i].text);
    if (r->verdict == ES_FAIL)
        print_output(&r->output);
    fflush(stdout);
}

static size_t count_of(const struct es_result *results, size_t count, enum es_verdict verdict)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += results[i].verdict == verdict;
    return n;
}

void es_print_summary(const struct es_result *results, size_t count, bool strict)
{
    size_t warned = count_of(results, count, ES_WARN);

    printf("\n%zu check%s: %zu passed, %zu failed, %zu with warnings, %zu not tried\n", count,
           count == 1 ? "" : "s", count_of(results, count, ES_PASS), count_of(results, count, ES_FAIL),
           warned, count_of(results, count, ES_SKIP));
    if (strict && warned)
        printf("A warning is a failure: --strict was given.\n");
}

/* ---- files ---- */

static int write_file(const char *file, const struct es_buf *text, struct es_error *err)
{
    FILE *f = es_buf_failed(text) ? NULL : fopen(file, "we");

    if (es_buf_failed(text))
        return es_error_nomem(err);
    bool good = f && fwrite(es_buf_str(text), 1, text->len, f) == text->len;
    if (f && fclose(f) != 0)
        good = false;
    return good ? 0 : es_error_set(err, ES_E_CONFIG, "cannot write %s: %s", file, strerror(errno));
}

static const char *level_name(char level)
{
    switch (level) {
    case ES_REPORT_WARN:
        return "warning";
    case ES_REPORT_SKIP:
        return "skip";
    case ES_REPORT_INFO:
        return "info";
    default:
        return "failure";
    }
}

static json_t *result_json(const struct es_result *r)
{
    static const char *const verdicts[] = {
        [ES_PASS] = "pass", [ES_SKIP] = "skip", [ES_WARN] = "warn", [ES_FAIL] = "fail"};
    json_t *findings = json_array();
    char output[4096];

    for (size_t i = 0; i < r->finding_count; i++)
        json_array_append_new(findings, json_pack("{s:s,s:s}", "level", level_name(r->findings[i].level),
                                                  "text", r->findings[i].text));
    es_call_clean_text(output, sizeof output,
                       (esp_bytes){(const uint8_t *)es_buf_str(&r->output), r->output.len});
    return json_pack("{s:s,s:s,s:s,s:I,s:o,s:s}", "id", r->check->id, "title", r->check->title, "result",
                     verdicts[r->verdict], "milliseconds", (json_int_t)r->took_ms, "findings", findings,
                     "output", output);
}

int es_write_json(const char *file, const char *plugin, const struct es_result *results, size_t count,
                  struct es_error *err)
{
    json_t *checks = json_array();
    struct es_buf text;

    for (size_t i = 0; i < count; i++)
        json_array_append_new(checks, result_json(&results[i]));
    json_t *all = json_pack("{s:s,s:o}", "plugin", plugin, "checks", checks);
    char *dump = json_dumps(all, JSON_INDENT(2));
    es_buf_init(&text, MAX_FILE);
    es_buf_addf(&text, "%s", dump ? dump : "");
    es_buf_addc(&text, '\n');
    int rc = dump ? write_file(file, &text, err) : es_error_nomem(err);
    es_mem_free(dump);
    json_decref(all);
    es_buf_fini(&text);
    return rc;
}

/* Findings are clean UTF-8 already; what a plugin printed may be anything. */
static void add_xml(struct es_buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t rune;
        size_t n = es_utf8_decode(text + i, len - i, &rune);
        if (n == 0 || (rune < 0x20 && rune != '\n' && rune != '\t') || rune == 0xFFFE || rune == 0xFFFF)
            es_buf_addc(out, '?');
        else if (rune == '<' || rune == '>' || rune == '&' || rune == '"')
            es_buf_addf(out, "&#%u;", (unsigned)rune);
        else
            es_buf_add(out, text + i, n);
        i += n ? n : 1;
    }
}

static void add_findings(struct es_buf *out, const struct es_result *r)
{
    for (size_t i = 0; i < r->finding_count; i++) {
        const char *text = r->findings[i].text, *label = label_of(r->findings[i].level);
        es_buf_adds(out, label);
        add_xml(out, text, strlen(text));
        es_buf_addc(out, '\n');
    }
}

static void add_case(struct es_buf *out, const struct es_result *r, bool fails)
{
    const char *tag = fails ? "failure" : r->verdict == ES_SKIP ? "skipped" : "system-out";

    es_buf_addf(out, "  <testcase classname=\"esp-check\" name=\"%s\" time=\"%.3f\">\n", r->check->id,
                (double)r->took_ms / 1000);
    es_buf_addf(out, "    <%s>", tag);
    add_findings(out, r);
    es_buf_addf(out, "</%s>\n", tag);
    if (fails && r->output.len) {
        es_buf_adds(out, "    <system-err>");
        add_xml(out, es_buf_str(&r->output), r->output.len);
        es_buf_adds(out, "</system-err>\n");
    }
    es_buf_adds(out, "  </testcase>\n");
}

int es_write_junit(const char *file, const char *plugin, const struct es_result *results, size_t count,
                   bool strict, struct es_error *err)
{
    size_t failed = count_of(results, count, ES_FAIL) + (strict ? count_of(results, count, ES_WARN) : 0);
    struct es_buf text;

    es_buf_init(&text, MAX_FILE);
    es_buf_adds(&text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"esp-check ");
    add_xml(&text, plugin, strlen(plugin));
    es_buf_addf(&text, "\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\">\n", count, failed,
                count_of(results, count, ES_SKIP));
    for (size_t i = 0; i < count; i++)
        add_case(&text, &results[i],
                 results[i].verdict == ES_FAIL || (strict && results[i].verdict == ES_WARN));
    es_buf_adds(&text, "</testsuite>\n");
    int rc = write_file(file, &text, err);
    es_buf_fini(&text);
    return rc;
}
