#include "core/base/yaml.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/base/yaml_scalar.h"

/* Readers look for the ":" of a key only so far (1024 characters). */
#define SIMPLE_KEY_MAX 256

struct writer {
    struct es_buf *out;
    bool sort_keys;
};

static void write_node(const struct writer *w, const json_t *node, size_t indent, bool after_dash);

static void add_spaces(struct es_buf *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        es_buf_addc(out, ' ');
}

/* What every reader accepts unescaped within a line. Left out beyond the
 * controls: the line breaks of YAML 1.1 (NEL, LS, PS), the byte order mark,
 * and the non-characters. */
static bool is_printable(uint32_t r)
{
    if (r < 0x20 || r == 0x7F || (r > 0x7F && r < 0xA0))
        return false;
    return r != 0x2028 && r != 0x2029 && r != 0xFEFF && r != 0xFFFE && r != 0xFFFF;
}

struct shape {
    bool printable;                        /* but for \n and \t */
    bool has_tab, has_newline, has_escape; /* escape: '"' or '\\', ugly in double quotes */
};

static struct shape look_at(const char *s, size_t len)
{
    struct shape shape = {.printable = true};
    uint32_t r = 0;

    for (size_t i = 0; i < len;) {
        size_t n = es_utf8_decode(s + i, len - i, &r);
        if (!n || (!is_printable(r) && r != '\n' && r != '\t'))
            shape.printable = false;
        shape.has_tab |= n && r == '\t';
        shape.has_newline |= n && r == '\n';
        shape.has_escape |= n && (r == '"' || r == '\\');
        i += n ? n : 1;
    }
    return shape;
}

static bool may_be_plain(const char *s, size_t len)
{
    if (!len || strchr(",[]{}#&*!|>'\"%@`?: ", s[0]) || s[len - 1] == ' ' || s[len - 1] == ':')
        return false;
    if (s[0] == '-' && (len == 1 || s[1] == ' '))
        return false;
    /* Markers of a document's begin and end. */
    if (strncmp(s, "---", 3) == 0 || strncmp(s, "...", 3) == 0)
        return false;
    return !strstr(s, ": ") && !strstr(s, " #") && !es_scalar_is_special(s, len);
}

static void add_escape(struct es_buf *out, uint32_t r)
{
    static const char letters[][2] = {{'\0', '0'}, {'\t', 't'}, {'\n', 'n'},
                                      {'\r', 'r'}, {'"', '"'},  {'\\', '\\'}};

    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (r == (unsigned char)letters[i][0]) {
            es_buf_addc(out, '\\');
            es_buf_addc(out, letters[i][1]);
            return;
        }
    es_buf_addf(out, r > 0xFF ? "\\u%04X" : "\\x%02X", (unsigned)r);
}

static void add_double_quoted(struct es_buf *out, const char *s, size_t len)
{
    uint32_t r = 0xFFFD;

    es_buf_addc(out, '"');
    for (size_t i = 0; i < len;) {
        size_t n = es_utf8_decode(s + i, len - i, &r);
        if (!n)
            es_buf_adds(out, "\xEF\xBF\xBD");
        else if (is_printable(r) && r != '"' && r != '\\')
            es_buf_add(out, s + i, n);
        else
            add_escape(out, r);
        i += n ? n : 1;
    }
    es_buf_addc(out, '"');
}

static void add_single_quoted(struct es_buf *out, const char *s, size_t len)
{
    es_buf_addc(out, '\'');
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\'')
            es_buf_addc(out, '\'');
        es_buf_addc(out, s[i]);
    }
    es_buf_addc(out, '\'');
}

static void add_line_string(struct es_buf *out, const char *s, size_t len)
{
    struct shape shape = look_at(s, len);
    bool one_line = shape.printable && !shape.has_tab && !shape.has_newline;

    if (one_line && may_be_plain(s, len))
        es_buf_add(out, s, len);
    else if (one_line && shape.has_escape)
        add_single_quoted(out, s, len);
    else
        add_double_quoted(out, s, len);
}

/* A literal block finds its indentation by its first line, so that line may
 * not be empty or begin with white space. */
static bool may_be_literal(const char *s, size_t len)
{
    struct shape shape = look_at(s, len);
    return shape.has_newline && shape.printable && !strchr(" \t\n", s[0]);
}

static void add_literal(struct es_buf *out, const char *s, size_t len, size_t indent)
{
    size_t trailing = 0;

    while (trailing < len && s[len - 1 - trailing] == '\n')
        trailing++;
    es_buf_adds(out, trailing == 0 ? "|-" : trailing == 1 ? "|" : "|+");
    for (size_t i = 0; i < len;) {
        const char *end = memchr(s + i, '\n', len - i);
        size_t n = end ? (size_t)(end - s) - i : len - i;
        es_buf_addc(out, '\n');
        if (n) {
            add_spaces(out, indent);
            es_buf_add(out, s + i, n);
        }
        i += n + 1;
    }
}

static void add_string(struct es_buf *out, const char *s, size_t len, size_t indent)
{
    if (may_be_literal(s, len))
        add_literal(out, s, len, indent);
    else
        add_line_string(out, s, len);
}

/* YAML 1.1 tells a float by its point, and wants a sign in the exponent. */
static void add_real(struct es_buf *out, double v)
{
    char text[ES_FLOAT_TEXT_MAX];

    es_float_format(v, 64, 21, text);
    size_t digits = strcspn(text, "e");
    es_buf_add(out, text, digits);
    if (!memchr(text, '.', digits))
        es_buf_adds(out, ".0");
    es_buf_adds(out, text + digits);
}

static void add_scalar(struct es_buf *out, const json_t *node, size_t indent)
{
    switch (json_typeof(node)) {
    case JSON_STRING:
        add_string(out, json_string_value(node), json_string_length(node), indent);
        break;
    case JSON_INTEGER:
        es_buf_addf(out, "%lld", (long long)json_integer_value(node));
        break;
    case JSON_REAL:
        add_real(out, json_real_value(node));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        es_buf_adds(out, json_is_true(node) ? "true" : "false");
        break;
    case JSON_OBJECT:
        es_buf_adds(out, "{}");
        break;
    case JSON_ARRAY:
        es_buf_adds(out, "[]");
        break;
    case JSON_NULL:
        es_buf_adds(out, "null");
        break;
    }
}

static bool is_block(const json_t *node)
{
    return json_object_size(node) > 0 || json_array_size(node) > 0;
}

static void write_member(const struct writer *w, const char *key, const json_t *value, size_t indent)
{
    size_t len = strlen(key);
    bool simple = len <= SIMPLE_KEY_MAX;

    if (!simple)
        es_buf_adds(w->out, "? ");
    add_line_string(w->out, key, len);
    if (!simple) {
        es_buf_addc(w->out, '\n');
        add_spaces(w->out, indent);
    }
    es_buf_addc(w->out, ':');
    if (!is_block(value)) {
        es_buf_addc(w->out, ' ');
        add_scalar(w->out, value, indent + 2);
        es_buf_addc(w->out, '\n');
        return;
    }
    es_buf_addc(w->out, '\n');
    /* The dashes of a sequence stand below its key, as kubectl prints it. */
    write_node(w, value, json_is_array(value) ? indent : indent + 2, false);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_object(const struct writer *w, const json_t *node, size_t indent, bool after_dash)
{
    size_t count = json_object_size(node), n = 0;
    const char **keys = calloc(count, sizeof *keys);
    const char *key;
    json_t *value;

    if (!keys) {
        w->out->failed = true;
        return;
    }
    json_object_foreach ((json_t *)node, key, value)
        keys[n++] = key;
    if (w->sort_keys)
        qsort(keys, n, sizeof *keys, compare_keys);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 || !after_dash)
            add_spaces(w->out, indent);
        write_member(w, keys[i], json_object_get(node, keys[i]), indent);
    }
    free(keys);
}

static void write_array(const struct writer *w, const json_t *node, size_t indent, bool after_dash)
{
    for (size_t i = 0; i < json_array_size(node); i++) {
        if (i > 0 || !after_dash)
            add_spaces(w->out, indent);
        es_buf_adds(w->out, "- ");
        write_node(w, json_array_get(node, i), indent + 2, true);
    }
}

/* With `after_dash` the line already holds the "- " of an array above. */
static void write_node(const struct writer *w, const json_t *node, size_t indent, bool after_dash)
{
    if (w->out->failed)
        return;
    if (!is_block(node)) {
        add_scalar(w->out, node, indent ? indent : 2);
        es_buf_addc(w->out, '\n');
    } else if (json_is_object(node)) {
        write_object(w, node, indent, after_dash);
    } else {
        write_array(w, node, indent, after_dash);
    }
}

void es_yaml_write(struct es_buf *out, const json_t *root, bool sort_keys)
{
    const struct writer w = {.out = out, .sort_keys = sort_keys};
    write_node(&w, root, 0, false);
}
