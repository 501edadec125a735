/* Reads a JSONPath: its expressions. */
#include <stdlib.h>
#include <string.h>

#include "path_parser.h"

int hook_next(struct hook_parser *p)
{
    if (!p->back) {
        p->token = hook_scan(&p->scan);
        p->joined = false;
    }
    p->back = false;
    return p->token;
}

esp_bytes hook_token_text(const struct hook_parser *p)
{
    return esp_span(p->scan.text.ptr + p->scan.start, p->scan.at - p->scan.start);
}

void hook_put_back(struct hook_parser *p, const char *unit, const char *wanted)
{
    p->back = true;
    p->unit = unit;
    p->wanted = wanted;
}

/* Always false. */
bool hook_unexpected(struct hook_parser *p, const char *unit, const char *wanted)
{
    esp_text_adds(p->why, "unexpected ");
    hook_token_name(p->token, p->why);
    esp_text_addf(p->why, " while scanning %s", unit);
    if (wanted)
        esp_text_addf(p->why, " expected %s", wanted);
    return false;
}

bool hook_parse_nomem(struct hook_parser *p)
{
    esp_text_adds(p->why, "out of memory");
    return false;
}

/* ---- expressions ---- */

static struct hook_expr *parse_operand(struct hook_parser *p);

static struct hook_expr *new_expr(struct hook_parser *p, enum hook_expr_kind kind)
{
    struct hook_expr *e = hook_path_alloc(p->path, sizeof *e);

    if (e)
        e->kind = kind;
    else
        hook_parse_nomem(p);
    return e;
}

struct hook_expr *hook_constant(struct hook_parser *p, struct hook_value value)
{
    struct hook_expr *e = new_expr(p, HOOK_CONSTANT);
    if (e)
        e->value = value;
    return e;
}

struct hook_expr *hook_constant_text(struct hook_parser *p, esp_bytes text)
{
    uint8_t *copy = hook_path_alloc(p->path, text.len + 1);

    if (!copy) {
        hook_parse_nomem(p);
        return NULL;
    }
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    return hook_constant(p, (struct hook_value){.kind = HOOK_TEXT, .text = esp_span(copy, text.len)});
}

static struct hook_expr *parse_number(struct hook_parser *p)
{
    char digits[64];
    esp_bytes text = hook_token_text(p);

    if (text.len >= sizeof digits) {
        esp_text_adds(p->why, "a number of too many digits");
        return NULL;
    }
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    return hook_constant(p, (struct hook_value){.kind = HOOK_NUMBER, .number = strtod(digits, NULL)});
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

static struct hook_expr *parse_text(struct hook_parser *p)
{
    esp_bytes text = hook_token_text(p);
    struct esp_text quoted, plain;
    struct hook_expr *e = NULL;

    if (p->token == HOOK_RAW && text.len >= 2 && text.ptr[text.len - 1] == '`')
        return hook_constant_text(p, esp_span(text.ptr + 1, text.len - 2));
    esp_text_init(&quoted, 2 * HOOK_MAX_PATH);
    esp_text_init(&plain, HOOK_MAX_PATH);
    if (p->token == HOOK_CHAR && text.len >= 2 && text.ptr[text.len - 1] == '\'')
        requote(text, &quoted);
    else if (p->token == HOOK_STRING)
        esp_text_add(&quoted, text);
    if (quoted.len && esp_json_check(esp_text_bytes(&quoted), NULL)) {
        esp_json_plain(esp_text_bytes(&quoted), &plain);
        e = hook_constant_text(p, esp_text_bytes(&plain));
    } else {
        esp_text_adds(p->why, "could not parse string: invalid syntax");
    }
    esp_text_free(&quoted);
    esp_text_free(&plain);
    return e;
}

static struct hook_expr *parse_negative(struct hook_parser *p);

bool hook_add_step(struct hook_parser *p, struct hook_expr *path, struct hook_step ***end,
                   enum hook_step_kind kind, struct hook_step **ret)
{
    struct hook_step *s = hook_path_alloc(p->path, sizeof *s);

    if (!s)
        return hook_parse_nomem(p);
    s->kind = kind;
    path->many = path->many || (kind != HOOK_CHILD && kind != HOOK_SCRIPT);
    **end = s;
    *end = &s->next;
    *ret = s;
    return true;
}

/* A name that is no constant is a member of the document: name.other[0]. */
static struct hook_expr *parse_name(struct hook_parser *p)
{
    esp_bytes name = hook_token_text(p);
    struct hook_step *step, **end;

    if (esp_equal_str(name, "true") || esp_equal_str(name, "false"))
        return hook_constant(p, (struct hook_value){.kind = HOOK_BOOL, .truth = name.len == 4});
    struct hook_expr *e = new_expr(p, HOOK_VARIABLE);
    if (!e)
        return NULL;
    end = &e->steps;
    for (;;) {
        if (!hook_add_step(p, e, &end, HOOK_CHILD, &step))
            return NULL;
        step->key_count = 1;
        step->keys[0] = hook_constant_text(p, name);
        if (!step->keys[0])
            return NULL;
        if (hook_next(p) != '.') {
            hook_put_back(p, "variable", "\".\", \"(\" or \"[\"");
            return e;
        }
        if (hook_next(p) != HOOK_IDENT) {
            hook_unexpected(p, "field", "Ident");
            return NULL;
        }
        name = hook_token_text(p);
    }
}

static struct hook_expr *parse_path(struct hook_parser *p, bool current)
{
    struct hook_expr *e = new_expr(p, HOOK_PATH);

    if (!e)
        return NULL;
    e->current = current;
    return hook_parse_steps(p, e, &e->steps) ? e : NULL;
}

static struct hook_expr *parse_parentheses(struct hook_parser *p)
{
    struct hook_expr *e = hook_parse_expression(p);

    if (e && hook_next(p) != ')') {
        hook_unexpected(p, "parentheses", "\")\"");
        return NULL;
    }
    return e;
}

static struct hook_expr *parse_token(struct hook_parser *p)
{
    switch (hook_next(p)) {
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
        hook_unexpected(p, "extensions", NULL);
        return NULL;
    }
}

/* Whatever nests comes through here. */
static struct hook_expr *parse_operand(struct hook_parser *p)
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

static struct hook_expr *parse_negative(struct hook_parser *p)
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
static int parse_operator(struct hook_parser *p, bool *equal)
{
    int token = hook_next(p);

    if (is_symbol(token)) {
        while (is_symbol(hook_scan_peek(&p->scan)) &&
               begins_operator(esp_span(hook_token_text(p).ptr, hook_token_text(p).len + 1))) {
            p->scan.at++;
            p->joined = true;
        }
    }
    esp_bytes text = hook_token_text(p);
    *equal = esp_equal_str(text, "==");
    if (*equal || esp_equal_str(text, "!="))
        return 1;
    if (!p->joined) {
        hook_put_back(p, "operator", NULL);
        return 0;
    }
    esp_text_addf(p->why, "unknown operator %.*s", ESP_ARG(text));
    return -1;
}

static struct hook_expr *compare(struct hook_parser *p, struct hook_expr *left)
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

struct hook_expr *hook_parse_expression(struct hook_parser *p)
{
    struct hook_expr *e = parse_operand(p);
    return e ? compare(p, e) : NULL;
}

/* ---- the whole ---- */

/* "parsing error: PATH :1:4 - 1:5 ", as the reference begins. */
static void add_place(const struct hook_parser *p, esp_bytes path, struct esp_text *out)
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
    struct hook_parser p = {.path = path, .scan = {.text = text}, .why = &wrong};
    path->expr = hook_parse_expression(&p);
    if (path->expr && p.back && p.token != HOOK_END) {
        hook_unexpected(&p, p.unit, p.wanted);
        path->expr = NULL;
    }
    if (!path->expr) {
        add_place(&p, text, why);
        esp_text_add(why, esp_text_bytes(&wrong));
    }
    esp_text_free(&wrong);
    return path->expr != NULL;
}
