/* What a process of its own costs a plugin: the same calls of the fake plugin in
 * both modes, one after the other and from several threads, and the memory of the
 * process.
 *
 *   isolation_bench RUNNER FAKE.so [CALLS] */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/plugin/instance.h"
#include "core/plugin/registry.h"
#include "core/plugin/remote.h"

#define THREADS 8

static struct es_authority who = {.store_kind = "SecretStore",
                                  .store_namespace = "bench",
                                  .store_name = "store",
                                  .consumer_namespace = "bench"};
static json_t *ref;
static long calls = 20000;

static void check(int rc, const struct es_error *err)
{
    if (rc == 0)
        return;
    fprintf(stderr, "isolation_bench: %s\n", err->text);
    exit(1);
}

static void *get_all(void *instance)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_blob value = {0};

    for (long i = 0; i < calls; i++)
        check(es_instance_get(instance, &who, ref, &value, &err), &err);
    es_blob_fini(&value);
    return NULL;
}

static double one_by_one_us(struct es_instance *i)
{
    int64_t begun = es_mono_ns();
    get_all(i);
    return (double)(es_mono_ns() - begun) / 1e3 / (double)calls;
}

static double together_us(struct es_instance *i)
{
    pthread_t threads[THREADS];
    int64_t begun = es_mono_ns();

    for (int n = 0; n < THREADS; n++)
        if (pthread_create(&threads[n], NULL, get_all, i) != 0)
            exit(1);
    for (int n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    return (double)(es_mono_ns() - begun) / 1e3 / (double)calls / THREADS;
}

static void print_memory(int pid)
{
    static const char *const wanted[] = {"VmRSS", "RssAnon", "Threads"};
    char path[64], line[256];

    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
            if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
                printf("  process %s", line);
    if (f)
        fclose(f);
}

static void measure(const char *title, const char *runner, const char *plugin, enum es_isolation isolation)
{
    const struct es_isolation_opts opts = {.isolation = isolation, .runner = runner};
    const struct es_plugin_entry entry = {.name = plugin};
    const struct es_plugin *const *plugins;
    struct es_error err = ES_ERROR_INIT;
    struct es_registry *r = NULL;
    struct es_instance *i = NULL;

    check(es_registry_new(&r, NULL, &err), &err);
    es_registry_isolate(r, &opts);
    int64_t begun = es_mono_ns();
    check(es_registry_load(r, NULL, &entry, &err), &err);
    printf("%s\n  loaded in %.1f ms\n", title, (double)(es_mono_ns() - begun) / 1e6);
    check(es_registry_start(r, &err), &err);
    es_registry_plugins(r, &plugins);
    check(es_instance_open(&i, r, plugins[0]->providers, &who, NULL, &err), &err);
    double alone = one_by_one_us(i), best = one_by_one_us(i);
    printf("  get, one by one: %.1f us\n", alone < best ? alone : best);
    printf("  get, %d threads: %.1f us\n", THREADS, together_us(i));
    if (plugins[0]->remote)
        print_memory(es_remote_pid(plugins[0]->remote));
    es_instance_close(i);
    es_registry_free(r);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: isolation_bench RUNNER FAKE.so [CALLS]\n", stderr);
        return 2;
    }
    if (argc > 3)
        calls = strtol(argv[3], NULL, 10);
    es_mem_init();
    json_t *spec = json_pack("{s:[{s:s,s:s}]}", "data", "key", "a", "value", "hello");
    who.spec = spec;
    ref = json_pack("{s:s}", "key", "a");
    measure("isolation: none", argv[1], argv[2], ES_ISOLATION_NONE);
    measure("isolation: process", argv[1], argv[2], ES_ISOLATION_PROCESS);
    json_decref(ref);
    json_decref(spec);
    return 0;
}
