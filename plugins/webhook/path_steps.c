/* Reads the steps of a JSONPath: names, brackets, scripts. */
#include "path_parser.h"

#define MAX_INT32 2147483647.0

/* ---- brackets ---- */

static bool add_key(struct hook_parser *p, struct hook_step *s, struct hook_expr *key)
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

static bool mixed(struct hook_parser *p, int first, int other)
{
    esp_text_addf(p->why, "mixed %d and %d in JSON bracket", first, other);
    return false;
}

/* What follows a key: `first` again, or the end. *more: there is another key. */
static bool separator(struct hook_parser *p, int *first, bool *more)
{
    int token = hook_next(p);

    *more = token != ']';
    if (token == ']')
        return true;
    if (token != ':' && token != ',')
        return hook_unexpected(p, "JSON bracket separator", "\":\" or \",\"");
    if (*first && *first != token)
        return mixed(p, *first, token);
    *first = token;
    return true;
}

static bool parse_filter(struct hook_parser *p, struct hook_step *s)
{
    int first = '?';
    bool more = false;

    s->kind = HOOK_FILTER;
    return add_key(p, s, hook_parse_expression(p)) && separator(p, &first, &more);
}

/* min:max:step, of which any may be missing. What is not read yet is put back. */
static bool parse_range(struct hook_parser *p, struct hook_step *s)
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
        int token = hook_next(p);
        hook_put_back(p, "jsonpath brackets", NULL);
        if (token == ':' || token == ']') {
            const struct hook_value missing = {.kind = HOOK_NUMBER, .number = defaults[s->key_count]};
            if (!add_key(p, s, hook_constant(p, missing)))
                return false;
        } else if (!add_key(p, s, hook_parse_expression(p))) {
            return false;
        }
        if (!separator(p, &first, &more))
            return false;
    }
    while (s->key_count < 3)
        if (!add_key(
                p, s,
                hook_constant(p, (struct hook_value){.kind = HOOK_NUMBER, .number = defaults[s->key_count]})))
            return false;
    return true;
}

static bool parse_keys(struct hook_parser *p, struct hook_step *s)
{
    int first = 0;
    bool more = true;

    while (more) {
        if (!add_key(p, s, hook_parse_expression(p)) || !separator(p, &first, &more))
            return false;
        if (more && first == ':')
            return parse_range(p, s); /* min has been read */
    }
    s->kind = s->key_count == 1 ? HOOK_CHILD : HOOK_UNION;
    return true;
}

/* After the [. */
static bool parse_bracket(struct hook_parser *p, struct hook_step *s)
{
    switch (hook_next(p)) {
    case '?':
        return parse_filter(p, s);
    case '*':
        s->kind = HOOK_ALL;
        return hook_next(p) == ']' || hook_unexpected(p, "JSON bracket star", "\"]\"");
    case ':':
        hook_put_back(p, "jsonpath brackets", NULL);
        return parse_range(p, s);
    default:
        hook_put_back(p, "jsonpath brackets", NULL);
        return parse_keys(p, s);
    }
}

/* ---- steps ---- */

static bool add_bracket(struct hook_parser *p, struct hook_expr *path, struct hook_step ***end, bool below)
{
    struct hook_step *s;

    if (!hook_add_step(p, path, end, HOOK_CHILD, &s) || !parse_bracket(p, s))
        return false;
    if (below && s->kind == HOOK_RANGE) {
        esp_text_adds(p->why, "mapper can not be combined with range query");
        return false;
    }
    /* Below .. the reference calls one key a union of one, which leaves out what does not fit. */
    path->many = path->many || s->kind != HOOK_CHILD;
    return true;
}

static bool add_member(struct hook_parser *p, struct hook_expr *path, struct hook_step ***end)
{
    struct hook_step *s;

    return hook_add_step(p, path, end, HOOK_CHILD, &s) &&
           add_key(p, s, hook_constant_text(p, hook_token_text(p)));
}

static bool add_script(struct hook_parser *p, struct hook_expr *path, struct hook_step ***end)
{
    struct hook_step *s;

    if (!hook_add_step(p, path, end, HOOK_SCRIPT, &s) || !add_key(p, s, hook_parse_expression(p)))
        return false;
    return hook_next(p) == ')' || hook_unexpected(p, "jsonpath script", "\")\"");
}

/* After the second dot of `..`. */
static bool parse_below(struct hook_parser *p, struct hook_expr *path, struct hook_step ***end)
{
    struct hook_step *s;

    if (!hook_add_step(p, path, end, HOOK_DESCEND, &s))
        return false;
    switch (hook_next(p)) {
    case HOOK_IDENT:
        return add_member(p, path, end);
    case '[':
        return add_bracket(p, path, end, true);
    case '*':
        return hook_add_step(p, path, end, HOOK_ALL, &s);
    case '(':
        return add_script(p, path, end);
    default:
        return hook_unexpected(p, "JSON mapper", "\"[\", Ident or \"*\"");
    }
}

/* After a dot. */
static bool parse_select(struct hook_parser *p, struct hook_expr *path, struct hook_step ***end)
{
    struct hook_step *s;

    switch (hook_next(p)) {
    case HOOK_IDENT:
        return add_member(p, path, end);
    case '.':
        return parse_below(p, path, end);
    case '*':
        return hook_add_step(p, path, end, HOOK_ALL, &s);
    default:
        return hook_unexpected(p, "JSON select", "Ident, \".\" or \"*\"");
    }
}

bool hook_parse_steps(struct hook_parser *p, struct hook_expr *path, struct hook_step **first)
{
    struct hook_step **end = first;

    for (;;) {
        bool good = true;
        switch (hook_next(p)) {
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
            hook_put_back(p, "jsonpath", "\".\", \"[\" or \"(\"");
            return true;
        }
        if (!good)
            return false;
    }
}
