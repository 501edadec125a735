/* The status of a ClusterExternalSecret or ClusterPushSecret. */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/controller/provision_own.h"
#include "core/controller/status.h"
#include "core/kube/obj.h"

#define REASONS_MAX ((size_t)512 << 10)

/* ---- what is still so ---- */

static const char *place_of(const json_t *entry)
{
    return json_is_string(entry) ? json_string_value(entry) : es_obj_str(entry, "namespace");
}

static int keep_former(json_t *now, const json_t *former, const json_t *looked_at)
{
    json_t *entry;
    size_t i;

    json_array_foreach (former, i, entry)
        if (!json_object_get(looked_at, place_of(entry)) && json_array_append(now, entry) < 0)
            return ES_E_NOMEM;
    return 0;
}

int es_provision_keep_former(const json_t *parent, const json_t *looked_at, json_t *provisioned,
                             json_t *failed, struct es_error *err)
{
    int rc = keep_former(provisioned, es_obj_at(parent, "status", "provisionedNamespaces"), looked_at);

    if (rc == 0)
        rc = keep_former(failed, es_obj_at(parent, "status", "failedNamespaces"), looked_at);
    return rc < 0 ? es_error_nomem(err) : 0;
}

/* ---- writing ---- */

static int by_place(const void *a, const void *b)
{
    return strcmp(place_of(*(json_t *const *)a), place_of(*(json_t *const *)b));
}

/* A sorted list for the status, of its own; an empty one is null. */
static json_t *sorted(const json_t *list)
{
    size_t count = json_array_size(list);
    json_t **order = es_mem_calloc(count + 1, sizeof *order);
    json_t *result = order && count ? json_array() : NULL;

    for (size_t i = 0; order && i < count; i++)
        order[i] = json_array_get(list, i);
    if (result) {
        qsort(order, count, sizeof *order, by_place);
        for (size_t i = 0; i < count; i++)
            json_array_append(result, order[i]);
    }
    if (order && !count)
        result = json_null();
    es_mem_free(order);
    return result;
}

/* Not within a character. */
static size_t cut(const char *text, size_t max)
{
    size_t len = strlen(text);

    if (len <= max)
        return len;
    while (max && ((unsigned char)text[max] & 0xc0) == 0x80)
        max--;
    return max;
}

/* An API server stores no object of more than a megabyte and a half, and where thousands of namespaces
 * fail they do for one reason: its beginning, in each, has to do. */
static json_t *shortened(const json_t *failed)
{
    size_t count = json_array_size(failed), share = count ? REASONS_MAX / count : 0, i;
    json_t *result = json_array(), *one;

    json_array_foreach (failed, i, one) {
        const char *reason = es_obj_str(one, "reason");
        json_array_append_new(result, json_pack("{s:s, s:s%}", "namespace", es_obj_str(one, "namespace"),
                                                "reason", reason, cut(reason, share)));
    }
    return result;
}

/* The reference's condition has neither reason nor time. */
static json_t *conditions(bool ok)
{
    json_t *ready = json_pack("{s:s, s:s}", "type", "Ready", "status", ok ? "True" : "False");

    if (ready && !ok)
        json_object_set_new(ready, "message", json_string("one or more namespaces failed"));
    return json_pack("[o]", ready);
}

int es_provision_write_status(struct es_env *env, const struct es_provisioner *how, const json_t *parent,
                              const json_t *provisioned, const json_t *failed, struct es_error *err)
{
    json_t *told = shortened(failed);
    json_t *status = json_pack("{s:s, s:o, s:o, s:o}", how->name, es_provision_child_name(how, parent),
                               "provisionedNamespaces", sorted(provisioned), "failedNamespaces", sorted(told),
                               "conditions", conditions(!json_array_size(failed)));
    json_decref(told);
    return es_status_patch(env, how->kind, parent, status, err);
}
