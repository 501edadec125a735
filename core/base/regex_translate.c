/* Reads RE2's syntax and writes the same expression for PCRE2. Nothing of the
 * pattern is copied unread: letters and digits come out as themselves, all
 * else as \x{..}, groups and operators as we understood them. So what PCRE2
 * has beyond RE2 cannot be reached. */
#include "core/base/regex_translate.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"

/* PCRE2's compiler recurses for a group; its own limit is 250. */
#define MAX_DEPTH 200
#define MAX_REPEAT 1000

struct group {
    unsigned flags;  /* in force outside */
    bool fold;       /* what PCRE2 has in force outside */
    size_t start;    /* where its "(" was written */
    int done_weight; /* of the sequence outside */
};

struct translator {
    struct es_regex_plan *plan;
    struct es_buf *out;
    struct es_error *err;
    const char *pattern;
    unsigned flags; /* ES_REGEX_... in force for what is read */
    bool fold;      /* (?i) in force for what is written */

    /* The last atom of the branch: what a repetition applies to. */
    bool has_atom, needs_wrap; /* wrap: in (?:...), before it can be repeated */
    size_t atom_start;
    const char *last_repeat; /* the operator just read, or NULL */

    /* Counted repetitions multiply where they nest: the product is limited. */
    int atom_weight, done_weight;

    struct group groups[MAX_DEPTH];
    size_t depth;
    size_t names_cap;
};

static int fail(struct translator *t, const char *what, const char *from, const char *to)
{
    return es_regex_fail(t->err, what, from, to);
}

static const char *end_of(const char *p)
{
    return p + strlen(p);
}

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

/* Called before an atom is written. */
static void begin_atom(struct translator *t, bool needs_wrap)
{
    t->has_atom = true;
    t->needs_wrap = needs_wrap;
    t->atom_start = t->out->len;
    t->done_weight = max_int(t->done_weight, t->atom_weight);
    t->atom_weight = 1;
}

static void begin_branch(struct translator *t)
{
    t->has_atom = false;
    t->done_weight = max_int(t->done_weight, t->atom_weight);
    t->atom_weight = 1;
}

/* PCRE2 keeps a setting up to the end of the group, other branches included,
 * as it comes in the text; so it is enough to note changes in passing. */
static void write_fold(struct translator *t)
{
    bool wanted = t->flags & ES_REGEX_FOLD;

    if (wanted != t->fold)
        es_buf_adds(t->out, wanted ? "(?i)" : "(?-i)");
    t->fold = wanted;
}

static void write_literal(struct translator *t, uint32_t rune)
{
    bool digit = rune >= '0' && rune <= '9';
    bool letter = (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z');

    if (letter || rune >= 0x80)
        write_fold(t);
    begin_atom(t, false);
    if (letter || digit)
        es_buf_addc(t->out, (char)rune);
    else if (rune >= 0xD800 && rune <= 0xDFFF)
        es_buf_adds(t->out, "(?:(?!))"); /* occurs in no text */
    else
        es_buf_addf(t->out, "\\x{%X}", (unsigned)rune);
}

static void write_assertion(struct translator *t, const char *text)
{
    begin_atom(t, true);
    es_buf_adds(t->out, text);
}

/* Puts (?: ) around the last atom. */
static void wrap_atom(struct translator *t)
{
    struct es_buf *out = t->out;
    size_t len = out->len - t->atom_start;

    es_buf_adds(out, "(?:)");
    if (es_buf_failed(out))
        return;
    memmove(out->ptr + t->atom_start + 3, out->ptr + t->atom_start, len);
    memcpy(out->ptr + t->atom_start, "(?:", 3);
    out->ptr[out->len - 1] = ')';
}

/* Repetition */

/* Go's decimal: no leading zeros; -2 is none, -1 too large. */
static int read_count(const char **p)
{
    const char *s = *p;
    int n = 0;

    if (*s < '0' || *s > '9' || (s[0] == '0' && s[1] >= '0' && s[1] <= '9'))
        return -2;
    for (; *s >= '0' && *s <= '9'; s++)
        n = n < 0 || n >= 100000000 ? -1 : n * 10 + (*s - '0');
    *p = s;
    return n;
}

/* "{2}", "{2,}", "{2,5}" at *p; *max is -1 for none. False if it is none of
 * these, and so the "{" means itself. */
static bool read_counts(const char **p, int *min, int *max)
{
    const char *s = *p + 1;

    *min = read_count(&s);
    if (*min == -2)
        return false;
    *max = *min;
    if (*s == ',') {
        s++;
        *max = -1;
        if (*s != '}') {
            *max = read_count(&s);
            if (*max == -2)
                return false;
            if (*max == -1)
                *min = -1;
        }
    }
    if (*s != '}')
        return false;
    *p = s + 1;
    return true;
}

static int check_weight(struct translator *t, int min, int max, const char *from, const char *to)
{
    int factor = max < 0 ? min : max;

    if (max == 0) {
        t->atom_weight = 1;
        return 0;
    }
    if (factor > 1)
        t->atom_weight = t->atom_weight > MAX_REPEAT ? t->atom_weight : t->atom_weight * factor;
    if ((min >= 2 || max >= 2) && t->atom_weight > MAX_REPEAT)
        return fail(t, "invalid repeat count", from, to);
    return 0;
}

/* `from` is where the operator begins, *p where it ends but for a lazy "?". */
static int write_repeat(struct translator *t, const char *from, const char **p)
{
    const char *op_end = *p;
    bool lazy = t->flags & ES_REGEX_UNGREEDY;

    if (**p == '?') {
        (*p)++;
        lazy = !lazy;
    }
    if (t->last_repeat)
        return fail(t, "invalid nested repetition operator", t->last_repeat, *p);
    if (!t->has_atom)
        return fail(t, "missing argument to repetition operator", from, *p);
    if (t->needs_wrap)
        wrap_atom(t);
    es_buf_add(t->out, from, (size_t)(op_end - from));
    if (lazy)
        es_buf_addc(t->out, '?');
    t->needs_wrap = true;
    return 0;
}

static int read_operator(struct translator *t, const char **p)
{
    const char *from = (*p)++;
    return write_repeat(t, from, p);
}

static int read_braces(struct translator *t, const char **p)
{
    const char *from = *p;
    int min, max;

    if (!read_counts(p, &min, &max)) {
        (*p)++;
        write_literal(t, '{');
        return 0;
    }
    if (min < 0 || min > MAX_REPEAT || max > MAX_REPEAT || (max >= 0 && min > max))
        return fail(t, "invalid repeat count", from, *p);
    int rc = write_repeat(t, from, p);
    return rc < 0 ? rc : check_weight(t, min, max, from, *p);
}

/* Groups */

static int open_group(struct translator *t, const char *text, unsigned inner_flags)
{
    if (t->depth == MAX_DEPTH)
        return fail(t, "expression nests too deeply", t->pattern, end_of(t->pattern));
    begin_atom(t, false);
    t->groups[t->depth++] = (struct group){t->flags, t->fold, t->out->len, t->done_weight};
    es_buf_adds(t->out, text);
    t->flags = inner_flags;
    t->done_weight = 1;
    begin_branch(t);
    return 0;
}

static int close_group(struct translator *t)
{
    if (!t->depth)
        return fail(t, "unexpected )", t->pattern, end_of(t->pattern));
    const struct group *g = &t->groups[--t->depth];
    es_buf_addc(t->out, ')');
    t->flags = g->flags;
    t->fold = g->fold;
    t->has_atom = true;
    t->needs_wrap = false;
    t->atom_start = g->start;
    t->atom_weight = max_int(t->atom_weight, t->done_weight);
    t->done_weight = g->done_weight;
    return 0;
}

/* A group that captures; `take_name` may be NULL. */
static int open_capture(struct translator *t, char *take_name)
{
    struct es_regex_plan *plan = t->plan;

    if (plan->groups + 1 >= t->names_cap) {
        size_t cap = t->names_cap ? t->names_cap * 2 : 8;
        char **names = realloc(plan->names, cap * sizeof *names);
        if (!names) {
            es_mem_free(take_name);
            return es_error_nomem(t->err);
        }
        plan->names = names;
        t->names_cap = cap;
    }
    plan->names[++plan->groups] = take_name;
    return open_group(t, "(", t->flags);
}

static bool is_capture_name(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (name[i] != '_' && !(name[i] >= '0' && name[i] <= '9') &&
            !((name[i] | 32) >= 'a' && (name[i] | 32) <= 'z'))
            return false;
    return len > 0;
}

/* "(?P<name>" and "(?<name>" */
static int read_named_group(struct translator *t, const char **p)
{
    const char *name = strchr(*p, '<') + 1;
    const char *end = strchr(*p, '>');

    if (!end)
        return fail(t, es_utf8_valid(*p, strlen(*p)) ? "invalid named capture" : "invalid UTF-8", *p,
                    end_of(*p));
    if (end > name && !es_utf8_valid(name, (size_t)(end - name)))
        return fail(t, "invalid UTF-8", name, end);
    if (end < name || !is_capture_name(name, (size_t)(end - name)))
        return fail(t, "invalid named capture", *p, end + 1);
    char *copy = es_strf("%.*s", (int)(end - name), name);
    if (!copy)
        return es_error_nomem(t->err);
    *p = end + 1;
    return open_capture(t, copy);
}

static unsigned flag_of(uint32_t rune)
{
    return rune == 'i'   ? ES_REGEX_FOLD
           : rune == 'm' ? ES_REGEX_MULTILINE
           : rune == 's' ? ES_REGEX_DOT_NL
           : rune == 'U' ? ES_REGEX_UNGREEDY
                         : 0;
}

/* "(?i)", "(?i-s:" */
static int read_flags(struct translator *t, const char **p)
{
    const char *from = *p;
    unsigned on = 0, off = 0;
    bool minus = false, any = true;
    uint32_t rune;

    *p += 2;
    while (**p) {
        int rc = es_regex_rune(p, &rune, t->err);
        if (rc < 0)
            return rc;
        unsigned flag = flag_of(rune);
        if (flag) {
            /* What is named last counts: "(?i-i)" is off. */
            on = minus ? on & ~flag : on | flag;
            off = minus ? off | flag : off;
            any = true;
        } else if (rune == '-' && !minus) {
            minus = true;
            any = false;
        } else if ((rune == ':' || rune == ')') && any) {
            unsigned flags = (t->flags | on) & ~off;
            if (rune == ':')
                return open_group(t, "(?:", flags);
            t->flags = flags;
            return 0;
        } else {
            break;
        }
    }
    return fail(t, "invalid or unsupported Perl syntax", from, *p);
}

static int read_group(struct translator *t, const char **p)
{
    if ((*p)[1] != '?') {
        (*p)++;
        return open_capture(t, NULL);
    }
    if ((es_str_starts(*p, "(?P<") && (*p)[4]) || (es_str_starts(*p, "(?<") && (*p)[3]))
        return read_named_group(t, p);
    return read_flags(t, p);
}

/* Escapes and single characters */

static int read_quoted(struct translator *t, const char **p)
{
    const char *end = strstr(*p + 2, "\\E");
    uint32_t rune;

    *p += 2;
    while (**p && *p != end) {
        int rc = es_regex_rune(p, &rune, t->err);
        if (rc < 0)
            return rc;
        write_literal(t, rune);
    }
    if (end)
        *p = end + 2;
    return 0;
}

static int read_backslash(struct translator *t, const char **p)
{
    static const struct {
        char letter;
        const char *text;
    } assertions[] = {{'A', "\\A"}, {'z', "\\z"}, {'b', "\\b"}, {'B', "\\B"}};
    char letter = (*p)[1];
    uint32_t rune;

    for (size_t i = 0; i < sizeof assertions / sizeof *assertions; i++)
        if (letter == assertions[i].letter) {
            write_assertion(t, assertions[i].text);
            *p += 2;
            return 0;
        }
    if (letter == 'C')
        return fail(t, "invalid escape sequence", *p, *p + 2);
    if (letter == 'Q')
        return read_quoted(t, p);
    if (letter && strchr("pPdDsSwW", letter)) {
        write_fold(t);
        begin_atom(t, false);
        int rc = es_regex_class_escape(t->out, p, t->flags, t->err);
        return rc < 0 ? rc : 0;
    }
    int rc = es_regex_escape(p, &rune, t->err);
    if (rc == 0)
        write_literal(t, rune);
    return rc;
}

static int read_class(struct translator *t, const char **p)
{
    write_fold(t);
    begin_atom(t, false);
    return es_regex_class(t->out, p, t->flags, t->err);
}

static int read_literal(struct translator *t, const char **p)
{
    uint32_t rune;
    int rc = es_regex_rune(p, &rune, t->err);

    if (rc == 0)
        write_literal(t, rune);
    return rc;
}

static int read_item(struct translator *t, const char **p)
{
    bool lines = t->flags & ES_REGEX_MULTILINE;

    switch (**p) {
    case '(':
        return read_group(t, p);
    case ')':
        (*p)++;
        return close_group(t);
    case '|':
        (*p)++;
        begin_branch(t);
        es_buf_addc(t->out, '|');
        return 0;
    case '^':
        (*p)++;
        write_assertion(t, lines ? "(?<![^\\x{A}])" : "\\A");
        return 0;
    case '$':
        (*p)++;
        write_assertion(t, lines ? "(?![^\\x{A}])" : "\\z");
        return 0;
    case '.':
        (*p)++;
        begin_atom(t, false);
        es_buf_adds(t->out, t->flags & ES_REGEX_DOT_NL ? "\\p{Any}" : "[^\\x{A}]");
        return 0;
    case '[':
        return read_class(t, p);
    case '*':
    case '+':
    case '?':
        return read_operator(t, p);
    case '{':
        return read_braces(t, p);
    case '\\':
        return read_backslash(t, p);
    default:
        return read_literal(t, p);
    }
}

int es_regex_translate(struct es_regex_plan *plan, const char *pattern, struct es_error *err)
{
    struct translator t = {.plan = plan,
                           .out = &plan->pattern,
                           .err = err,
                           .pattern = pattern,
                           .atom_weight = 1,
                           .done_weight = 1};

    es_buf_init(t.out, ES_REGEX_OUTPUT_MAX);
    if (strlen(pattern) > ES_REGEX_PATTERN_MAX)
        return fail(&t, "expression too large", pattern, end_of(pattern));
    for (const char *p = pattern; *p;) {
        const char *from = p;
        int rc = read_item(&t, &p);
        if (rc < 0)
            return rc;
        /* A "{" that counts nothing stands for itself. */
        bool repeat = strchr("*+?", *from) || (*from == '{' && p[-1] != '{');
        t.last_repeat = repeat ? from : NULL;
    }
    if (t.depth)
        return fail(&t, "missing closing )", pattern, end_of(pattern));
    return es_buf_failed(t.out) ? es_error_nomem(err) : 0;
}

void es_regex_plan_fini(struct es_regex_plan *plan)
{
    es_buf_fini(&plan->pattern);
    for (size_t i = 1; i <= plan->groups; i++)
        es_mem_free(plan->names[i]);
    free(plan->names);
    *plan = (struct es_regex_plan){0};
}
