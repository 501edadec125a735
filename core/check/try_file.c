/* What can be said about the file before anything of it runs, and whether the core
 * takes it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/text.h"
#include "core/check/check.h"
#include "core/check/elf.h"
#include "core/check/tries.h"
#include "core/plugin/crd.h"
#include "core/plugin/crd_own.h"

#define ENTRY_SYMBOL "esp_plugin_entry_v1"
#define MAX_FILE ((off_t)1 << 32)
#define MAX_LIST ((size_t)2000)

/* ---- load ---- */

static void list_stores(const struct es_plugin *p, struct es_buf *out)
{
    for (size_t i = 0; i < p->provider_count; i++)
        es_buf_addf(out, "%s%s", i ? ", " : "", p->providers[i].name);
}

static bool has_component(const struct esp_plugin *data, const char *name)
{
    for (const struct esp_component *const *c = data->components; *c; c++)
        if (es_streq((*c)->name, name))
            return true;
    return false;
}

/* The block of --spec belongs to one store, and fits its schema. */
static void load_spec(struct es_subject *s, const struct es_plugin *p)
{
    const struct es_provider *store = NULL;
    struct es_error err = ES_ERROR_INIT;
    json_t *schema = NULL;
    size_t count = 0;

    for (size_t i = 0; i < p->provider_count; i++)
        if (!s->opts->component || es_streq(p->providers[i].name, s->opts->component)) {
            store = &p->providers[i];
            count++;
        }
    if (count == 0) {
        es_check_refuse("--spec is the block of a store, and it has none to give it to");
        return;
    }
    if (count > 1) {
        es_check_refuse("--spec is the block of one store, and there are %zu: name it with --component",
                        count);
        return;
    }
    int rc = es_crd_parse_schema(&schema, store->name, store->schema, &err);
    if (rc == 0)
        rc = es_crd_check_value(schema, s->opts->spec, &err);
    json_decref(schema);
    if (rc < 0)
        es_check_refuse("--spec %s does not fit the schema of %s: %s", s->opts->spec_file, store->name,
                        err.text);
}

void es_try_load(struct es_subject *s)
{
    const struct es_plugin_entry entry = {.name = s->opts->file, .isolation = ES_ISOLATION_NONE};
    const struct es_plugin *const *plugins;
    struct es_error err = ES_ERROR_INIT;
    struct es_buf stores;

    if (es_registry_new(&s->registry, NULL, &err) < 0 ||
        es_registry_load(s->registry, NULL, &entry, &err) < 0) {
        es_check_refuse("%s", err.text);
        return;
    }
    es_registry_plugins(s->registry, &plugins);
    const struct es_plugin *p = plugins[0];
    es_buf_init(&stores, MAX_LIST);
    list_stores(p, &stores);
    es_check_info("%s %s, made for ABI %u.%u; stores: %s", p->name, p->version, p->abi_major, p->abi_minor,
                  stores.len ? es_buf_str(&stores) : "none");
    if (s->opts->component && !has_component(p->data, s->opts->component))
        es_check_refuse("it has no component \"%s\" (--component); its stores: %s", s->opts->component,
                        es_buf_str(&stores));
    else if (s->opts->spec)
        load_spec(s, p);
    es_buf_fini(&stores);
}

/* ---- exports, symbols ---- */

/* The file as memory; *ret is MAP_FAILED when it has none, and that was reported. */
static void map_file(const char *file, void **ret, size_t *ret_len)
{
    struct stat st;
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    *ret = MAP_FAILED;
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size < MAX_FILE) {
        *ret_len = (size_t)st.st_size;
        *ret = mmap(NULL, *ret_len, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    if (*ret == MAP_FAILED)
        es_check_fail("the file cannot be read: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

static void with_elf(struct es_subject *s, void (*fn)(const struct es_elf *elf))
{
    struct es_error err = ES_ERROR_INIT;
    struct es_elf elf;
    size_t len = 0;
    void *data;

    es_check_at("reading the file");
    map_file(s->opts->file, &data, &len);
    if (data == MAP_FAILED)
        return;
    if (es_elf_read(&elf, data, len, &err) < 0)
        es_check_fail("the file %s", err.text);
    else
        fn(&elf);
    munmap(data, len);
}

static void list(struct es_buf *out, const char *const *names, size_t count, const char *without)
{
    for (size_t i = 0; i < count && i < ES_ELF_MAX_NAMES; i++)
        if (!es_streq(names[i], without))
            es_buf_addf(out, "%s%s", out->len ? ", " : "", names[i]);
    if (count > ES_ELF_MAX_NAMES)
        es_buf_adds(out, ", ...");
}

static void check_exports(const struct es_elf *elf)
{
    struct es_buf others;

    es_buf_init(&others, MAX_LIST);
    list(&others, elf->exports, elf->export_count, ENTRY_SYMBOL);
    if (elf->export_count > 1)
        es_check_fail("exports more than " ENTRY_SYMBOL ": %s; link it with a version script, as "
                      "esp_add_plugin() does",
                      es_buf_str(&others));
    es_buf_fini(&others);
}

void es_try_exports(struct es_subject *s)
{
    with_elf(s, check_exports);
}

static void check_linking(const struct es_elf *elf)
{
    struct es_buf needed;

    es_buf_init(&needed, MAX_LIST);
    list(&needed, elf->needed, elf->needed_count, NULL);
    es_check_info("needs %s", needed.len ? es_buf_str(&needed) : "no library");
    es_buf_fini(&needed);
    if (elf->executable_stack)
        es_check_fail(
            "asks for an executable stack, and gets one for the whole process; link with -z noexecstack");
    if (elf->text_relocations)
        es_check_fail(
            "has relocations in its code, which then cannot be write-protected; compile with -fPIC");
    if (!elf->binds_now)
        es_check_warn("is bound lazily, so its table of functions stays writable; link with -z now -z relro");
}

/* That nothing is unresolved, the loader says: everything is bound at once. */
void es_try_symbols(struct es_subject *s)
{
    with_elf(s, check_linking);
    es_subject_map(s);
}
