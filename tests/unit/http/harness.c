#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void nap_ms(int ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

bool is_slow_build(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    return true;
#else
    const char *preload = getenv("LD_PRELOAD"); /* valgrind's */
    return preload && strstr(preload, "vgpreload");
#endif
}

void on_threads(int count, void *(*fn)(void *), void *arg)
{
    pthread_t *threads = calloc((size_t)count, sizeof *threads);

    assert_non_null(threads);
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fn, arg), 0);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

const char *url(const char *scheme, int port, const char *path)
{
    static char ring[8][512];
    static unsigned next;
    char *out = ring[next++ % 8];

    snprintf(out, sizeof ring[0], "%s://127.0.0.1:%d%s", scheme, port, path);
    return out;
}

char *harness_read(const struct harness *h, const char *name)
{
    char path[160];
    char *text = calloc(1, 65536);

    snprintf(path, sizeof path, "%s/%s", h->folder, name);
    FILE *f = fopen(path, "r");
    if (!f || !text)
        fail_msg("cannot read %s", path);
    if (fread(text, 1, 65535, f) == 0)
        fail_msg("%s is empty", path);
    fclose(f);
    return text;
}

static int bound_socket(int *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        fail_msg("no loopback port: %s", strerror(errno));
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static int free_port(void)
{
    int port;
    close(bound_socket(&port));
    return port;
}

/* The child dies with the test, however that ends. */
static pid_t spawn(char *const argv[], int in, int out)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    if (in >= 0)
        dup2(in, 0);
    if (out >= 0)
        dup2(out, 1);
    unsetenv("LD_PRELOAD");
    execvp(argv[0], argv);
    fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static void note_port(struct harness *h, const char *name, int port)
{
    const struct {
        const char *name;
        int *port;
    } table[] = {{"http", &h->http},           {"https", &h->https},     {"mutual", &h->mutual},
                 {"alone", &h->alone},         {"proxy", &h->proxy},     {"silent", &h->silent},
                 {"elsewhere", &h->elsewhere}, {"expired", &h->expired}, {"garbage", &h->garbage}};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, name) == 0)
            *table[i].port = port;
}

static void start_python(struct harness *h)
{
    int in[2], out[2];
    char script[] = HTTP_TEST_DIR "/server.py";
    char *argv[] = {(char[]){"python3"}, (char[]){"-B"}, script, h->folder, NULL};
    char name[32];
    int port;
    bool ready = false;

    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        fail_msg("no pipe");
    h->python = spawn(argv, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    h->python_stdin = in[1];
    FILE *f = fdopen(out[0], "r");
    while (!ready && fscanf(f, "%31s %d", name, &port) == 2) {
        note_port(h, name, port);
        ready = strcmp(name, "ready") == 0;
    }
    fclose(f);
    if (!ready)
        fail_msg("server.py does not start (python3 and openssl are needed)");
}

static void write_document(const struct harness *h, const char *name, size_t size)
{
    char path[160];

    snprintf(path, sizeof path, "%s/doc/%s", h->folder, name);
    FILE *f = fopen(path, "w");
    if (!f)
        fail_msg("cannot write %s", path);
    for (size_t i = 0; i < size; i++)
        fputc('a' + (int)(i % 26), f);
    fclose(f);
}

static bool answers(int port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;

    close(fd);
    return yes;
}

static void start_nghttpd(struct harness *h)
{
    char doc[80], key[80], pem[80], port[16];
    int status;

    snprintf(doc, sizeof doc, "%s/doc", h->folder);
    snprintf(key, sizeof key, "%s/server.key", h->folder);
    snprintf(pem, sizeof pem, "%s/server.pem", h->folder);
    mkdir(doc, 0700);
    write_document(h, "small", 26);
    write_document(h, "page", 20000);
    write_document(h, "medium", 1000000);
    h->h2 = free_port();
    snprintf(port, sizeof port, "%d", h->h2);
    char *argv[] = {(char[]){"nghttpd"},
                    (char[]){"--address=127.0.0.1"},
                    (char[]){"-m"},
                    (char[]){"250"},
                    (char[]){"--echo-upload"},
                    (char[]){"-d"},
                    doc,
                    port,
                    key,
                    pem,
                    NULL};
    h->nghttpd = spawn(argv, -1, -1);
    for (int i = 0; i < 200 && !answers(h->h2); i++) {
        if (waitpid(h->nghttpd, &status, WNOHANG) == h->nghttpd) {
            h->nghttpd = 0;
            fail_msg("nghttpd does not run: install the package nghttp2-server");
        }
        nap_ms(25);
    }
}

int harness_start(void **state)
{
    struct harness *h = calloc(1, sizeof *h);

    assert_non_null(h);
    snprintf(h->folder, sizeof h->folder, "/tmp/esod-http-XXXXXX");
    if (!mkdtemp(h->folder))
        fail_msg("no temporary folder");
    *state = h;
    start_python(h);
    /* Bound but not listening: refuses, and nobody else gets the number. */
    h->closed_fd = bound_socket(&h->closed);
    return 0;
}

int harness_start_with_h2(void **state)
{
    harness_start(state);
    start_nghttpd(*state);
    return 0;
}

static void end_child(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGTERM);
    for (int i = 0; i < 40; i++) {
        if (waitpid(pid, NULL, WNOHANG) == pid)
            return;
        nap_ms(25);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

int harness_stop(void **state)
{
    struct harness *h = *state;
    char *argv[] = {(char[]){"rm"}, (char[]){"-rf"}, (char[]){"--"}, h->folder, NULL};

    close(h->python_stdin);
    close(h->closed_fd);
    end_child(h->python);
    end_child(h->nghttpd);
    pid_t rm = spawn(argv, -1, -1);
    if (rm > 0)
        waitpid(rm, NULL, 0);
    free(h);
    return 0;
}
