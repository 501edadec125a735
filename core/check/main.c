/* esp-check: holds a provider plugin to the promises of the ABI.
 *
 * A program of the core that ships with the SDK: the SDK includes nothing of the
 * core, and a checker has to accept exactly what esod accepts, in the same words. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/check/check.h"
#include "core/check/options.h"
#include "core/check/plant.h"
#include "core/check/print.h"
#include "core/check/run.h"
#include "esp/plugin.h"

enum { EXIT_GOOD = 0, EXIT_BROKEN = 1, EXIT_USAGE = 2 };

#define MAX_CHECKS 64
#define TOLD_MAX ((size_t)64 << 10)

static int complain(const struct es_error *err)
{
    fprintf(stderr, "esp-check: %s\n", err->text);
    return EXIT_USAGE;
}

static void tell(void (*write)(struct es_buf *out))
{
    struct es_buf out;

    es_buf_init(&out, TOLD_MAX);
    write(&out);
    fputs(es_buf_str(&out), stdout);
    es_buf_fini(&out);
}

static int list_checks(void)
{
    for (int i = 0; i < es_check_count; i++)
        printf("%-16s the plugin %s\n", es_checks[i].id, es_checks[i].title);
    return EXIT_GOOD;
}

/* `load` always runs: without it, the others would say its sentences again and again. */
static size_t run_checks(const struct es_check_opts *o, struct es_result *results)
{
    bool color = isatty(STDOUT_FILENO);
    size_t count = 0;

    for (int i = 0; i < es_check_count; i++) {
        if (i > 0 && !es_check_opts_wants(o, &es_checks[i]))
            continue;
        es_check_run(&results[count], &es_checks[i], o);
        es_print_result(&results[count], color);
        count++;
        if (i == 0 && results[0].verdict == ES_FAIL)
            break;
    }
    return count;
}

static int write_reports(const struct es_check_opts *o, const struct es_result *results, size_t count,
                         struct es_error *err)
{
    int rc = 0;

    if (o->json)
        rc = es_write_json(o->json, o->file, results, count, err);
    if (rc == 0 && o->junit)
        rc = es_write_junit(o->junit, o->file, results, count, o->strict, err);
    return rc;
}

static int exit_code(const struct es_check_opts *o, const struct es_result *results, size_t count)
{
    int code = EXIT_GOOD;

    if (results[0].verdict == ES_FAIL)
        return EXIT_USAGE;
    for (size_t i = 0; i < count; i++)
        if (results[i].verdict == ES_FAIL || (o->strict && results[i].verdict == ES_WARN))
            code = EXIT_BROKEN;
    return code;
}

static int check(const struct es_check_opts *o)
{
    struct es_result results[MAX_CHECKS];
    struct es_error err = ES_ERROR_INIT;

    es_plants_init();
    printf("%s, against plugin ABI %d.%d\n\n", o->file, ESP_ABI_MAJOR, ESP_ABI_MINOR);
    size_t count = run_checks(o, results);
    es_print_summary(results, count, o->strict);
    int code = write_reports(o, results, count, &err) < 0 ? complain(&err) : exit_code(o, results, count);
    for (size_t i = 0; i < count; i++)
        es_result_fini(&results[i]);
    return code;
}

int main(int argc, char **argv)
{
    struct es_check_opts opts;
    struct es_error err = ES_ERROR_INIT;
    int code = EXIT_GOOD;

    es_mem_init();
    signal(SIGPIPE, SIG_IGN);
    if (es_check_opts_read(&opts, argc, argv, &err) < 0)
        code = complain(&err);
    else if (opts.help || opts.manual)
        tell(opts.manual ? es_check_opts_manual : es_check_opts_help);
    else if (opts.version)
        printf("esp-check %s, plugin ABI %d.%d\n", ESOD_VERSION, ESP_ABI_MAJOR, ESP_ABI_MINOR);
    else if (opts.list)
        code = list_checks();
    else
        code = check(&opts);
    es_check_opts_fini(&opts);
    return code;
}
