/* core/plugin/api_names.h: the names of a plugin's API calls, as many as fit into a
 * metric. Private to the room. Any thread.
 *
 * Each name is a series that stays for ever, and the plugin chooses them: one that
 * puts a key into the name would fill the page, and memory, without end. */
#ifndef ES_PLUGIN_API_NAMES_H
#define ES_PLUGIN_API_NAMES_H

#define ES_API_NAMES_MAX 100

struct es_api_names;

struct es_api_names *es_api_names_new(void);    /* NULL without memory */
void es_api_names_free(struct es_api_names *n); /* NULL is fine */

/* The name itself if it is known, or one of the first that came; else "other". */
const char *es_api_names_bound(struct es_api_names *n, const char *name);

#endif
