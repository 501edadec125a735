/* Character classes. A class is gathered as a union of parts and written so
 * that PCRE2 needs no option but UTF and, for letters of either case, (?i). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/base/regex_translate.h"

#include <pcre2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/text.h"

#define MAX_RUNE 0x10FFFFu

struct range {
    uint32_t low, high;
};

/* The classes that RE2 names, ASCII all of them: up to six ranges. */
struct named_class {
    const char *name;
    struct range ranges[6];
    size_t count;
};

static const struct named_class posix_classes[] = {
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, 3},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}, 2},
    {"ascii", {{0, 0x7F}}, 1},
    {"blank", {{'\t', '\t'}, {' ', ' '}}, 2},
    {"cntrl", {{0, 0x1F}, {0x7F, 0x7F}}, 2},
    {"digit", {{'0', '9'}}, 1},
    {"graph", {{'!', '~'}}, 1},
    {"lower", {{'a', 'z'}}, 1},
    {"print", {{' ', '~'}}, 1},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}, 4},
    {"space", {{'\t', '\r'}, {' ', ' '}}, 2},
    {"upper", {{'A', 'Z'}}, 1},
    {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, 3},
};

static const struct named_class perl_classes[] = {
    {"d", {{'0', '9'}}, 1},
    {"s", {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}, 3},
    {"w", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
};

/* A class under construction. `inside` goes between one pair of brackets.
 * Under (?i) a negated part cannot be written as the ranges it leaves, which
 * would be folded in their turn; it goes into `beside` as "|[^...]". */
struct class
{
    struct es_buf inside, beside;
    unsigned flags;
};

static void class_init(struct class *c, unsigned flags)
{
    *c = (struct class){.flags = flags};
    es_buf_init(&c->inside, ES_REGEX_OUTPUT_MAX);
    es_buf_init(&c->beside, ES_REGEX_OUTPUT_MAX);
}

static void class_fini(struct class *c)
{
    es_buf_fini(&c->inside);
    es_buf_fini(&c->beside);
}

/* Surrogates cannot occur in a subject, and PCRE2 does not take them. */
static void add_range(struct es_buf *out, uint32_t low, uint32_t high)
{
    if (low >= 0xD800 && low <= 0xDFFF)
        low = 0xE000;
    if (high >= 0xD800 && high <= 0xDFFF)
        high = 0xD7FF;
    if (low > high)
        return;
    es_buf_addf(out, "\\x{%X}", (unsigned)low);
    if (high > low)
        es_buf_addf(out, "-\\x{%X}", (unsigned)high);
}

static void add_ranges(struct es_buf *out, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_range(out, ranges[i].low, ranges[i].high);
}

static void add_named(struct class *c, const struct named_class *n, bool negated)
{
    uint32_t next = 0;

    if (!negated) {
        add_ranges(&c->inside, n->ranges, n->count);
        return;
    }
    if (c->flags & ES_REGEX_FOLD) {
        es_buf_adds(&c->beside, "|[^");
        add_ranges(&c->beside, n->ranges, n->count);
        es_buf_adds(&c->beside, "]");
        return;
    }
    for (size_t i = 0; i < n->count; i++) {
        if (n->ranges[i].low > next)
            add_range(&c->inside, next, n->ranges[i].low - 1);
        next = n->ranges[i].high + 1;
    }
    add_range(&c->inside, next, MAX_RUNE);
}

static void class_write(struct es_buf *out, const struct class *c, bool negated)
{
    const char *inside = es_buf_str(&c->inside), *beside = es_buf_str(&c->beside);

    if (!*inside && !*beside)
        es_buf_adds(out, negated ? "\\p{Any}" : "(?:(?!))");
    else if (!*beside)
        es_buf_addf(out, negated ? "[^%s]" : "[%s]", inside);
    else {
        es_buf_adds(out, negated ? "(?:(?!" : "(?:");
        if (*inside)
            es_buf_addf(out, "[%s]", inside);
        es_buf_adds(out, *inside ? beside : beside + 1);
        es_buf_adds(out, negated ? ")\\p{Any})" : ")");
    }
    out->failed |= c->inside.failed || c->beside.failed;
}

/* Names of Unicode properties */

/* Go looks names up without regard to case, "_", "-" and " ". */
static bool same_name(const char *name, size_t len, const char *known)
{
    size_t k = 0;

    for (size_t i = 0; i < len; i++) {
        if (strchr("_- ", name[i]))
            continue;
        while (known[k] && strchr("_- ", known[k]))
            k++;
        if (!known[k] || (name[i] | 32) != (known[k] | 32))
            return false;
        k++;
    }
    return !known[k];
}

static const char *category_of(const char *name, size_t len)
{
    static const char *const categories[] = {
        "C",  "Cc", "Cf", "Cn", "Co", "Cs", "L",  "Ll", "Lm", "Lo", "Lt", "Lu", "M",
        "Mc", "Me", "Mn", "N",  "Nd", "Nl", "No", "P",  "Pc", "Pd", "Pe", "Pf", "Pi",
        "Po", "Ps", "S",  "Sc", "Sk", "Sm", "So", "Z",  "Zl", "Zp", "Zs",
    };
    static const struct {
        const char *alias, *category;
    } aliases[] = {
        {"LC", "L&"},
        {"Cased_Letter", "L&"},
        {"Close_Punctuation", "Pe"},
        {"Combining_Mark", "M"},
        {"Connector_Punctuation", "Pc"},
        {"Control", "Cc"},
        {"cntrl", "Cc"},
        {"Currency_Symbol", "Sc"},
        {"Dash_Punctuation", "Pd"},
        {"Decimal_Number", "Nd"},
        {"digit", "Nd"},
        {"Enclosing_Mark", "Me"},
        {"Final_Punctuation", "Pf"},
        {"Format", "Cf"},
        {"Initial_Punctuation", "Pi"},
        {"Letter", "L"},
        {"Letter_Number", "Nl"},
        {"Line_Separator", "Zl"},
        {"Lowercase_Letter", "Ll"},
        {"Mark", "M"},
        {"Math_Symbol", "Sm"},
        {"Modifier_Letter", "Lm"},
        {"Modifier_Symbol", "Sk"},
        {"Nonspacing_Mark", "Mn"},
        {"Number", "N"},
        {"Open_Punctuation", "Ps"},
        {"Other", "C"},
        {"Other_Letter", "Lo"},
        {"Other_Number", "No"},
        {"Other_Punctuation", "Po"},
        {"Other_Symbol", "So"},
        {"Paragraph_Separator", "Zp"},
        {"Private_Use", "Co"},
        {"Punctuation", "P"},
        {"punct", "P"},
        {"Separator", "Z"},
        {"Space_Separator", "Zs"},
        {"Spacing_Mark", "Mc"},
        {"Surrogate", "Cs"},
        {"Symbol", "S"},
        {"Titlecase_Letter", "Lt"},
        {"Unassigned", "Cn"},
        {"Uppercase_Letter", "Lu"},
    };

    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
        if (same_name(name, len, categories[i]))
            return categories[i];
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (same_name(name, len, aliases[i].alias))
            return aliases[i].category;
    return NULL;
}

static bool compiles(const char *pattern)
{
    int code;
    PCRE2_SIZE at;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL);
    pcre2_code_free(re);
    return re != NULL;
}

/* Scripts: PCRE2 knows them, and asked for by "sc:" gives the script itself as
 * Go does, not its extensions (since 10.40; before, there was only the script).
 * It also knows their four-letter codes, which Go does not. */
static bool script_of(const char *name, size_t len, char *out, size_t size)
{
    static const char *const short_names[] = {"Ahom", "Cham", "Kawi", "Lisu", "Modi", "Newa", "Thai", "Toto"};
    char pattern[64];
    bool known = len != 4;

    if (!len || len > 32)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!((name[i] | 32) >= 'a' && (name[i] | 32) <= 'z') && name[i] != '_')
            return false;
    for (size_t i = 0; i < sizeof short_names / sizeof *short_names; i++)
        known |= same_name(name, len, short_names[i]);
    if (!known || strncasecmp(name, "X", 1) == 0)
        return false;
    snprintf(out, size, "%s%.*s", PCRE2_MAJOR > 10 || PCRE2_MINOR >= 40 ? "sc:" : "", (int)len, name);
    snprintf(pattern, sizeof pattern, "\\p{%s}", out);
    return compiles(pattern);
}

/* Under (?i), a class of letters by case becomes one of all letters with case:
 * PCRE2 does not fold properties. */
static const char *fold_category(const char *category, unsigned flags)
{
    bool by_case = strcmp(category, "Lu") == 0 || strcmp(category, "Ll") == 0 || strcmp(category, "Lt") == 0;
    return by_case && (flags & ES_REGEX_FOLD) ? "L&" : category;
}

static bool add_property(struct class *c, const char *name, size_t len, bool negated)
{
    static const struct named_class any = {"any", {{0, MAX_RUNE}}, 1}, ascii = {"ascii", {{0, 0x7F}}, 1};
    char script[48];
    const char *property = script;

    if (same_name(name, len, "Any")) {
        if (!negated)
            add_named(c, &any, false);
        return true;
    }
    if (same_name(name, len, "ASCII")) {
        add_named(c, &ascii, negated);
        return true;
    }
    const char *category = category_of(name, len);
    if (same_name(name, len, "Assigned")) {
        property = "Cn";
        negated = !negated;
    } else if (category) {
        property = fold_category(category, c->flags);
    } else if (!script_of(name, len, script, sizeof script)) {
        return false;
    }
    es_buf_addf(&c->inside, "\\%c{%s}", negated ? 'P' : 'p', property);
    return true;
}

/* Reading */

int es_regex_fail(struct es_error *err, const char *what, const char *from, const char *to)
{
    return es_error_set(err, ES_E_CONFIG, "error parsing regexp: %s: `%.*s`", what, (int)(to - from), from);
}

int es_regex_rune(const char **p, uint32_t *ret, struct es_error *err)
{
    size_t n = es_utf8_decode(*p, strnlen(*p, 4), ret);
    if (!n)
        return es_regex_fail(err, "invalid UTF-8", *p, *p + strlen(*p));
    *p += n;
    return 0;
}

static int hex_value(uint32_t rune)
{
    if (rune >= '0' && rune <= '9')
        return (int)rune - '0';
    rune |= 32;
    return rune >= 'a' && rune <= 'f' ? (int)rune - 'a' + 10 : -1;
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* The digits of "\x{1F600}", behind the "{". */
static int read_hex_braces(const char **p, const char *start, uint32_t *ret, struct es_error *err)
{
    uint32_t value = 0, rune;

    for (size_t digits = 0; **p; digits++) {
        int rc = es_regex_rune(p, &rune, err);
        if (rc < 0)
            return rc;
        if (rune == '}' && digits) {
            *ret = value;
            return 0;
        }
        int v = hex_value(rune);
        if (v >= 0)
            value = value * 16 + (uint32_t)v;
        if (v < 0 || value > MAX_RUNE)
            break;
    }
    return es_regex_fail(err, "invalid escape sequence", start, *p);
}

/* The two digits of "\xe9"; what was looked at is quoted if they are none. */
static int read_hex(const char **p, const char *start, uint32_t *ret, struct es_error *err)
{
    int value = 0;

    if (**p == '{') {
        (*p)++;
        return read_hex_braces(p, start, ret, err);
    }
    for (int i = 0; i < 2; i++) {
        uint32_t rune = 0;
        int rc = **p ? es_regex_rune(p, &rune, err) : 0;
        if (rc < 0)
            return rc;
        int v = hex_value(rune);
        value = v < 0 || value < 0 ? -1 : value * 16 + v;
    }
    if (value < 0)
        return es_regex_fail(err, "invalid escape sequence", start, *p);
    *ret = (uint32_t)value;
    return 0;
}

int es_regex_escape(const char **p, uint32_t *ret, struct es_error *err)
{
    static const char letters[] = "a\af\fn\nr\rt\tv\v";
    const char *start = (*p)++;
    uint32_t rune;

    if (!**p)
        return es_regex_fail(err, "trailing backslash at end of expression", *p, *p);
    int rc = es_regex_rune(p, &rune, err);
    if (rc < 0)
        return rc;
    if (rune == 'x')
        return read_hex(p, start, ret, err);
    if (rune == '0' || (rune < 0x80 && is_octal((char)rune) && is_octal(**p))) {
        *ret = rune - '0';
        for (int i = 0; i < 2 && is_octal(**p); i++)
            *ret = *ret * 8 + (uint32_t)(*(*p)++ - '0');
        return 0;
    }
    for (size_t i = 0; i + 1 < sizeof letters; i += 2)
        if (rune == (uint32_t)letters[i]) {
            *ret = (uint32_t)letters[i + 1];
            return 0;
        }
    bool word = (rune >= '0' && rune <= '9') || (rune >= 'A' && rune <= 'Z') || (rune >= 'a' && rune <= 'z');
    if (rune >= 0x80 || word)
        return es_regex_fail(err, "invalid escape sequence", start, *p);
    *ret = rune;
    return 0;
}

/* "\pN", "\p{Greek}", "\P{^L}" */
static int read_property(struct class *c, const char **p, struct es_error *err)
{
    const char *start = *p, *name = *p + 2;
    bool negated = (*p)[1] == 'P';
    uint32_t rune;

    if (!*name)
        return es_regex_fail(err, "invalid character class range", start, name);
    const char *end = name;
    int rc = es_regex_rune(&end, &rune, err);
    if (rc < 0)
        return rc;
    size_t len = (size_t)(end - name);
    if (rune == '{') {
        const char *close = strchr(++name, '}');
        if (!close)
            return es_regex_fail(err, "invalid character class range", start, start + strlen(start));
        len = (size_t)(close - name);
        end = close + 1;
        if (!es_utf8_valid(name, len))
            return es_regex_fail(err, "invalid UTF-8", name, close);
    }
    if (len && *name == '^') {
        negated = !negated;
        name++;
        len--;
    }
    if (!add_property(c, name, len, negated))
        return es_regex_fail(err, "invalid character class range", start, end);
    *p = end;
    return 1;
}

/* A class written with a backslash. 1, 0 if there is none here, or an error. */
static int read_class_escape(struct class *c, const char **p, struct es_error *err)
{
    const char *s = *p;

    if (s[0] != '\\')
        return 0;
    if (s[1] == 'p' || s[1] == 'P')
        return read_property(c, p, err);
    for (size_t i = 0; i < sizeof perl_classes / sizeof *perl_classes; i++)
        if ((s[1] | 32) == perl_classes[i].name[0] && s[1] != '\0') {
            add_named(c, &perl_classes[i], !(s[1] & 32));
            *p += 2;
            return 1;
        }
    return 0;
}

/* "[:alpha:]". As above. */
static int read_posix(struct class *c, const char **p, struct es_error *err)
{
    if (!es_str_starts(*p, "[:"))
        return 0;
    const char *name = *p + 2, *end = strstr(name, ":]");
    if (!end)
        return 0;
    bool negated = *name == '^';
    name += negated;
    for (size_t i = 0; i < sizeof posix_classes / sizeof *posix_classes; i++)
        if (strlen(posix_classes[i].name) == (size_t)(end - name) &&
            memcmp(posix_classes[i].name, name, (size_t)(end - name)) == 0) {
            add_named(c, &posix_classes[i], negated);
            *p = end + 2;
            return 1;
        }
    return es_regex_fail(err, "invalid character class range", *p, end + 2);
}

static int read_class_rune(const char **p, const char *whole, uint32_t *ret, struct es_error *err)
{
    if (!**p)
        return es_regex_fail(err, "missing closing ]", whole, *p);
    return **p == '\\' ? es_regex_escape(p, ret, err) : es_regex_rune(p, ret, err);
}

static int read_range(struct class *c, const char **p, const char *whole, struct es_error *err)
{
    const char *start = *p;
    uint32_t low, high;
    int rc = read_class_rune(p, whole, &low, err);

    high = low;
    if (rc == 0 && (*p)[0] == '-' && (*p)[1] && (*p)[1] != ']') {
        (*p)++;
        rc = read_class_rune(p, whole, &high, err);
    }
    if (rc < 0)
        return rc;
    if (high < low)
        return es_regex_fail(err, "invalid character class range", start, *p);
    add_range(&c->inside, low, high);
    return 0;
}

int es_regex_class(struct es_buf *out, const char **p, unsigned flags, struct es_error *err)
{
    const char *whole = (*p)++;
    bool negated = **p == '^';
    struct class c;
    int rc = 0;

    class_init(&c, flags);
    *p += negated;
    for (bool first = true; rc >= 0 && (**p != ']' || first); first = false) {
        rc = read_posix(&c, p, err);
        if (rc == 0)
            rc = read_class_escape(&c, p, err);
        if (rc == 0)
            rc = read_range(&c, p, whole, err);
    }
    if (rc >= 0) {
        (*p)++;
        class_write(out, &c, negated);
        rc = 0;
    }
    class_fini(&c);
    return rc;
}

int es_regex_class_escape(struct es_buf *out, const char **p, unsigned flags, struct es_error *err)
{
    struct class c;

    class_init(&c, flags);
    int rc = read_class_escape(&c, p, err);
    if (rc == 1)
        class_write(out, &c, false);
    class_fini(&c);
    return rc;
}
