#include "core/base/usage.h"

#include <string.h>

#include "core/base/text.h"

#define COLUMN 34

void es_flag_spelling(struct es_buf *out, const struct es_flag *f)
{
    if (f->letter)
        es_buf_addf(out, "-%c, ", f->letter);
    es_buf_addf(out, "--%s", f->name);
    if (!es_str_empty(f->value))
        es_buf_addf(out, " %s", f->value);
}

void es_flag_sentences(struct es_buf *out, const struct es_flag *f)
{
    bool told = !es_str_empty(f->fallback);

    es_buf_adds(out, f->help);
    if (told)
        es_buf_addf(out, " Default: %s", f->fallback);
    if (f->on_off)
        es_buf_addf(out, "%switched with =true and =false.", told ? "; s" : " S");
    else if (told)
        es_buf_addc(out, '.');
}

/* A spelling that is too long for the column has a line of its own. */
void es_flag_line(struct es_buf *out, const struct es_flag *f)
{
    struct es_buf left;

    es_buf_init(&left, 256);
    es_flag_spelling(&left, f);
    if (left.len > COLUMN)
        es_buf_addf(out, "  %s\n  %-*s ", es_buf_str(&left), COLUMN, "");
    else
        es_buf_addf(out, "  %-*s ", COLUMN, es_buf_str(&left));
    es_flag_sentences(out, f);
    es_buf_addc(out, '\n');
    es_buf_fini(&left);
}

void es_usage_lines(struct es_buf *out, const char *lines)
{
    const char *before = "Usage: ";

    while (*lines) {
        size_t len = strcspn(lines, "\n");
        es_buf_adds(out, before);
        es_buf_add(out, lines, len);
        es_buf_addc(out, '\n');
        lines += len + (lines[len] != '\0');
        before = "       ";
    }
}

const char *es_value_piece(const char **at, size_t *ret_len)
{
    const char *piece = *at;

    if (es_str_empty(piece))
        return NULL;
    *ret_len = strcspn(piece, "|");
    *at = piece + *ret_len + (piece[*ret_len] != '\0');
    return piece;
}
