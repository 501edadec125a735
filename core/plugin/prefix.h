/* core/plugin/prefix.h: what every match of a regular expression begins with.
 * Private to the room. */
#ifndef ES_PLUGIN_PREFIX_H
#define ES_PLUGIN_PREFIX_H

/* "db-" for "^db-(a|b)$"; "" when the pattern is not anchored or the answer is
 * not obvious: backends get it as a hint, and too short a hint is merely slow.
 * es_mem_free it; NULL without memory. */
char *es_regexp_prefix(const char *pattern);

#endif
