/* URLs, as Go's package net/url takes them apart and puts them together. */
#include <stdio.h>
#include <string.h>

#include "core/template/functions.h"
#include "core/template/literal.h"

/* Parts of a URL escape differently. */
enum part { PART_PATH, PART_USER, PART_HOST, PART_FRAGMENT };

struct text {
    const char *ptr;
    size_t len;
};

static bool must_escape(unsigned char c, enum part part)
{
    static const char *const kept[] = {[PART_PATH] = "$&+,/:;=@",
                                       [PART_USER] = "$&+,;=",
                                       [PART_HOST] = "!$&'()*+,;=:[]<>\"",
                                       [PART_FRAGMENT] = "$&+,/:;=?@!()*"};
    bool alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');

    return !alnum && (c == 0 || (!strchr("-_.~", c) && !strchr(kept[part], c)));
}

static void add_escaped(struct es_buf *out, const char *s, size_t len, enum part part)
{
    for (size_t i = 0; i < len; i++) {
        if (must_escape((unsigned char)s[i], part))
            es_buf_addf(out, "%%%02X", (unsigned char)s[i]);
        else
            es_buf_addc(out, s[i]);
    }
}

static bool bad_url(struct es_tcall *c, const char *why)
{
    bool joins = strcmp(c->name, "urlJoin") == 0;
    es_tcall_fail(c, "unable to parse %s: %s", joins ? "userinfo in dict" : "url", why);
    return false;
}

/* NULL-safe for an empty text. The result is the arena's. */
static bool unescape(struct es_tcall *c, struct text s, enum part part, struct es_tvalue *ret)
{
    char *out = es_tcall_alloc(c, s.len + 1);
    size_t n = 0;

    if (!out)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '%') {
            if (part == PART_HOST && (unsigned char)s.ptr[i] < 0x80 &&
                must_escape((unsigned char)s.ptr[i], part))
                return bad_url(c, "invalid character in host name");
            out[n++] = s.ptr[i];
            continue;
        }
        int high = s.len - i > 2 ? es_hex_digit(s.ptr[i + 1]) : -1,
            low = high < 0 ? -1 : es_hex_digit(s.ptr[i + 2]);
        if (low < 0 || (part == PART_HOST && high < 8 && memcmp(s.ptr + i, "%25", 3) != 0))
            return bad_url(c, "invalid URL escape");
        out[n++] = (char)(high << 4 | low);
        i += 2;
    }
    *ret = es_tstring(out, n);
    return true;
}

static struct text cut(struct text *s, char at, bool *ret_found)
{
    const char *found = s->len ? memchr(s->ptr, at, s->len) : NULL;
    struct text before = {s->ptr, found ? (size_t)(found - s->ptr) : s->len};

    *ret_found = found != NULL;
    size_t skip = before.len + (found != NULL);
    *s = (struct text){s->ptr + skip, s->len - skip};
    return before;
}

static const char *last(struct text s, char c)
{
    return s.len ? memrchr(s.ptr, c, s.len) : NULL;
}

/* "" or ":" and digits. */
static bool is_port(struct text s)
{
    if (s.len == 0)
        return true;
    if (*s.ptr != ':')
        return false;
    for (size_t i = 1; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return true;
}

struct url {
    struct es_tvalue scheme, host, path, query, opaque, fragment, userinfo;
};

/* "scheme:" at the front, if it is one. False: a colon without a scheme before it. */
static bool take_scheme(struct es_tcall *c, struct text *s, struct url *u)
{
    for (size_t i = 0; i < s->len; i++) {
        char b = s->ptr[i];
        bool letter = (b | 32) >= 'a' && (b | 32) <= 'z';
        if (b == ':' && i == 0)
            return bad_url(c, "missing protocol scheme");
        if (b == ':') {
            char *lower = es_tcall_alloc(c, i + 1);
            for (size_t k = 0; lower && k < i; k++)
                lower[k] = s->ptr[k] >= 'A' && s->ptr[k] <= 'Z' ? (char)(s->ptr[k] | 32) : s->ptr[k];
            u->scheme = es_tstring(lower ? lower : "", lower ? i : 0);
            *s = (struct text){s->ptr + i + 1, s->len - i - 1};
            return true;
        }
        if (!letter && (i == 0 || !((b >= '0' && b <= '9') || strchr("+-.", b))))
            return true;
    }
    return true;
}

static bool take_user(struct es_tcall *c, struct text s, struct url *u)
{
    bool has_password;
    struct es_tvalue name, password;
    struct es_buf out;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char b = (unsigned char)s.ptr[i];
        bool alnum = (b >= '0' && b <= '9') || ((b | 32) >= 'a' && (b | 32) <= 'z');
        if (!alnum && (!b || !strchr("-._:~!$&'()*+,;=%@", b)))
            return bad_url(c, "net/url: invalid userinfo");
    }
    struct text user = cut(&s, ':', &has_password);
    if (!unescape(c, user, PART_USER, &name) || !unescape(c, s, PART_USER, &password))
        return false;
    es_tcall_buf(&out);
    add_escaped(&out, name.s.ptr, name.s.len, PART_USER);
    if (has_password) {
        es_buf_addc(&out, ':');
        add_escaped(&out, password.s.ptr, password.s.len, PART_USER);
    }
    es_tcall_return_buf(c, &out);
    u->userinfo = c->ret;
    return u->userinfo.type == ES_T_STRING;
}

static bool take_host(struct es_tcall *c, struct text s, struct url *u)
{
    const char *colon = last(s, ':'), *bracket = last(s, ']');

    if (s.len && *s.ptr == '[') {
        if (!bracket)
            return bad_url(c, "missing ']' in host");
        colon = bracket + 1;
    }
    if (colon && !is_port((struct text){colon, (size_t)(s.ptr + s.len - colon)}))
        return bad_url(c, "invalid port after host");
    return unescape(c, s, PART_HOST, &u->host);
}

static bool take_authority(struct es_tcall *c, struct text s, struct url *u)
{
    const char *at = last(s, '@');

    if (at && !take_user(c, (struct text){s.ptr, (size_t)(at - s.ptr)}, u))
        return false;
    size_t skip = at ? (size_t)(at - s.ptr) + 1 : 0;
    return take_host(c, (struct text){s.ptr + skip, s.len - skip}, u);
}

static bool starts(struct text s, const char *with)
{
    return s.len >= strlen(with) && memcmp(s.ptr, with, strlen(with)) == 0;
}

static bool take_rest(struct es_tcall *c, struct text s, struct url *u)
{
    bool found;

    if (!starts(s, "/")) {
        struct text rest = s;
        if (u->scheme.s.len) {
            u->opaque = es_tstring(s.ptr, s.len);
            return true;
        }
        struct text segment = cut(&rest, '/', &found);
        if (segment.len && memchr(segment.ptr, ':', segment.len))
            return bad_url(c, "first path segment in URL cannot contain colon");
    }
    if (starts(s, "//") && (u->scheme.s.len || !starts(s, "///"))) {
        struct text authority = {s.ptr + 2, s.len - 2};
        struct text rest = authority;
        authority = cut(&rest, '/', &found);
        s = found ? (struct text){rest.ptr - 1, rest.len + 1} : rest;
        if (!take_authority(c, authority, u))
            return false;
    }
    return unescape(c, s, PART_PATH, &u->path);
}

static bool parse(struct es_tcall *c, struct text s, struct url *u)
{
    struct es_tvalue nothing = es_tstring("", 0);
    struct text rest = s;
    bool found;

    *u = (struct url){nothing, nothing, nothing, nothing, nothing, nothing, nothing};
    s = cut(&rest, '#', &found);
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
            return bad_url(c, "net/url: invalid control character in URL");
    if (!unescape(c, rest, PART_FRAGMENT, &u->fragment) || !take_scheme(c, &s, u))
        return false;
    struct text before = cut(&s, '?', &found);
    u->query = es_tstring(s.ptr, s.len);
    return take_rest(c, before, u);
}

/* Without its port, and without the brackets of an IPv6 address. */
static struct es_tvalue hostname(const struct es_tvalue *host)
{
    struct text s = {host->s.ptr, host->s.len};
    const char *colon = last(s, ':');

    if (colon && is_port((struct text){colon, (size_t)(s.ptr + s.len - colon)}))
        s.len = (size_t)(colon - s.ptr);
    if (s.len >= 2 && *s.ptr == '[' && s.ptr[s.len - 1] == ']')
        s = (struct text){s.ptr + 1, s.len - 2};
    return es_tstring(s.ptr, s.len);
}

static void url_parse(struct es_tcall *c)
{
    struct url u;

    if (!parse(c, (struct text){c->args[0].s.ptr, c->args[0].s.len}, &u))
        return;
    const struct {
        const char *name;
        struct es_tvalue value;
    } members[] = {{"scheme", u.scheme},     {"host", u.host},        {"hostname", hostname(&u.host)},
                   {"path", u.path},         {"query", u.query},      {"opaque", u.opaque},
                   {"fragment", u.fragment}, {"userinfo", u.userinfo}};
    struct es_tmap *map = es_tcall_map(c, sizeof members / sizeof *members);
    for (size_t i = 0; map && i < sizeof members / sizeof *members; i++) {
        struct es_tvalue key = es_tstring(members[i].name, strlen(members[i].name));
        es_tcall_map_set(c, map, &key, &members[i].value);
    }
    es_tcall_return_map(c, ES_T_MAP_ANY, map);
}

static struct es_tvalue member(struct es_tcall *c, const char *name)
{
    const struct es_tvalue *found = es_tmap_get(c->args[0].map, name, strlen(name));

    if (!found || found->type == ES_T_STRING)
        return found ? *found : es_tstring("", 0);
    es_tcall_fail(c, "unable to parse %s key, must be of type string, but %s found", name,
                  es_tvalue_kind_name(found));
    return es_tstring("", 0);
}

static void add(struct es_buf *out, const struct es_tvalue *v)
{
    es_buf_add(out, v->s.ptr, v->s.len);
}

static void add_place(struct es_buf *out, const struct url *u)
{
    bool rooted = u->path.s.len && *u->path.s.ptr == '/';
    const char *slash = memchr(u->path.s.ptr, '/', u->path.s.len);
    size_t segment = slash ? (size_t)(slash - u->path.s.ptr) : u->path.s.len;

    if (u->host.s.len || u->userinfo.s.len || (u->scheme.s.len && u->path.s.len))
        es_buf_adds(out, "//");
    if (u->userinfo.s.len) {
        add(out, &u->userinfo);
        es_buf_addc(out, '@');
    }
    add_escaped(out, u->host.s.ptr, u->host.s.len, PART_HOST);
    if (u->path.s.len && !rooted && u->host.s.len)
        es_buf_addc(out, '/');
    if (!out->len && memchr(u->path.s.ptr, ':', segment))
        es_buf_adds(out, "./");
    if (es_tstring_is(&u->path, "*"))
        es_buf_addc(out, '*');
    else
        add_escaped(out, u->path.s.ptr, u->path.s.len, PART_PATH);
}

static void url_join(struct es_tcall *c)
{
    struct url u = {.scheme = member(c, "scheme"),
                    .host = member(c, "host"),
                    .path = member(c, "path"),
                    .query = member(c, "query"),
                    .opaque = member(c, "opaque"),
                    .fragment = member(c, "fragment")};
    struct es_tvalue user = member(c, "userinfo");
    struct es_buf out;

    u.userinfo = es_tstring("", 0);
    if (c->failed || (user.s.len && !take_user(c, (struct text){user.s.ptr, user.s.len}, &u)))
        return;
    es_tcall_buf(&out);
    if (u.scheme.s.len) {
        add(&out, &u.scheme);
        es_buf_addc(&out, ':');
    }
    if (u.opaque.s.len)
        add(&out, &u.opaque);
    else
        add_place(&out, &u);
    if (u.query.s.len) {
        es_buf_addc(&out, '?');
        add(&out, &u.query);
    }
    if (u.fragment.s.len) {
        es_buf_addc(&out, '#');
        add_escaped(&out, u.fragment.s.ptr, u.fragment.s.len, PART_FRAGMENT);
    }
    es_tcall_return_buf(c, &out);
}

static const struct es_tfunction functions[] = {
    {"urlParse", "s", url_parse},
    {"urlJoin", "m", url_join},
};

const struct es_tfunction_table es_tfunctions_url = ES_TFUNCTION_TABLE(functions);
