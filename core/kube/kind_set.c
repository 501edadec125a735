#include "core/kube/kind_set.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"

struct es_kind_node {
    struct es_kind kind;
    struct es_kind_node *next;
    char texts[]; /* group, version, plural, kind */
};

void es_kind_set_fini(struct es_kind_set *s)
{
    struct es_kind_node *next;

    for (struct es_kind_node *n = s->first; n; n = next) {
        next = n->next;
        es_mem_free(n);
    }
    *s = (struct es_kind_set){0};
}

static const char *put_text(char **at, const char *text)
{
    size_t len = strlen(text) + 1;
    const char *start = memcpy(*at, text, len);
    *at += len;
    return start;
}

static struct es_kind_node *node_new(const struct es_kind *k)
{
    size_t len = strlen(k->group) + strlen(k->version) + strlen(k->plural) + strlen(k->kind) + 4;
    struct es_kind_node *n = es_mem_alloc(sizeof *n + len);

    if (!n)
        return NULL;
    char *at = n->texts;
    n->kind = (struct es_kind){.group = put_text(&at, k->group),
                               .version = put_text(&at, k->version),
                               .plural = put_text(&at, k->plural),
                               .kind = put_text(&at, k->kind),
                               .namespaced = k->namespaced,
                               .holds = k->holds};
    return n;
}

const struct es_kind *es_kind_set_put(struct es_kind_set *s, const struct es_kind *kind)
{
    for (struct es_kind_node *n = s->first; n; n = n->next)
        if (es_kind_same(&n->kind, kind) && es_streq(n->kind.kind, kind->kind) &&
            n->kind.namespaced == kind->namespaced && n->kind.holds == kind->holds)
            return &n->kind;
    struct es_kind_node *n = s->count < ES_KIND_SET_MAX ? node_new(kind) : NULL;
    if (!n)
        return NULL;
    n->next = s->first;
    s->first = n;
    s->count++;
    return &n->kind;
}
