#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/base/regex.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/regex_translate.h"
#include "core/base/text.h"

/* Backtracking is bounded: a pattern that explodes is an error instead of a
 * worker that never returns. Longer subjects get more steps. */
#define STEPS_BASE 1000000u
#define STEPS_PER_BYTE 32u
#define STEPS_MAX 50000000u
#define HEAP_KIB 4096u

struct es_regex {
    pcre2_code *code;
    struct es_regex_plan plan; /* the group names; its pattern is gone */
};

static int compile(pcre2_code **ret, const struct es_buf *pattern, const char *original, struct es_error *err)
{
    int code;
    PCRE2_SIZE at;
    pcre2_compile_context *ctx = pcre2_compile_context_create(NULL);

    if (!ctx)
        return es_error_nomem(err);
    pcre2_set_newline(ctx, PCRE2_NEWLINE_LF);
    *ret = pcre2_compile((PCRE2_SPTR)es_buf_str(pattern), pattern->len, PCRE2_UTF, &code, &at, ctx);
    pcre2_compile_context_free(ctx);
    if (*ret)
        return 0;
    if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED)
        return es_error_nomem(err);
    /* What was translated is well-formed; PCRE2 can only find it too big. */
    return es_regex_fail(err, "expression too large", original, original + strlen(original));
}

int es_regex_new(struct es_regex **ret, const char *pattern, struct es_error *err)
{
    struct es_regex *re = calloc(1, sizeof *re);

    if (!re)
        return es_error_nomem(err);
    int rc = es_regex_translate(&re->plan, pattern, err);
    if (rc == 0)
        rc = compile(&re->code, &re->plan.pattern, pattern, err);
    if (rc < 0) {
        es_regex_free(re);
        return rc;
    }
    es_buf_fini(&re->plan.pattern);
    *ret = re;
    return 0;
}

void es_regex_free(struct es_regex *re)
{
    if (!re)
        return;
    pcre2_code_free(re->code);
    es_regex_plan_fini(&re->plan);
    free(re);
}

/* A subject that is UTF-8 from end to end. In one that is not, Go takes each
 * stray byte for U+FFFD; so we match a copy that has it, and `strays` holds
 * where, to find the way back to the original's offsets. */
struct subject {
    const char *original, *text;
    size_t original_len, len;
    struct es_buf copy;
    size_t *strays, stray_count;
};

static void subject_fini(struct subject *s)
{
    es_buf_fini(&s->copy);
    free(s->strays);
}

static int repair(struct subject *s, struct es_error *err)
{
    size_t cap = 0, len = s->original_len;
    uint32_t rune;

    es_buf_init(&s->copy, len * 3);
    for (size_t i = 0; i < len;) {
        size_t n = es_utf8_decode(s->original + i, len - i, &rune);
        if (n) {
            es_buf_add(&s->copy, s->original + i, n);
            i += n;
            continue;
        }
        if (s->stray_count == cap) {
            cap = cap ? cap * 2 : 16;
            size_t *strays = realloc(s->strays, cap * sizeof *strays);
            if (!strays)
                return es_error_nomem(err);
            s->strays = strays;
        }
        s->strays[s->stray_count++] = s->copy.len;
        es_buf_adds(&s->copy, "\xEF\xBF\xBD");
        i++;
    }
    if (es_buf_failed(&s->copy))
        return es_error_nomem(err);
    s->text = es_buf_str(&s->copy);
    s->len = s->copy.len;
    return 0;
}

/* On failure as well, subject_fini is due. */
static int subject_init(struct subject *s, const char *text, size_t len, struct es_error *err)
{
    *s = (struct subject){.original = len ? text : "", .original_len = len};
    s->text = s->original;
    s->len = len;
    return es_utf8_valid(s->original, len) ? 0 : repair(s, err);
}

/* The original's offset for one of the matched text: two bytes less for each
 * stray byte before it. */
static size_t to_original(const struct subject *s, size_t offset)
{
    size_t low = 0, high = s->stray_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->strays[mid] < offset)
            low = mid + 1;
        else
            high = mid;
    }
    return offset - 2 * low;
}

struct matcher {
    const struct es_regex *re;
    struct subject subject;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    PCRE2_SIZE *spans;
};

static void matcher_fini(struct matcher *m)
{
    subject_fini(&m->subject);
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->limits);
}

static int matcher_init(struct matcher *m, const struct es_regex *re, const char *text, size_t len,
                        struct es_error *err)
{
    *m = (struct matcher){.re = re};
    int rc = subject_init(&m->subject, text, len, err);
    if (rc < 0)
        return rc;
    m->data = pcre2_match_data_create_from_pattern(re->code, NULL);
    m->limits = pcre2_match_context_create(NULL);
    if (!m->data || !m->limits)
        return es_error_nomem(err);
    size_t steps = STEPS_BASE + (len < STEPS_MAX ? len : STEPS_MAX) * STEPS_PER_BYTE;
    pcre2_set_match_limit(m->limits, steps < STEPS_MAX ? (uint32_t)steps : STEPS_MAX);
    pcre2_set_heap_limit(m->limits, HEAP_KIB);
    m->spans = pcre2_get_ovector_pointer(m->data);
    return 0;
}

/* 1 found (m->spans), 0 not, or an error. */
static int find_from(struct matcher *m, size_t start, struct es_error *err)
{
    int n = pcre2_match(m->re->code, (PCRE2_SPTR)m->subject.text, m->subject.len, start, PCRE2_NO_UTF_CHECK,
                        m->data, m->limits);

    if (n >= 0)
        return 1;
    switch (n) {
    case PCRE2_ERROR_NOMATCH:
        return 0;
    case PCRE2_ERROR_NOMEMORY:
        return es_error_nomem(err);
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
        return es_error_set(err, ES_E_TOO_LARGE, "the regular expression takes too many steps on %zu bytes",
                            m->subject.original_len);
    default:
        return es_error_set(err, ES_E_INTERNAL, "PCRE2 failed with %d", n);
    }
}

int es_regex_search(const struct es_regex *re, const char *text, size_t len, struct es_error *err)
{
    struct matcher m;
    int rc = matcher_init(&m, re, text, len, err);

    if (rc == 0)
        rc = find_from(&m, 0, err);
    matcher_fini(&m);
    return rc;
}

/* Replacement */

static void add_span(const struct matcher *m, size_t group, struct es_buf *out)
{
    size_t from = m->spans[2 * group], to = m->spans[2 * group + 1];

    if (from == PCRE2_UNSET || to < from)
        return;
    from = to_original(&m->subject, from);
    to = to_original(&m->subject, to);
    es_buf_add(out, m->subject.original + from, to - from);
}

/* Is it a letter or a digit, in Unicode's sense? Only asked beyond ASCII, of
 * the few characters that follow a "$", so compiling on the spot will do. */
static bool is_word_rune(const char *text, size_t len)
{
    int code;
    PCRE2_SIZE at;
    bool found = false;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR) "[\\p{L}\\p{Nd}]", PCRE2_ZERO_TERMINATED,
                                   PCRE2_UTF | PCRE2_ANCHORED, &code, &at, NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);

    if (re && data)
        found = pcre2_match(re, (PCRE2_SPTR)text, len, 0, 0, data, NULL) >= 0;
    pcre2_match_data_free(data);
    pcre2_code_free(re);
    return found;
}

static size_t name_length(const char *text)
{
    size_t i = 0;

    for (;;) {
        uint32_t rune;
        char c = text[i];
        size_t n = es_utf8_decode(text + i, strnlen(text + i, 4), &rune);
        bool word = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
        if (!word && (n < 2 || !is_word_rune(text + i, n)))
            return i;
        i += n;
    }
}

/* The number that a name is: -1 for none. Leading zeros make it a name. */
static long group_number(const char *name, size_t len)
{
    long n = 0;

    if (len > 8 || (len > 1 && name[0] == '0'))
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (name[i] < '0' || name[i] > '9')
            return -1;
        n = n * 10 + (name[i] - '0');
    }
    return n;
}

static void add_group(const struct matcher *m, const char *name, size_t len, struct es_buf *out)
{
    const struct es_regex_plan *plan = &m->re->plan;
    long number = group_number(name, len);

    if (number >= 0) {
        if ((size_t)number <= plan->groups)
            add_span(m, (size_t)number, out);
        return;
    }
    /* A name may occur twice; the first that took part counts. */
    for (size_t i = 1; i <= plan->groups; i++)
        if (plan->names[i] && strlen(plan->names[i]) == len && memcmp(plan->names[i], name, len) == 0 &&
            m->spans[2 * i] != PCRE2_UNSET) {
            add_span(m, i, out);
            return;
        }
}

/* One match's replacement. A "$" that starts no reference stands for itself. */
static void expand(const struct matcher *m, const char *template, struct es_buf *out)
{
    for (const char *p = template; *p;) {
        size_t plain = strcspn(p, "$");
        es_buf_add(out, p, plain);
        p += plain;
        if (!*p)
            return;
        p++;
        bool braces = *p == '{';
        size_t len = *p == '$' ? 0 : name_length(p + braces);
        if (*p == '$') {
            es_buf_addc(out, '$');
            p++;
        } else if (!len || (braces && p[1 + len] != '}')) {
            es_buf_addc(out, '$');
        } else {
            add_group(m, p + braces, len, out);
            p += len + (braces ? 2 : 0);
        }
    }
}

static size_t rune_width(const struct subject *s, size_t at)
{
    uint32_t rune;
    size_t n = es_utf8_decode(s->text + at, s->len - at, &rune);
    return n ? n : 1;
}

/* Go's order of things: every match is looked for from where the last ended
 * or one character on, and an empty one right behind another is passed over. */
static int replace_matches(struct matcher *m, const char *replacement, struct es_buf *out, size_t *ret_end,
                           struct es_error *err)
{
    size_t last_end = 0, at = 0;
    int rc = 0;

    while (at <= m->subject.len && !es_buf_failed(out)) {
        rc = find_from(m, at, err);
        if (rc <= 0)
            break;
        size_t from = m->spans[0], to = m->spans[1];
        size_t copied = to_original(&m->subject, last_end);
        es_buf_add(out, m->subject.original + copied, to_original(&m->subject, from) - copied);
        if (to > last_end || from == 0)
            expand(m, replacement, out);
        last_end = to;
        size_t next = at + rune_width(&m->subject, at);
        at = to > next ? to : next;
    }
    *ret_end = to_original(&m->subject, last_end);
    return rc < 0 ? rc : 0;
}

int es_regex_replace_all(const struct es_regex *re, const char *text, size_t len, const char *replacement,
                         struct es_buf *out, struct es_error *err)
{
    struct matcher m;
    size_t end = 0;
    int rc = matcher_init(&m, re, text, len, err);

    if (rc == 0)
        rc = replace_matches(&m, replacement, out, &end, err);
    if (rc == 0) {
        es_buf_add(out, m.subject.original + end, len - end);
        if (es_buf_failed(out))
            rc =
                es_error_set(err, ES_E_TOO_LARGE, "the result of a replacement is above %zu bytes", out->max);
    }
    matcher_fini(&m);
    return rc;
}

static int visit_matches(struct matcher *m, es_regex_visit *visit, void *ctx, struct es_error *err)
{
    size_t at = 0, last_end = SIZE_MAX;

    while (at <= m->subject.len) {
        int rc = find_from(m, at, err);
        if (rc <= 0)
            return rc;
        size_t from = m->spans[0], to = m->spans[1];
        bool wanted = to != at || from != last_end;
        at = to != at ? to : at + rune_width(&m->subject, at);
        last_end = to;
        if (wanted && !visit(ctx, to_original(&m->subject, from), to_original(&m->subject, to)))
            break;
    }
    return 0;
}

int es_regex_each(const struct es_regex *re, const char *text, size_t len, es_regex_visit *visit, void *ctx,
                  struct es_error *err)
{
    struct matcher m;
    int rc = matcher_init(&m, re, text, len, err);

    if (rc == 0)
        rc = visit_matches(&m, visit, ctx, err);
    matcher_fini(&m);
    return rc;
}
