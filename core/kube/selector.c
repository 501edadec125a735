#include "core/kube/selector.h"

#include <ctype.h>

#include "core/base/buf.h"
#include "core/base/text.h"
#include "core/kube/obj.h"

#define TEXT_MAX ((size_t)64 * 1024)

static int add_word(struct es_buf *out, const char *word, struct es_error *err)
{
    for (const char *at = word; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_' && *at != '.' && *at != '/')
            return es_error_set(err, ES_E_CONFIG, "label selector: \"%s\" cannot stand in a label", word);
    es_buf_adds(out, word);
    return 0;
}

static void begin(struct es_buf *out)
{
    if (out->len)
        es_buf_addc(out, ',');
}

static int add_labels(struct es_buf *out, const json_t *labels, struct es_error *err)
{
    const char *key;
    json_t *value;
    int rc = 0;

    json_object_foreach ((json_t *)(uintptr_t)labels, key, value) {
        begin(out);
        rc = add_word(out, key, err);
        es_buf_addc(out, '=');
        if (rc == 0)
            rc = add_word(out, json_is_string(value) ? json_string_value(value) : "", err);
        if (rc < 0)
            break;
    }
    return rc;
}

static int add_set(struct es_buf *out, const json_t *values, struct es_error *err)
{
    json_t *value;
    size_t i;
    int rc = 0;

    json_array_foreach (values, i, value) {
        es_buf_addc(out, i ? ',' : '(');
        rc = add_word(out, json_is_string(value) ? json_string_value(value) : "", err);
        if (rc < 0)
            break;
    }
    es_buf_addc(out, ')');
    return rc;
}

static int add_expression(struct es_buf *out, const json_t *expr, struct es_error *err)
{
    const char *op = es_obj_str(expr, "operator");

    begin(out);
    if (es_streq(op, "DoesNotExist"))
        es_buf_addc(out, '!');
    int rc = add_word(out, es_obj_str(expr, "key"), err);
    if (rc < 0 || es_streq(op, "Exists") || es_streq(op, "DoesNotExist"))
        return rc;
    es_buf_adds(out, es_streq(op, "In") ? " in " : " notin ");
    return add_set(out, es_obj_at(expr, "values"), err);
}

int es_label_selector_text(const json_t *selector, char **ret, struct es_error *err)
{
    /* Tried on no labels: it says what is wrong with the operators. */
    int rc = es_label_selector_match(selector, NULL, err);
    struct es_buf out;
    json_t *expr;
    size_t i;

    if (rc < 0)
        return rc;
    es_buf_init(&out, TEXT_MAX);
    rc = add_labels(&out, es_obj_at(selector, "matchLabels"), err);
    json_array_foreach (es_obj_at(selector, "matchExpressions"), i, expr)
        if (rc == 0)
            rc = add_expression(&out, expr, err);
    if (rc == 0 && es_buf_failed(&out))
        rc = es_error_set(err, ES_E_TOO_LARGE, "label selector: above %zu bytes", TEXT_MAX);
    char *text = rc == 0 ? es_buf_take(&out) : NULL;
    es_buf_fini(&out);
    if (rc == 0 && !text)
        return es_error_nomem(err);
    if (rc == 0)
        *ret = text;
    return rc;
}
