#include "core/plugin/prefix.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"

/* What stands at `p` if it stands for itself: its length in the pattern, and
 * through *literal what it matches. 0 for anything with a meaning. */
static size_t literal_at(const char *p, const char **literal, size_t *literal_len)
{
    uint32_t rune;

    if (*p == '\\') {
        if (!p[1] || !strchr("\\.+*?()|[]{}^$/-_:,;@#%&=!~ ", p[1]))
            return 0;
        *literal = p + 1;
        *literal_len = 1;
        return 2;
    }
    if (!*p || strchr(".+*?()|[]{}^$", *p))
        return 0;
    size_t n = es_utf8_decode(p, strlen(p), &rune);
    *literal = p;
    *literal_len = n;
    return n;
}

/* Whether what stands before may be absent or repeated. */
static bool is_quantifier(char c)
{
    return c != '\0' && strchr("?*+{", c) != NULL;
}

char *es_regexp_prefix(const char *pattern)
{
    char *prefix = es_mem_calloc(1, strlen(pattern) + 1);
    size_t len = 0, literal_len, step;
    const char *literal;

    /* An alternative may begin with anything; an escaped bar only costs the hint. */
    if (!prefix || *pattern != '^' || strchr(pattern, '|'))
        return prefix;
    for (const char *p = pattern + 1; (step = literal_at(p, &literal, &literal_len)) > 0; p += step) {
        if (is_quantifier(p[step]))
            break;
        memcpy(prefix + len, literal, literal_len);
        len += literal_len;
    }
    return prefix;
}
