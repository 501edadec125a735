/* What every test of this folder includes first. */
#ifndef TESTS_UNIT_CLUSTER_TEST_H
#define TESTS_UNIT_CLUSTER_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/kind.h"
#include "core/kube/obj.h"

static inline json_t *parse(const char *text)
{
    json_error_t why;
    json_t *value = json_loads(text, JSON_DECODE_ANY, &why);
    if (!value)
        fail_msg("%s at byte %d of %s", why.text, why.position, text);
    return value;
}

/* Single quotes for double ones: JSON that can be read in C. */
static inline json_t *quoted(const char *text)
{
    char *copy = strdup(text);
    assert_non_null(copy);
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *value = parse(copy);
    free(copy);
    return value;
}

static inline void check_json(const json_t *have, const char *want)
{
    json_t *wanted = quoted(want);
    char *text = have ? json_dumps(have, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT) : NULL;

    if (!have || !json_equal((json_t *)(uintptr_t)have, wanted))
        fail_msg("have %s\nwant %s", text ? text : "(nothing)", want);
    json_decref(wanted);
    free(text);
}

/* An object with this metadata; the rest of it is `more`, or NULL. */
static inline json_t *object(const struct es_kind *kind, const char *ns, const char *name, const char *more)
{
    char api_version[128];
    json_t *o = more ? quoted(more) : json_object();

    es_obj_set(o, json_string(es_kind_api_version(kind, api_version)), "apiVersion");
    es_obj_set(o, json_string(kind->kind), "kind");
    es_obj_set(o, json_string(name), "metadata", "name");
    if (*ns)
        es_obj_set(o, json_string(ns), "metadata", "namespace");
    return o;
}

static inline void check_ok(int rc, const struct es_error *err)
{
    if (rc < 0)
        fail_msg("%s: %s", es_code_name(rc), err->text);
}

#endif
