/* core/base/manpage.h: writes a page of the manual, in the macros of man(7). */
#ifndef ES_BASE_MANPAGE_H
#define ES_BASE_MANPAGE_H

#include "core/base/buf.h"
#include "core/base/usage.h"

/* The head of a page and its first section. `name` has the case that people type,
 * `source` is "esod 1.2.3". */
void es_man_begin(struct es_buf *out, const char *name, int section, const char *source, const char *summary);

void es_man_heading(struct es_buf *out, const char *title);

/* Sentences: an empty line parts paragraphs, `words` are set in bold, and of a link in
 * [Markdown](page.md) the text is left. */
void es_man_text(struct es_buf *out, const char *text);

/* The same, within a line. */
void es_man_words(struct es_buf *out, const char *text);

/* The lines of a synopsis: what is in small letters is typed as it stands. */
void es_man_synopsis(struct es_buf *out, const char *lines);

/* An item of a list; the caller writes its text behind it, with es_man_text. */
void es_man_item(struct es_buf *out, const char *term);
void es_man_flag(struct es_buf *out, const struct es_flag *f);

#endif
