#include "core/base/manpage.h"

#include <ctype.h>
#include <string.h>

#include "core/base/text.h"

#define SENTENCES_MAX ((size_t)16 << 10)

/* A character of a text. At the start of a line, a dot or a quote would be a request, and
 * a dash may be a hyphen, which cannot be copied to a command line. */
static void add_char(struct es_buf *out, char c, bool line_starts)
{
    if (line_starts && (c == '.' || c == '\''))
        es_buf_adds(out, "\\&");
    if (c == '\\')
        es_buf_adds(out, "\\e");
    else if (c == '-')
        es_buf_adds(out, "\\-");
    else
        es_buf_addc(out, c);
}

static void add_plain(struct es_buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        add_char(out, text[i], out->len == 0 || out->ptr[out->len - 1] == '\n');
}

static void add_font(struct es_buf *out, char font, const char *text, size_t len)
{
    es_buf_addf(out, "\\f%c", font);
    add_plain(out, text, len);
    es_buf_adds(out, "\\fR");
}

void es_man_begin(struct es_buf *out, const char *name, int section, const char *source, const char *summary)
{
    es_buf_adds(out, ".TH ");
    for (const char *c = name; *c; c++)
        add_char(out, (char)toupper((unsigned char)*c), false);
    /* No date: the same sources make the same page. */
    es_buf_addf(out, " %d \"\" \"%s\"\n.SH NAME\n", section, source);
    add_plain(out, name, strlen(name));
    es_buf_adds(out, " \\- ");
    add_plain(out, summary, strlen(summary));
    es_buf_addc(out, '\n');
}

void es_man_heading(struct es_buf *out, const char *title)
{
    es_buf_addf(out, ".SH %s\n", title);
}

/* `words`, or the text of a link; the number of characters that were read, 0: neither. */
static size_t add_marked(struct es_buf *out, const char *text)
{
    const char *close = strchr(text + 1, *text == '`' ? '`' : ']');

    if (!close || (*text == '[' && close[1] != '('))
        return 0;
    if (*text == '`') {
        add_font(out, 'B', text + 1, (size_t)(close - text - 1));
        return (size_t)(close - text + 1);
    }
    const char *end = strchr(close, ')');
    if (!end)
        return 0;
    add_plain(out, text + 1, (size_t)(close - text - 1));
    return (size_t)(end - text + 1);
}

void es_man_words(struct es_buf *out, const char *text)
{
    while (*text) {
        size_t marked = *text == '`' || *text == '[' ? add_marked(out, text) : 0;
        if (marked) {
            text += marked;
        } else if (es_str_starts(text, "\n\n")) {
            es_buf_adds(out, "\n.PP\n");
            text += 2;
        } else {
            add_plain(out, text++, 1);
        }
    }
}

void es_man_text(struct es_buf *out, const char *text)
{
    es_man_words(out, text);
    if (out->len && out->ptr[out->len - 1] != '\n')
        es_buf_addc(out, '\n');
}

/* What is in capitals stands for something else. */
static bool is_placeholder(const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isupper((unsigned char)word[i]))
            return false;
    return len > 1;
}

static void add_synopsis_line(struct es_buf *out, const char *line, size_t len)
{
    for (size_t i = 0, word; i < len; i += word) {
        for (word = 0; i + word < len && (isalnum((unsigned char)line[i + word]) || line[i + word] == '-');)
            word++;
        if (word == 0) {
            word = 1;
            add_plain(out, line + i, 1);
        } else {
            add_font(out, is_placeholder(line + i, word) ? 'I' : 'B', line + i, word);
        }
    }
}

void es_man_synopsis(struct es_buf *out, const char *lines)
{
    es_man_heading(out, "SYNOPSIS");
    while (*lines) {
        size_t len = strcspn(lines, "\n");
        add_synopsis_line(out, lines, len);
        lines += len + (lines[len] != '\0');
        es_buf_adds(out, *lines ? "\n.br\n" : "\n");
    }
}

void es_man_item(struct es_buf *out, const char *term)
{
    es_buf_adds(out, ".TP\n");
    add_font(out, 'B', term, strlen(term));
    es_buf_addc(out, '\n');
}

void es_man_flag(struct es_buf *out, const struct es_flag *f)
{
    struct es_buf sentences;

    es_buf_adds(out, ".TP\n");
    if (f->letter) {
        add_font(out, 'B', (const char[]){'-', f->letter}, 2);
        es_buf_adds(out, ", ");
    }
    es_buf_adds(out, "\\fB\\-\\-");
    add_plain(out, f->name, strlen(f->name));
    es_buf_adds(out, "\\fR");
    if (!es_str_empty(f->value)) {
        es_buf_addc(out, ' ');
        add_synopsis_line(out, f->value, strlen(f->value));
    }
    es_buf_addc(out, '\n');
    es_buf_init(&sentences, SENTENCES_MAX);
    es_flag_sentences(&sentences, f);
    es_man_text(out, es_buf_str(&sentences));
    es_buf_fini(&sentences);
}
