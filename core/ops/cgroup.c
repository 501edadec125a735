#include "core/ops/cgroup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Version 1 knows no "none", but a number that no machine has. */
#define NO_LIMIT 0x1p60

/* The names of the same things in the two versions. */
struct dialect {
    const char *folder; /* below the mount */
    const char *limit, *usage, *droppable;
};

static const struct dialect version_1 = {.folder = "/memory",
                                         .limit = "memory.limit_in_bytes",
                                         .usage = "memory.usage_in_bytes",
                                         .droppable = "total_inactive_file "};
static const struct dialect version_2 = {
    .folder = "", .limit = "memory.max", .usage = "memory.current", .droppable = "inactive_file "};

/* "5:cpu,memory:/path" is version 1's line, "0::/path" version 2's. Where both are mounted
 * memory belongs to the first, if it has a line. */
static const struct dialect *find_group(const char *membership, char path[PATH_MAX])
{
    const struct dialect *found = NULL;
    char line[PATH_MAX];
    FILE *f = fopen(membership, "re");

    while (f && found != &version_1 && fgets(line, sizeof line, f)) {
        char *names = strchr(line, ':'), *at = names ? strchr(names + 1, ':') : NULL;
        if (!at)
            continue;
        *at = '\0';
        bool first = strstr(names, "memory"), second = strcmp(line, "0:") == 0;
        if (!first && !second)
            continue;
        found = first ? &version_1 : &version_2;
        snprintf(path, PATH_MAX, "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
    }
    if (f)
        fclose(f);
    return found;
}

/* A number behind `prefix` at the start of a line; "max" is none. */
static bool read_number(const char *folder, const char *name, const char *prefix, double *ret)
{
    char path[2 * PATH_MAX + 64], line[256];
    bool found = false;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "re");
    while (f && !found && fgets(line, sizeof line, f)) {
        char *end = line;
        if (strncmp(line, prefix, strlen(prefix)) != 0)
            continue;
        *ret = strtod(line + strlen(prefix), &end);
        found = end != line + strlen(prefix);
    }
    if (f)
        fclose(f);
    return found;
}

bool es_cgroup_memory(const char *membership, const char *mount, struct es_cgroup_memory *ret)
{
    char path[PATH_MAX], folder[2 * PATH_MAX];
    double droppable = 0;
    const struct dialect *d = find_group(membership, path);

    if (!d)
        return false;
    /* In a container the path may be the host's, while the mount shows the container's group alone. */
    snprintf(folder, sizeof folder, "%s%s%s", mount, d->folder, path);
    if (access(folder, X_OK) != 0)
        snprintf(folder, sizeof folder, "%s%s", mount, d->folder);
    if (!read_number(folder, d->limit, "", &ret->limit_bytes) || ret->limit_bytes >= NO_LIMIT ||
        !read_number(folder, d->usage, "", &ret->working_set_bytes))
        return false;
    if (read_number(folder, "memory.stat", d->droppable, &droppable))
        ret->working_set_bytes = droppable < ret->working_set_bytes ? ret->working_set_bytes - droppable : 0;
    return true;
}

/* Families, registered once; there is one process. */
static struct es_metric *limit, *working_set;

static void collect(void *ctx)
{
    struct es_cgroup_memory memory;

    (void)ctx;
    if (es_cgroup_memory("/proc/self/cgroup", "/sys/fs/cgroup", &memory)) {
        es_metric_set(limit, NULL, memory.limit_bytes);
        es_metric_set(working_set, NULL, memory.working_set_bytes);
    } else {
        es_metric_forget(limit, NULL, 0);
        es_metric_forget(working_set, NULL, 0);
    }
}

int es_cgroup_metrics(struct es_metrics *m, struct es_error *err)
{
    limit =
        es_metrics_family(m, ES_GAUGE, "esod_memory_limit_bytes",
                          "What the container may use: esod and its plugins' processes.", NULL, 0, NULL, 0);
    working_set = es_metrics_family(m, ES_GAUGE, "esod_memory_working_set_bytes",
                                    "What it uses, without what the kernel can drop.", NULL, 0, NULL, 0);
    return es_metrics_on_collect(m, collect, NULL) < 0 ? es_error_nomem(err) : 0;
}
