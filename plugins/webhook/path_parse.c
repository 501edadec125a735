/* Reads a JSONPath: recursive descent, one token ahead. A token that did not fit where it was
 * looked at is put back, with a note of what it would have had to be: if nobody takes it
 * afterwards, that note is the error. */
#include <stdlib.h>
#include <string.h>

#include "path_own.h"
#include "scan.h"

#define MAX_INT32 2147483647.0

struct parser {
    struct hook_path *path;
    struct hook_scanner scan;
    int token;          /* the last one */
    bool back;          /* it is put back, ... */
    const char *unit;   /* ... because there it did not fit */
    const char *wanted; /* or NULL: "expected ..." of the same note */
    bool joined;        /* the last token is an operator of several characters: it has no place */
    int depth;
    struct esp_text *why; /* what is wrong, without the place */
};

static int next(struct parser *p)
{
    if (!p->back) {
        p->token = hook_scan(&p->scan);
        p->joined = false;
    }
    p->back = false;
    return p->token;
}

static esp_bytes token_text(const struct parser *p)
{
    return esp_span(p->scan.text.ptr + p->scan.start, p->scan.at - p->scan.start);
}

static void put_back(struct parser *p, const char *unit, const char *wanted)
{
    p->back = true;
    p->unit = unit;
    p->wanted = wanted;
}

/* Always false. */
static bool unexpected(struct parser *p, const char *unit, const char *wanted)
{
    esp_text_adds(p->why, "unexpected ");
    hook_token_name(p->token, p->why);
    esp_text_addf(p->why, " while scanning %s", unit);
    if (wanted)
        esp_text_addf(p->why, " expected %s", wanted);
    return false;
}

static bool no_memory(struct parser *p)
{
    esp_text_adds(p->why, "out of memory");
    return false;
}

/* ---- expressions ---- */

static struct hook_expr *parse_expression(struct parser *p);
static struct hook_expr *parse_operand(struct parser *p);
static bool parse_steps(struct parser *p, struct hook_expr *path, struct hook_step **end);

static struct hook_expr *new_expr(struct parser *p, enum hook_expr_kind kind)
{
    struct hook_expr *e = hook_path_alloc(p->path, sizeof *e);

    if (e)
        e->kind = kind;
    else
        no_memory(p);
    return e;
}

static struct hook_expr *constant(struct parser *p, struct hook_value value)
{
    struct hook_expr *e = new_expr(p, HOOK_CONSTANT);
    if (e)
        e->value = value;
    return e;
}

static struct hook_expr *constant_text(struct parser *p, esp_bytes text)
{
    uint8_t *copy = hook_path_alloc(p->path, text.len + 1);

    if (!copy) {
        no_memory(p);
        return NULL;
    }
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    return constant(p, (struct hook_value){.kind = HOOK_TEXT, .text = esp_span(copy, text.len)});
}

static struct hook_expr *parse_number(struct parser *p)
{
    char digits[64];
    esp_bytes text = token_text(p);

    if (text.len >= sizeof digits) {
        esp_text_adds(p->why, "a number of too many digits");
        return NULL;
    }
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    return constant(p, (struct hook_value){.kind = HOOK_NUMBER, .number = strtod(digits, NULL)});
}

/* 'a "b"' as "a \"b\"", so that one reader does for both. */
static void requote(esp_bytes text, struct esp_text *out)
{
    esp_text_addc(out, '"');
    for (size_t i = 1; i + 1 < text.len; i++) {
        if (text.ptr[i] == '"')
            esp_text_addc(out, '\\');
        if (text.ptr[i] == '\\' && text.ptr[i + 1] == '\'')
            i++;
        esp_text_addc(out, (char)text.ptr[i]);
    }
    esp_text_addc(out, '"');
}

static struct hook_expr *parse_text(struct parser *p)
{
    esp_bytes text = token_text(p);
    struct esp_text quoted, plain;
    struct hook_expr *e = NULL;

    if (p->token == HOOK_RAW && text.len >= 2 && text.ptr[text.len - 1] == '`')
        return constant_text(p, esp_span(text.ptr + 1, text.len - 2));
    esp_text_init(&quoted, 2 * HOOK_MAX_PATH);
    esp_text_init(&plain, HOOK_MAX_PATH);
    if (p->token == HOOK_CHAR && text.len >= 2 && text.ptr[text.len - 1] == '\'')
        requote(text, &quoted);
    else if (p->token == HOOK_STRING)
        esp_text_add(&quoted, text);
    if (quoted.len && esp_json_check(esp_text_bytes(&quoted), NULL)) {
        esp_json_plain(esp_text_bytes(&quoted), &plain);
        e = constant_text(p, esp_text_bytes(&plain));
    } else {
        esp_text_adds(p->why, "could not parse string: invalid syntax");
    }
    esp_text_free(&quoted);
    esp_text_free(&plain);
    return e;
}

static struct hook_expr *parse_negative(struct parser *p);

static bool add_step(struct parser *p, struct hook_expr *path, struct hook_step ***end,
                     enum hook_step_kind kind, struct hook_step **ret)
{
    struct hook_step *s = hook_path_alloc(p->path, sizeof *s);

    if (!s)
        return no_memory(p);
    s->kind = kind;
    path->many = path->many || (kind != HOOK_CHILD && kind != HOOK_SCRIPT);
    **end = s;
    *end = &s->next;
    *ret = s;
    return true;
}

/* A name that is no constant is a member of the document: name.other[0]. */
static struct hook_expr *parse_name(struct parser *p)
{
    esp_bytes name = token_text(p);
    struct hook_step *step, **end;

    if (esp_equal_str(name, "true") || esp_equal_str(name, "false"))
        return constant(p, (struct hook_value){.kind = HOOK_BOOL, .truth = name.len == 4});
    struct hook_expr *e = new_expr(p, HOOK_VARIABLE);
    if (!e)
        return NULL;
    end = &e->steps;
    for (;;) {
        if (!add_step(p, e, &end, HOOK_CHILD, &step))
            return NULL;
        step->key_count = 1;
        step->keys[0] = constant_text(p, name);
        if (!step->keys[0])
            return NULL;
        if (next(p) != '.') {
            put_back(p, "variable", "\".\", \"(\" or \"[\"");
            return e;
        }
        if (next(p) != HOOK_IDENT) {
            unexpected(p, "field", "Ident");
            return NULL;
        }
        name = token_text(p);
    }
}

static struct hook_expr *parse_path(struct parser *p, bool current)
{
    struct hook_expr *e = new_expr(p, HOOK_PATH);

    if (!e)
        return NULL;
    e->current = current;
    return parse_steps(p, e, &e->steps) ? e : NULL;
}

static struct hook_expr *parse_parentheses(struct parser *p)
{
    struct hook_expr *e = parse_expression(p);

    if (e && next(p) != ')') {
        unexpected(p, "parentheses", "\")\"");
        return NULL;
    }
    return e;
}

static struct hook_expr *parse_token(struct parser *p)
{
    switch (next(p)) {
    case HOOK_INT:
    case HOOK_FLOAT:
        return parse_number(p);
    case HOOK_STRING:
    case HOOK_CHAR:
    case HOOK_RAW:
        return parse_text(p);
    case HOOK_IDENT:
        return parse_name(p);
    case '-':
        return parse_negative(p);
    case '(':
        return parse_parentheses(p);
    case '$':
    case '@':
        return parse_path(p, p->token == '@');
    default:
        unexpected(p, "extensions", NULL);
        return NULL;
    }
}

/* Whatever nests comes through here. */
static struct hook_expr *parse_operand(struct parser *p)
{
    if (p->depth == HOOK_MAX_NESTING) {
        esp_text_adds(p->why, "nested too deeply");
        return NULL;
    }
    p->depth++;
    struct hook_expr *e = parse_token(p);
    p->depth--;
    return e;
}

static struct hook_expr *parse_negative(struct parser *p)
{
    struct hook_expr *e = new_expr(p, HOOK_NEGATIVE);

    if (e)
        e->left = parse_operand(p);
    return e && e->left ? e : NULL;
}

/* The language knows more operators by name than it can do. */
static bool begins_operator(esp_bytes text)
{
    static const char *const operators[] = {
        "??", "||", "&&", "==", "!=", ">=", "<=", "=~", "!~", "<<", ">>", "**"};

    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (esp_starts_with(esp_str(operators[i]), text))
            return true;
    return false;
}

static bool is_symbol(int c)
{
    return c > 0 && strchr("?|&=!><~^+-*/%", c);
}

/* 1: == or !=, in *equal; 0: no operator, put back; -1: one that is unknown. */
static int parse_operator(struct parser *p, bool *equal)
{
    int token = next(p);

    if (is_symbol(token)) {
        while (is_symbol(hook_scan_peek(&p->scan)) &&
               begins_operator(esp_span(token_text(p).ptr, token_text(p).len + 1))) {
            p->scan.at++;
            p->joined = true;
        }
    }
    esp_bytes text = token_text(p);
    *equal = esp_equal_str(text, "==");
    if (*equal || esp_equal_str(text, "!="))
        return 1;
    if (!p->joined) {
        put_back(p, "operator", NULL);
        return 0;
    }
    esp_text_addf(p->why, "unknown operator %.*s", ESP_ARG(text));
    return -1;
}

static struct hook_expr *compare(struct parser *p, struct hook_expr *left)
{
    bool equal = false;

    for (;;) {
        int found = parse_operator(p, &equal);
        if (found <= 0)
            return found == 0 ? left : NULL;
        struct hook_expr *e = new_expr(p, equal ? HOOK_EQUAL : HOOK_UNEQUAL);
        if (!e)
            return NULL;
        e->left = left;
        e->right = parse_operand(p);
        if (!e->right)
            return NULL;
        left = e;
    }
}

static struct hook_expr *parse_expression(struct parser *p)
{
    struct hook_expr *e = parse_operand(p);
    return e ? compare(p, e) : NULL;
}

/* ---- brackets ---- */

static bool add_key(struct parser *p, struct hook_step *s, struct hook_expr *key)
{
    if (!key)
        return false;
    if (s->key_count == HOOK_MAX_KEYS) {
        esp_text_addf(p->why, "more than %d keys in JSON bracket", HOOK_MAX_KEYS);
        return false;
    }
    s->keys[s->key_count++] = key;
    return true;
}

static bool mixed(struct parser *p, int first, int other)
{
    esp_text_addf(p->why, "mixed %d and %d in JSON bracket", first, other);
    return false;
}

/* What follows a key: `first` again, or the end. *more: there is another key. */
static bool separator(struct parser *p, int *first, bool *more)
{
    int token = next(p);

    *more = token != ']';
    if (token == ']')
        return true;
    if (token != ':' && token != ',')
        return unexpected(p, "JSON bracket separator", "\":\" or \",\"");
    if (*first && *first != token)
        return mixed(p, *first, token);
    *first = token;
    return true;
}

static bool parse_filter(struct parser *p, struct hook_step *s)
{
    int first = '?';
    bool more = false;

    s->kind = HOOK_FILTER;
    return add_key(p, s, parse_expression(p)) && separator(p, &first, &more);
}

/* min:max:step, of which any may be missing. What is not read yet is put back. */
static bool parse_range(struct parser *p, struct hook_step *s)
{
    static const double defaults[] = {0, MAX_INT32, 1};
    int first = ':';
    bool more = true;

    s->kind = HOOK_RANGE;
    while (more) {
        if (s->key_count == 3) {
            esp_text_adds(p->why, "range query has at least the parameter [min:max:step]");
            return false;
        }
        int token = next(p);
        put_back(p, "jsonpath brackets", NULL);
        if (token == ':' || token == ']') {
            const struct hook_value missing = {.kind = HOOK_NUMBER, .number = defaults[s->key_count]};
            if (!add_key(p, s, constant(p, missing)))
                return false;
        } else if (!add_key(p, s, parse_expression(p))) {
            return false;
        }
        if (!separator(p, &first, &more))
            return false;
    }
    while (s->key_count < 3)
        if (!add_key(p, s,
                     constant(p, (struct hook_value){.kind = HOOK_NUMBER, .number = defaults[s->key_count]})))
            return false;
    return true;
}

static bool parse_keys(struct parser *p, struct hook_step *s)
{
    int first = 0;
    bool more = true;

    while (more) {
        if (!add_key(p, s, parse_expression(p)) || !separator(p, &first, &more))
            return false;
        if (more && first == ':')
            return parse_range(p, s); /* min has been read */
    }
    s->kind = s->key_count == 1 ? HOOK_CHILD : HOOK_UNION;
    return true;
}

/* After the [. */
static bool parse_bracket(struct parser *p, struct hook_step *s)
{
    switch (next(p)) {
    case '?':
        return parse_filter(p, s);
    case '*':
        s->kind = HOOK_ALL;
        return next(p) == ']' || unexpected(p, "JSON bracket star", "\"]\"");
    case ':':
        put_back(p, "jsonpath brackets", NULL);
        return parse_range(p, s);
    default:
        put_back(p, "jsonpath brackets", NULL);
        return parse_keys(p, s);
    }
}

/* ---- steps ---- */

static bool add_bracket(struct parser *p, struct hook_expr *path, struct hook_step ***end, bool below)
{
    struct hook_step *s;

    if (!add_step(p, path, end, HOOK_CHILD, &s) || !parse_bracket(p, s))
        return false;
    if (below && s->kind == HOOK_RANGE) {
        esp_text_adds(p->why, "mapper can not be combined with range query");
        return false;
    }
    /* Below .. the reference calls one key a union of one, which leaves out what does not fit. */
    path->many = path->many || s->kind != HOOK_CHILD;
    return true;
}

static bool add_member(struct parser *p, struct hook_expr *path, struct hook_step ***end)
{
    struct hook_step *s;

    return add_step(p, path, end, HOOK_CHILD, &s) && add_key(p, s, constant_text(p, token_text(p)));
}

static bool add_script(struct parser *p, struct hook_expr *path, struct hook_step ***end)
{
    struct hook_step *s;

    if (!add_step(p, path, end, HOOK_SCRIPT, &s) || !add_key(p, s, parse_expression(p)))
        return false;
    return next(p) == ')' || unexpected(p, "jsonpath script", "\")\"");
}

/* After the second dot of `..`. */
static bool parse_below(struct parser *p, struct hook_expr *path, struct hook_step ***end)
{
    struct hook_step *s;

    if (!add_step(p, path, end, HOOK_DESCEND, &s))
        return false;
    switch (next(p)) {
    case HOOK_IDENT:
        return add_member(p, path, end);
    case '[':
        return add_bracket(p, path, end, true);
    case '*':
        return add_step(p, path, end, HOOK_ALL, &s);
    case '(':
        return add_script(p, path, end);
    default:
        return unexpected(p, "JSON mapper", "\"[\", Ident or \"*\"");
    }
}

/* After a dot. */
static bool parse_select(struct parser *p, struct hook_expr *path, struct hook_step ***end)
{
    struct hook_step *s;

    switch (next(p)) {
    case HOOK_IDENT:
        return add_member(p, path, end);
    case '.':
        return parse_below(p, path, end);
    case '*':
        return add_step(p, path, end, HOOK_ALL, &s);
    default:
        return unexpected(p, "JSON select", "Ident, \".\" or \"*\"");
    }
}

static bool parse_steps(struct parser *p, struct hook_expr *path, struct hook_step **first)
{
    struct hook_step **end = first;

    for (;;) {
        bool good = true;
        switch (next(p)) {
        case '.':
            good = parse_select(p, path, &end);
            break;
        case '[':
            good = add_bracket(p, path, &end, false);
            break;
        case '(':
            good = add_script(p, path, &end);
            break;
        default:
            put_back(p, "jsonpath", "\".\", \"[\" or \"(\"");
            return true;
        }
        if (!good)
            return false;
    }
}

/* ---- the whole ---- */

/* "parsing error: PATH :1:4 - 1:5 ", as the reference begins. */
static void add_place(const struct parser *p, esp_bytes path, struct esp_text *out)
{
    esp_text_addf(out, "parsing error: %.*s ", ESP_ARG(path));
    if (!p->joined)
        esp_text_addf(out, ":1:%zu", hook_scan_column(&p->scan, p->scan.start));
    esp_text_addf(out, " - 1:%zu ", hook_scan_column(&p->scan, p->scan.at));
}

bool hook_path_parse(struct hook_path *path, esp_bytes text, struct esp_text *why)
{
    struct esp_text wrong;

    if (text.len > HOOK_MAX_PATH) {
        esp_text_addf(why, "a path of more than %zu bytes", HOOK_MAX_PATH);
        return false;
    }
    esp_text_init(&wrong, 512);
    struct parser p = {.path = path, .scan = {.text = text}, .why = &wrong};
    path->expr = parse_expression(&p);
    if (path->expr && p.back && p.token != HOOK_END) {
        unexpected(&p, p.unit, p.wanted);
        path->expr = NULL;
    }
    if (!path->expr) {
        add_place(&p, text, why);
        esp_text_add(why, esp_text_bytes(&wrong));
    }
    esp_text_free(&wrong);
    return path->expr != NULL;
}
