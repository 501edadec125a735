#include "core/template/lex.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/secret/gotext.h"
#include "core/secret/runes.h"

#define END UINT32_MAX

void es_tlexer_init(struct es_tlexer *l, const char *text, size_t len, const char *left, const char *right)
{
    *l = (struct es_tlexer){
        .text = text, .len = len, .left = left, .right = right, .line = 1, .start_line = 1};
}

static bool starts_at(const struct es_tlexer *l, size_t at, const char *with)
{
    size_t n = strlen(with);
    return at <= l->len && l->len - at >= n && memcmp(l->text + at, with, n) == 0;
}

/* What is at `at`, and how long it is. A byte that is no UTF-8 counts as U+FFFD. */
static uint32_t rune_at(const struct es_tlexer *l, size_t at, size_t *ret_len)
{
    uint32_t rune;

    *ret_len = 0;
    if (at >= l->len)
        return END;
    *ret_len = es_utf8_decode(l->text + at, l->len - at, &rune);
    if (*ret_len)
        return rune;
    *ret_len = 1;
    return 0xFFFD;
}

static uint32_t peek(const struct es_tlexer *l)
{
    size_t len;
    return rune_at(l, l->pos, &len);
}

static uint32_t next(struct es_tlexer *l)
{
    size_t len;
    uint32_t rune = rune_at(l, l->pos, &len);

    l->pos += len;
    if (rune == '\n')
        l->line++;
    return rune;
}

static void count_lines(struct es_tlexer *l, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        l->line += l->text[i] == '\n';
}

static struct es_ttoken emit(struct es_tlexer *l, enum es_ttoken_type type)
{
    struct es_ttoken t = {type, l->start, l->text + l->start, l->pos - l->start, l->start_line};

    l->start = l->pos;
    l->start_line = l->line;
    return t;
}

/* Moves on to `to`, what lies between is nobody's. */
static void skip_to(struct es_tlexer *l, size_t to)
{
    count_lines(l, l->pos, to);
    l->pos = l->start = to;
    l->start_line = l->line;
}

/* The text that is in l->error. */
static struct es_ttoken fail(struct es_tlexer *l)
{
    struct es_ttoken t = {ES_TOKEN_ERROR, l->start, l->error, strlen(l->error), l->start_line};

    l->start = l->pos = l->len = 0;
    l->inside = false;
    return t;
}

static struct es_ttoken fail_with(struct es_tlexer *l, const char *text)
{
    snprintf(l->error, sizeof l->error, "%s", text);
    return fail(l);
}

/* fmt's %#U. */
static struct es_ttoken fail_at_rune(struct es_tlexer *l, const char *what, uint32_t rune)
{
    char text[5] = "";

    if (rune == END) {
        snprintf(l->error, sizeof l->error, "%s U+FFFFFFFFFFFFFFFF", what);
        return fail(l);
    }
    text[es_utf8_encode(rune, text)] = '\0';
    if (es_rune_is(ES_RUNE_PRINT, rune))
        snprintf(l->error, sizeof l->error, "%s U+%04X '%s'", what, (unsigned)rune, text);
    else
        snprintf(l->error, sizeof l->error, "%s U+%04X", what, (unsigned)rune);
    return fail(l);
}

static bool is_space(uint32_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool space_at(const struct es_tlexer *l, size_t at)
{
    return at < l->len && is_space((unsigned char)l->text[at]);
}

static bool is_word(uint32_t c)
{
    return c != END && (c == '_' || es_rune_is(ES_RUNE_LETTER, c) || es_rune_is(ES_RUNE_DIGIT, c));
}

/* "- " behind a left delimiter, " -" before a right one. */
static bool left_trim_at(const struct es_tlexer *l, size_t at)
{
    return at < l->len && l->text[at] == '-' && space_at(l, at + 1);
}

static bool right_trim_at(const struct es_tlexer *l, size_t at)
{
    return space_at(l, at) && starts_at(l, at + 1, "-") && starts_at(l, at + 2, l->right);
}

static bool at_right(const struct es_tlexer *l, size_t at, bool *ret_trims)
{
    *ret_trims = right_trim_at(l, at);
    return *ret_trims || starts_at(l, at, l->right);
}

static size_t behind_spaces(const struct es_tlexer *l, size_t at)
{
    while (space_at(l, at))
        at++;
    return at;
}

/* Text and comments */

/* From a comment's beginning to behind its right delimiter. False: l->error is set. */
static bool skip_comment(struct es_tlexer *l)
{
    const char *from = l->text + l->pos + 2;
    const char *close = l->pos + 2 <= l->len ? memmem(from, l->len - l->pos - 2, "*/", 2) : NULL;
    bool trims;

    if (!close) {
        snprintf(l->error, sizeof l->error, "unclosed comment");
        return false;
    }
    size_t end = (size_t)(close - l->text) + 2;
    if (!at_right(l, end, &trims)) {
        snprintf(l->error, sizeof l->error, "comment ends before closing delimiter");
        return false;
    }
    end += (trims ? 2 : 0) + strlen(l->right);
    skip_to(l, trims ? behind_spaces(l, end) : end);
    return true;
}

/* At a left delimiter. True: *ret is a token; false: a comment was passed over. */
static bool left_delimiter(struct es_tlexer *l, struct es_ttoken *ret)
{
    size_t behind = l->pos + strlen(l->left);
    size_t marker = left_trim_at(l, behind) ? 2 : 0;

    if (starts_at(l, behind + marker, "/*")) {
        skip_to(l, behind + marker);
        if (skip_comment(l))
            return false;
        *ret = fail(l);
        return true;
    }
    l->pos = behind;
    *ret = emit(l, ES_TOKEN_LEFT_DELIM);
    skip_to(l, behind + marker);
    l->inside = true;
    l->parens = 0;
    return true;
}

/* Text up to `to`; the spaces before a trimming delimiter are left out. */
static bool text_until(struct es_tlexer *l, size_t to, struct es_ttoken *ret)
{
    size_t end = to;

    if (left_trim_at(l, to + strlen(l->left)))
        while (end > l->pos && space_at(l, end - 1))
            end--;
    count_lines(l, l->pos, end);
    l->pos = end;
    *ret = emit(l, ES_TOKEN_TEXT);
    skip_to(l, to);
    return ret->len > 0;
}

static struct es_ttoken outside(struct es_tlexer *l)
{
    struct es_ttoken t;

    for (;;) {
        const char *left = memmem(l->text + l->pos, l->len - l->pos, l->left, strlen(l->left));
        if (!left) {
            size_t from = l->pos;
            l->pos = l->len;
            count_lines(l, from, l->len);
            return emit(l, l->len > from ? ES_TOKEN_TEXT : ES_TOKEN_EOF);
        }
        size_t at = (size_t)(left - l->text);
        if (at > l->pos && text_until(l, at, &t))
            return t;
        if (left_delimiter(l, &t))
            return t;
    }
}

/* Actions */

static struct es_ttoken right_delimiter(struct es_tlexer *l)
{
    bool trims;

    at_right(l, l->pos, &trims);
    if (trims)
        skip_to(l, l->pos + 2);
    l->pos += strlen(l->right);
    struct es_ttoken t = emit(l, ES_TOKEN_RIGHT_DELIM);
    if (trims)
        skip_to(l, behind_spaces(l, l->pos));
    l->inside = false;
    return t;
}

/* A run of spaces; the last one belongs to the delimiter if that trims. */
static struct es_ttoken spaces(struct es_tlexer *l)
{
    size_t end = behind_spaces(l, l->pos);

    if (right_trim_at(l, end - 1)) {
        if (end - 1 == l->pos)
            return right_delimiter(l);
        end--;
    }
    count_lines(l, l->pos, end);
    l->pos = end;
    return emit(l, ES_TOKEN_SPACE);
}

/* What may follow a field, a variable or a word. */
static bool at_terminator(const struct es_tlexer *l)
{
    uint32_t c = peek(l);
    bool ends = c == END || is_space(c) || (c < 0x80 && c && strchr(".,|:)(", (int)c));
    return ends || starts_at(l, l->pos, l->right);
}

static void pass_word(struct es_tlexer *l)
{
    while (is_word(peek(l)))
        next(l);
}

static struct es_ttoken word(struct es_tlexer *l)
{
    static const struct {
        const char *text;
        enum es_ttoken_type type;
    } keywords[] = {
        {"block", ES_TOKEN_BLOCK},
        {"break", ES_TOKEN_BREAK},
        {"continue", ES_TOKEN_CONTINUE},
        {"define", ES_TOKEN_DEFINE},
        {"else", ES_TOKEN_ELSE},
        {"end", ES_TOKEN_END},
        {"if", ES_TOKEN_IF},
        {"range", ES_TOKEN_RANGE},
        {"nil", ES_TOKEN_NIL},
        {"template", ES_TOKEN_TEMPLATE},
        {"with", ES_TOKEN_WITH},
        {"true", ES_TOKEN_BOOL},
        {"false", ES_TOKEN_BOOL},
    };
    size_t from = l->pos;

    pass_word(l);
    if (!at_terminator(l))
        return fail_at_rune(l, "bad character", peek(l));
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strlen(keywords[i].text) == l->pos - from &&
            memcmp(keywords[i].text, l->text + from, l->pos - from) == 0)
            return emit(l, keywords[i].type);
    return emit(l, ES_TOKEN_IDENTIFIER);
}

/* Behind the "." or "$". */
static struct es_ttoken field_or_variable(struct es_tlexer *l, enum es_ttoken_type type)
{
    if (at_terminator(l))
        return emit(l, type == ES_TOKEN_VARIABLE ? type : ES_TOKEN_DOT);
    pass_word(l);
    if (!at_terminator(l))
        return fail_at_rune(l, "bad character", peek(l));
    return emit(l, type);
}

/* Behind the opening quote. */
static struct es_ttoken quoted(struct es_tlexer *l, uint32_t quote, enum es_ttoken_type type,
                               const char *unterminated)
{
    for (;;) {
        uint32_t c = next(l);
        if (c == '\\' && quote != '`') {
            c = next(l);
            if (c != END && c != '\n')
                continue;
        }
        if (c == END || (c == '\n' && quote != '`'))
            return fail_with(l, unterminated);
        if (c == quote)
            return emit(l, type);
    }
}

static bool accept(struct es_tlexer *l, const char *set)
{
    if (l->pos >= l->len || !l->text[l->pos] || !strchr(set, l->text[l->pos]))
        return false;
    l->pos++;
    return true;
}

static void accept_run(struct es_tlexer *l, const char *set)
{
    while (accept(l, set))
        ;
}

/* Takes everything that looks like one number; whether it is shows later. */
static bool scan_number(struct es_tlexer *l)
{
    const char *digits = "0123456789_", *exponent = "eE";

    accept(l, "+-");
    if (accept(l, "0")) {
        if (accept(l, "xX")) {
            digits = "0123456789abcdefABCDEF_";
            exponent = "pP";
        } else if (accept(l, "oO")) {
            digits = "01234567_";
            exponent = "";
        } else if (accept(l, "bB")) {
            digits = "01_";
            exponent = "";
        }
    }
    accept_run(l, digits);
    if (accept(l, "."))
        accept_run(l, digits);
    if (accept(l, exponent)) {
        accept(l, "+-");
        accept_run(l, "0123456789_");
    }
    accept(l, "i");
    if (!is_word(peek(l)))
        return true;
    next(l);
    return false;
}

static struct es_ttoken bad_number(struct es_tlexer *l)
{
    struct es_buf quoted_text;

    es_buf_init(&quoted_text, sizeof l->error - 30);
    es_go_quote_bytes(&quoted_text, l->text + l->start, l->pos - l->start, 0);
    snprintf(l->error, sizeof l->error, "bad number syntax: %s", es_buf_str(&quoted_text));
    es_buf_fini(&quoted_text);
    return fail(l);
}

static struct es_ttoken number(struct es_tlexer *l)
{
    if (!scan_number(l))
        return bad_number(l);
    if (peek(l) != '+' && peek(l) != '-')
        return emit(l, ES_TOKEN_NUMBER);
    if (!scan_number(l) || l->text[l->pos - 1] != 'i')
        return bad_number(l);
    return emit(l, ES_TOKEN_COMPLEX);
}

static struct es_ttoken paren(struct es_tlexer *l, uint32_t c)
{
    l->parens += c == '(' ? 1 : -1;
    if (l->parens < 0)
        return fail_with(l, "unexpected right paren");
    return emit(l, c == '(' ? ES_TOKEN_LEFT_PAREN : ES_TOKEN_RIGHT_PAREN);
}

static bool is_digit_at(const struct es_tlexer *l, size_t at)
{
    return at < l->len && l->text[at] >= '0' && l->text[at] <= '9';
}

static bool starts_number(const struct es_tlexer *l)
{
    char c = l->text[l->pos];
    return c == '+' || c == '-' || is_digit_at(l, l->pos) ||
           (c == '.' && (is_digit_at(l, l->pos + 1) || l->pos + 1 == l->len));
}

static struct es_ttoken symbol(struct es_tlexer *l)
{
    uint32_t c = next(l);

    switch (c) {
    case '=':
        return emit(l, ES_TOKEN_ASSIGN);
    case ':':
        return next(l) == '=' ? emit(l, ES_TOKEN_DECLARE) : fail_with(l, "expected :=");
    case '|':
        return emit(l, ES_TOKEN_PIPE);
    case '"':
        return quoted(l, c, ES_TOKEN_STRING, "unterminated quoted string");
    case '`':
        return quoted(l, c, ES_TOKEN_RAW_STRING, "unterminated raw quoted string");
    case '\'':
        return quoted(l, c, ES_TOKEN_CHAR_CONSTANT, "unterminated character constant");
    case '$':
        return field_or_variable(l, ES_TOKEN_VARIABLE);
    case '.':
        return field_or_variable(l, ES_TOKEN_FIELD);
    case '(':
    case ')':
        return paren(l, c);
    default:
        if (c > 0x20 && c < 0x7f)
            return emit(l, ES_TOKEN_CHAR);
        return fail_at_rune(l, "unrecognized character in action:", c);
    }
}

static struct es_ttoken inside(struct es_tlexer *l)
{
    bool trims;

    if (at_right(l, l->pos, &trims))
        return l->parens == 0 ? right_delimiter(l) : fail_with(l, "unclosed left paren");
    if (l->pos >= l->len)
        return fail_with(l, "unclosed action");
    if (space_at(l, l->pos))
        return spaces(l);
    if (starts_number(l))
        return number(l);
    return is_word(peek(l)) ? word(l) : symbol(l);
}

struct es_ttoken es_tlexer_next(struct es_tlexer *l)
{
    return l->inside ? inside(l) : outside(l);
}
