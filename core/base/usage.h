/* core/base/usage.h: what a program tells about its command line, as data.
 *
 * --help, man pages and completion are made of the same records, so that none of
 * them says what another does not know. */
#ifndef ES_BASE_USAGE_H
#define ES_BASE_USAGE_H

#include <stdbool.h>

#include "core/base/buf.h"

struct es_flag {
    const char *name;  /* "values", without dashes */
    char letter;       /* 'o': the flag has a short form, too; 0: it has none */
    const char *value; /* "FILE", "yaml|json", "KEY=VALUE"; NULL or "": takes none */
    const char *words; /* "debug|info": what the value is one of, where `value` is a name for that; or NULL */
    const char *fallback; /* the default, to be told behind the help; NULL or "": there is nothing to tell */
    bool on_off;          /* --flag=true and --flag=false are possible */
    const char *help;     /* sentences, `words in backquotes` are literal */
};

/* What stands for a kind of value in `value` and `words`; everything else in capitals is
 * free text, and what is in small letters is meant literally. */
#define ES_VALUE_FILE "FILE"
#define ES_VALUE_DIR "DIR"
#define ES_VALUE_FOLDER "FOLDER"
#define ES_VALUE_PLUGIN "PLUGIN"

/* "--output yaml|json", as it stands in front of the help. */
void es_flag_spelling(struct es_buf *out, const struct es_flag *f);

/* The help with what is to be told about the default and about switching off. */
void es_flag_sentences(struct es_buf *out, const struct es_flag *f);

/* A line of --help. */
void es_flag_line(struct es_buf *out, const struct es_flag *f);

/* "Usage: esod plugins ...", each further line of `lines` below it. */
void es_usage_lines(struct es_buf *out, const char *lines);

/* The piece of "yaml|json" at *at, its length in *ret_len; moves *at behind it. NULL at
 * the end. */
const char *es_value_piece(const char **at, size_t *ret_len);

#endif
