#include "core/ops/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/clock.h"

/* Families, registered once; there is one process. */
static struct es_metric *resident, *virtual_size, *cpu, *threads, *open_fds, *max_fds, *start_time;

static void set(struct es_metric *m, double value)
{
    es_metric_set(m, NULL, value);
}

static void read_status(void)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "re");

    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "VmRSS:", 6) == 0)
            set(resident, strtod(line + 6, NULL) * 1024);
        else if (strncmp(line, "VmSize:", 7) == 0)
            set(virtual_size, strtod(line + 7, NULL) * 1024);
        else if (strncmp(line, "Threads:", 8) == 0)
            set(threads, strtod(line + 8, NULL));
    }
    fclose(f);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = -3; /* ".", ".." and the one that reads this folder */

    if (!dir)
        return;
    while (readdir(dir))
        n++;
    closedir(dir);
    set(open_fds, n);
}

static void collect(void *ctx)
{
    struct rusage usage;
    struct rlimit files;

    (void)ctx;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        set(max_fds, (double)files.rlim_cur);
    read_status();
    count_fds();
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        set(cpu, seconds(usage.ru_utime) + seconds(usage.ru_stime));
}

int es_process_metrics(struct es_metrics *m, struct es_error *err)
{
    resident = es_metrics_family(m, ES_GAUGE, "process_resident_memory_bytes",
                                 "Resident memory size in bytes.", NULL, 0, NULL, 0);
    virtual_size = es_metrics_family(m, ES_GAUGE, "process_virtual_memory_bytes",
                                     "Virtual memory size in bytes.", NULL, 0, NULL, 0);
    max_fds = es_metrics_family(m, ES_GAUGE, "process_max_fds", "Ceiling of open file descriptors.", NULL, 0,
                                NULL, 0);
    cpu = es_metrics_family(m, ES_COUNTER, "process_cpu_seconds_total",
                            "User and system CPU time spent in seconds.", NULL, 0, NULL, 0);
    threads = es_metrics_family(m, ES_GAUGE, "process_threads", "Threads of the process.", NULL, 0, NULL, 0);
    open_fds = es_metrics_family(m, ES_GAUGE, "process_open_fds", "Open file descriptors.", NULL, 0, NULL, 0);
    start_time = es_metrics_family(m, ES_GAUGE, "process_start_time_seconds",
                                   "Start of the process since the Unix epoch.", NULL, 0, NULL, 0);
    set(start_time, (double)es_unix_ms() / 1000);
    return es_metrics_on_collect(m, collect, NULL) < 0 ? es_error_nomem(err) : 0;
}

void es_process_harden(void)
{
    struct rlimit none = {0, 0};

    if (getenv("ESOD_DEBUGGABLE"))
        return;
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
