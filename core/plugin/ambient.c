/* What stands around the process, its environment and its files, as far as a plugin may
 * see it: what it lists, and the configuration grants of that. */
#include "core/plugin/ambient.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/plugin/host.h"

/* ---- granting ---- */

static bool lists(const struct esp_plugin *data, const char *entry)
{
    for (const char *const *at = data->ambient; at && *at; at++)
        if (es_streq(*at, entry))
            return true;
    return false;
}

static int not_listed(const struct esp_plugin *data, const char *grant, struct es_error *err)
{
    struct es_buf listed;

    es_buf_init(&listed, ES_ERROR_TEXT_MAX);
    for (const char *const *at = data->ambient; at && *at; at++)
        es_buf_addf(&listed, "%s%s", listed.len ? ", " : "", *at);
    es_error_set(err, ES_E_CONFIG, "ambient: it does not ask for \"%s\"; it asks for %s", grant,
                 listed.len ? es_buf_str(&listed) : "nothing");
    es_buf_fini(&listed);
    return ES_E_CONFIG;
}

int es_ambient_grant(const char *const **ret, const struct esp_plugin *data, const char *const *grants,
                     struct es_error *err)
{
    size_t count = 0;

    while (data->ambient && data->ambient[count])
        count++;
    const char **granted = es_mem_calloc(count + 1, sizeof *granted);
    if (!granted)
        return es_error_nomem(err);
    bool all = grants && es_streq(grants[0], "all");
    for (size_t i = 0; !all && grants && grants[i]; i++)
        if (!lists(data, grants[i])) {
            es_mem_free(granted);
            return not_listed(data, grants[i], err);
        }
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        bool wanted = all;
        for (size_t k = 0; !wanted && grants && grants[k]; k++)
            wanted = es_streq(grants[k], data->ambient[i]);
        if (wanted)
            granted[n++] = data->ambient[i];
    }
    *ret = granted;
    return 0;
}

/* ---- asking ---- */

/* "env:AWS_*" covers all names that begin with AWS_. */
static bool covers_env(const char *entry, const char *name)
{
    const char *pattern = entry + 4;
    size_t len = strlen(pattern);

    if (!es_str_starts(entry, "env:"))
        return false;
    return len && pattern[len - 1] == '*' ? strncmp(pattern, name, len - 1) == 0 : strcmp(pattern, name) == 0;
}

/* The file that `name` means, or NULL: a path, a "$VARIABLE", or the path that such
 * a variable holds. "": the variable is not set. */
static const char *covers_file(const char *entry, const char *name)
{
    const char *listed = entry + 5;

    if (!es_str_starts(entry, "file:"))
        return NULL;
    const char *path = *listed == '$' ? getenv(listed + 1) : listed;
    if (strcmp(listed, name) == 0)
        return path ? path : "";
    return path && strcmp(path, name) == 0 ? path : NULL;
}

static bool env_in(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (covers_env(*list, name))
            return true;
    return false;
}

static const char *file_in(const char *const *list, const char *name)
{
    const char *path = NULL;

    for (; list && *list && !path; list++)
        path = covers_file(*list, name);
    return path;
}

static esp_status deny(struct esp_call *c, const char *kind, const char *name, bool listed)
{
    if (listed)
        return es_call_service_error(
            c, ES_E_DENIED,
            "the %s plugin is not granted %s:%s; add it to ambient: of this plugin in the "
            "configuration",
            c->plugin->name, kind, name);
    return es_call_service_error(c, ES_E_DENIED, "the %s plugin does not list %s:%s", c->plugin->name, kind,
                                 name);
}

static esp_status read_ambient_file(struct esp_call *c, const char *path, esp_bytes *out)
{
    struct es_blob blob = {.ptr = es_mem_alloc(ES_AMBIENT_MAX + 1)};
    struct es_error err = ES_ERROR_INIT;
    struct stat st;
    int rc = 0;

    if (!blob.ptr)
        return es_call_service_error(c, ES_E_NOMEM, "out of memory");
    /* O_NONBLOCK: a FIFO in this place must not hold the worker. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        rc = es_error_set(&err, errno == ENOENT ? ES_E_NOT_FOUND : ES_E_CONFIG, "cannot read %s: %s", path,
                          strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        rc = es_error_set(&err, ES_E_CONFIG, "cannot read %s: not a regular file", path);
    } else {
        while (blob.len <= ES_AMBIENT_MAX) {
            ssize_t n = read(fd, blob.ptr + blob.len, ES_AMBIENT_MAX + 1 - blob.len);
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                break;
            blob.len += (size_t)n;
        }
        if (blob.len > ES_AMBIENT_MAX)
            rc = es_error_set(&err, ES_E_CONFIG, "cannot read %s: larger than %zu KiB", path,
                              ES_AMBIENT_MAX >> 10);
    }
    if (fd >= 0)
        close(fd);
    return es_host_hand_out_blob(c, rc, &blob, &err, out);
}

esp_status es_host_ambient(struct esp_call *c, int32_t what, esp_bytes name, esp_bytes *out)
{
    c->service.code = 0;
    const char *text = es_host_text(c, name, ES_AMBIENT_MAX, "an ambient name");
    if (!text)
        return c->service.code;
    const struct es_plugin *p = c->plugin;
    if (what == ESP_AMBIENT_ENV) {
        if (!env_in(p->ambient, text))
            return deny(c, "env", text, env_in(p->data->ambient, text));
        const char *value = getenv(text);
        return value ? es_host_hand_out(c, value, strlen(value), out)
                     : es_call_service_error(c, ES_E_NOT_FOUND, "the environment has no variable %s", text);
    }
    if (what == ESP_AMBIENT_FILE) {
        const char *path = file_in(p->ambient, text);
        if (!path)
            return deny(c, "file", text, file_in(p->data->ambient, text) != NULL);
        return *path
                   ? read_ambient_file(c, path, out)
                   : es_call_service_error(c, ES_E_NOT_FOUND, "the environment has no variable %s", text + 1);
    }
    return es_call_service_error(c, ES_E_UNSUPPORTED, "ambient knows no kind %d", (int)what);
}
