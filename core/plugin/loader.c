#include "core/plugin/loader.h"

#include <dirent.h>
#include <dlfcn.h>
#include <locale.h>
#include <ltdl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/plugin/host.h"
#include "core/plugin/pin.h"
#include "core/plugin/refusal.h"

#define ENTRY_SYMBOL "esp_plugin_entry_v1"

/* libltdl says "file not found" whatever happened, and binds lazily, so that a
 * missing symbol would show in the middle of an operation. The system's loader
 * is asked first: it names the reason, and binds everything at once. */
static int probe(const char *file, struct es_error *err)
{
    if (dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE))
        return 0;
    const char *why = dlerror();
    size_t len = strlen(file);
    if (why && strncmp(why, file, len) == 0 && strncmp(why + len, ": ", 2) == 0)
        why += len + 2;
    return es_error_set(err, ES_E_CONFIG, ES_REFUSED_BY_LOADER, why ? why : "no reason given");
}

static int load_module(lt_dlhandle *ret, const char *file, struct es_error *err)
{
    lt_dladvise advise;

    int rc = probe(file, err);
    if (rc < 0)
        return rc;
    if (lt_dladvise_init(&advise) != 0)
        return es_error_set(err, ES_E_INTERNAL, "cannot set up the plugin loader: %s", lt_dlerror());
    if (lt_dladvise_local(&advise) == 0 && lt_dladvise_resident(&advise) == 0)
        *ret = lt_dlopenadvise(file, advise);
    lt_dladvise_destroy(&advise);
    return *ret ? 0 : es_error_set(err, ES_E_CONFIG, ES_REFUSED_BY_LOADER, lt_dlerror());
}

static int no_entry(lt_dlhandle module, struct es_error *err)
{
    char symbol[32];

    for (uint32_t major = 0; major <= ES_MAX_MAJOR; major++) {
        snprintf(symbol, sizeof symbol, "esp_plugin_entry_v%u", major);
        if (lt_dlsym(module, symbol))
            return es_refusal_say(err, ES_REFUSAL_NO_ENTRY, major, (esp_bytes){0});
    }
    return es_refusal_say(err, ES_REFUSAL_NO_ENTRY, UINT32_MAX, (esp_bytes){0});
}

/* A plugin that sets the locale changes how this process reads and writes
 * numbers. It is put back, and the plugin refused. */
static int check_locale(const char *before, struct es_error *err)
{
    const char *now = setlocale(LC_ALL, NULL);

    if (!now || es_streq(now, before))
        return 0;
    es_refusal_say(err, ES_REFUSAL_LOCALE, 0, (esp_bytes){(const uint8_t *)now, strlen(now)});
    setlocale(LC_ALL, before);
    return ES_E_CONFIG;
}

static int is_task(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int count_threads(void)
{
    struct dirent **tasks;
    int count = scandir("/proc/self/task", &tasks, is_task, NULL);

    for (int i = 0; i < count; i++)
        free(tasks[i]);
    if (count >= 0)
        free(tasks);
    return count;
}

static int ask_entry(const struct esp_plugin **ret, const char *file, struct es_error *err)
{
    const char *locale = setlocale(LC_ALL, NULL);
    char *before = es_mem_strdup(locale ? locale : "C");
    lt_dlhandle module = NULL;
    esp_entry_fn entry;
    int threads = count_threads();

    if (!before)
        return es_error_nomem(err);
    int rc = load_module(&module, file, err);
    void *symbol = rc == 0 ? lt_dlsym(module, ENTRY_SYMBOL) : NULL;
    if (rc == 0 && !symbol)
        rc = no_entry(module, err);
    if (rc == 0) {
        /* ISO C has no conversion from an object pointer to a function; POSIX's
         * dlsym promises that the bits are the same. */
        memcpy(&entry, &symbol, sizeof entry);
        *ret = entry(&es_host_table);
        rc = check_locale(before, err);
    }
    if (rc == 0 && count_threads() > threads)
        rc = es_refusal_say(err, ES_REFUSAL_THREADS, 0, (esp_bytes){0});
    es_mem_free(before);
    return rc == 0 && !*ret ? es_refusal_say(err, ES_REFUSAL_VETO, 0, (esp_bytes){0}) : rc;
}

/* Whether the loader has this file among its modules, however far it got. */
static bool is_mapped(const char *file)
{
    void *module = dlopen(file, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);

    if (module)
        dlclose(module);
    return module;
}

/* The bytes that were checked are the bytes that are loaded: from the sealed
 * copy, which both loaders find under its number in /proc. The number has to
 * stay taken as long as the module stays mapped, and that is for ever: loaders
 * know modules by their paths, and would hand out this one again for the next
 * copy with the same number. */
static int ask_pinned(const struct esp_plugin **ret, const char *file, const char *sha256,
                      struct es_error *err)
{
    char copy[32];
    int fd;

    int rc = es_pin_open(&fd, file, sha256, err);
    if (rc < 0)
        return rc;
    snprintf(copy, sizeof copy, "/proc/self/fd/%d", fd);
    rc = ask_entry(ret, copy, err);
    if (rc < 0 && !is_mapped(copy))
        close(fd);
    return rc;
}

int es_loader_ask(const struct esp_plugin **ret, const char *file, const char *sha256, struct es_error *err)
{
    return sha256 ? ask_pinned(ret, file, sha256, err) : ask_entry(ret, file, err);
}
