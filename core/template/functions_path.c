/* Paths with slashes, as Go's packages path and (on Linux) path/filepath have them. */
#include <string.h>

#include "core/template/functions.h"

/* The shortest path to the same place. */
static void clean_into(struct es_buf *out, const char *s, size_t len)
{
    bool rooted = len && *s == '/';
    size_t dotdot = 0; /* up to here nothing may be taken back */

    if (rooted) {
        es_buf_addc(out, '/');
        dotdot = 1;
    }
    for (size_t i = rooted; i < len;) {
        const char *slash = memchr(s + i, '/', len - i);
        size_t n = slash ? (size_t)(slash - s) - i : len - i;
        bool up = n == 2 && memcmp(s + i, "..", 2) == 0;
        if (up && out->len > dotdot) {
            do
                out->len--;
            while (out->len > dotdot && out->ptr[out->len] != '/');
        } else if (n && !(n == 1 && s[i] == '.') && !(up && rooted)) {
            if (out->len > rooted)
                es_buf_addc(out, '/');
            es_buf_add(out, s + i, n);
            if (up)
                dotdot = out->len;
        }
        i += n + 1;
    }
    if (out->len == 0)
        es_buf_addc(out, '.');
}

static void clean(struct es_tcall *c)
{
    struct es_buf out;

    es_tcall_buf(&out);
    clean_into(&out, c->args[0].s.ptr, c->args[0].s.len);
    es_tcall_return_buf(c, &out);
}

static size_t behind_last_slash(const struct es_tvalue *s, size_t len)
{
    while (len > 0 && s->s.ptr[len - 1] != '/')
        len--;
    return len;
}

static void dir(struct es_tcall *c)
{
    struct es_buf out;

    es_tcall_buf(&out);
    clean_into(&out, c->args[0].s.ptr, behind_last_slash(&c->args[0], c->args[0].s.len));
    es_tcall_return_buf(c, &out);
}

static void base(struct es_tcall *c)
{
    const struct es_tvalue *s = &c->args[0];
    size_t len = s->s.len;

    while (len > 0 && s->s.ptr[len - 1] == '/')
        len--;
    if (s->s.len == 0)
        es_tcall_return_text(c, ".");
    else if (len == 0)
        es_tcall_return_text(c, "/");
    else
        c->ret = es_tsubstring(s, behind_last_slash(s, len), len);
}

static void ext(struct es_tcall *c)
{
    const struct es_tvalue *s = &c->args[0];

    c->ret = es_tstring("", 0);
    for (size_t i = s->s.len; i > 0 && s->s.ptr[i - 1] != '/'; i--)
        if (s->s.ptr[i - 1] == '.') {
            c->ret = es_tsubstring(s, i - 1, s->s.len);
            return;
        }
}

static void is_abs(struct es_tcall *c)
{
    c->ret = es_tbool(c->args[0].s.len && *c->args[0].s.ptr == '/');
}

static const struct es_tfunction functions[] = {
    {"base", "s", base},    {"dir", "s", dir},        {"clean", "s", clean}, {"ext", "s", ext},
    {"isAbs", "s", is_abs}, {"osBase", "s", base},    {"osDir", "s", dir},   {"osClean", "s", clean},
    {"osExt", "s", ext},    {"osIsAbs", "s", is_abs},
};

const struct es_tfunction_table es_tfunctions_path = ES_TFUNCTION_TABLE(functions);
