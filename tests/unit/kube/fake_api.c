#include "tests/unit/kube/fake_api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/text.h"

static void start_server(struct fake_api *api, const char *scenario)
{
    int in[2], out[2];
    char line[32] = "";
    size_t len = 0;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    api->pid = fork();
    assert_true(api->pid >= 0);
    if (api->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl(PYTHON3, "python3", FAKE_API, scenario, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    api->in = in[1];
    while (len < sizeof line - 1 && read(out[0], line + len, 1) == 1 && line[len] != '\n')
        len++;
    line[len] = '\0';
    close(out[0]);
    int64_t port = 0;
    assert_int_equal(es_parse_i64(line, &port), 0);
    api->port = (int)port;
}

void fake_api_write(const struct fake_api *api, const char *name, const char *text, int mode)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", api->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, (mode_t)mode), 0);
    close(fd);
}

static void write_kubeconfig(const struct fake_api *api, const char *user)
{
    struct es_buf b;

    es_buf_init(&b, 65536);
    es_buf_addf(&b,
                "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
                "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
                "contexts: [{name: c, context: {cluster: c, user: u}}]\nusers:\n- name: u\n  user: ",
                api->port);
    for (const char *at = user; *at;) {
        if (strncmp(at, "$DIR", 4) == 0) {
            es_buf_adds(&b, api->dir);
            at += 4;
        } else
            es_buf_addc(&b, *at++);
    }
    es_buf_addc(&b, '\n');
    fake_api_write(api, "kubeconfig", es_buf_str(&b), 0600);
    es_buf_fini(&b);
}

struct fake_api *fake_api_new(const char *scenario, const char *user, const struct es_kube_opts *opts)
{
    struct fake_api *api = calloc(1, sizeof *api);
    struct es_kube_config *config = NULL;
    struct es_error err = ES_ERROR_INIT;
    char path[128];

    assert_non_null(api);
    snprintf(api->dir, sizeof api->dir, "/tmp/esod-kube-test-XXXXXX");
    assert_non_null(mkdtemp(api->dir));
    start_server(api, scenario);
    write_kubeconfig(api, user ? user : "{token: secret-token}");
    fake_api_write(api, "token", "one\n", 0600);
    snprintf(path, sizeof path, "%s/kubeconfig", api->dir);

    const struct es_kube_config_opts config_opts = {.kubeconfig = path};
    if (es_http_new(&api->http, NULL, &err) < 0 || es_kube_config_load(&config, &config_opts, &err) < 0 ||
        es_kube_new(&api->kube, api->http, config, opts, &err) < 0)
        fail_msg("%s", err.text);
    return api;
}

static void remove_dir(const char *dir)
{
    static const char *const names[] = {"kubeconfig", "token", "plugin", "ran"};
    char path[128];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

void fake_api_free(struct fake_api *api)
{
    es_kube_free(api->kube);
    es_http_free(api->http);
    close(api->in);
    waitpid(api->pid, NULL, 0);
    remove_dir(api->dir);
    free(api);
}

json_t *fake_api_log(struct fake_api *api)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *log = NULL;

    if (es_kube_get_path(api->kube, "/log", &log, &err) < 0)
        fail_msg("%s", err.text);
    return log;
}
