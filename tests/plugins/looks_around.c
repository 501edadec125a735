/* Tries the doors: what its key names, and says what came of it. Reads no more
 * than a byte of anything. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>

#define GET_BODY return look(call, request);
struct esp_call;
struct esp_request;
#include "esp/plugin.h"
static esp_status look(struct esp_call *call, const struct esp_request *request);
#include "bad.h"

extern char **environ;
static int when_loaded = -1, dumpable = -1, dies_with = 0;

__attribute__((constructor)) static void early(void)
{
    int fd = open("/etc/hostname", O_RDONLY);
    when_loaded = fd < 0 ? errno : 0;
    dumpable = prctl(PR_GET_DUMPABLE);
    prctl(PR_GET_PDEATHSIG, &dies_with);
    if (fd >= 0)
        close(fd);
}

static int door_file(void)
{
    return open("/etc/hostname", O_RDONLY);
}
static int door_token(void)
{
    return open("/var/run/secrets/kubernetes.io/serviceaccount/token", O_RDONLY);
}
static int door_self(void)
{
    return open("/proc/self/maps", O_RDONLY);
}
static int door_parent(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)getppid());
    return open(path, O_RDONLY);
}
static int door_create(void)
{
    return open("/tmp/esod-looks-around", O_WRONLY | O_CREAT, 0600);
}
static int door_tcp(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}
static int door_udp(void)
{
    return socket(AF_INET6, SOCK_DGRAM, 0);
}
static int door_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}
static int door_fork(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return (int)pid;
}
static int door_exec(void)
{
    char *const argv[] = {(char *)"true", NULL};
    return execve("/bin/true", argv, environ);
}
static int door_kill(void)
{
    return kill(getppid(), 0);
}
static int door_ptrace(void)
{
    return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}
static int door_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : 0;
}
static int door_namespace(void)
{
    return (int)syscall(SYS_unshare, 0x10000000);
}
static int door_status(void)
{
    struct stat st;
    return stat("/etc/hostname", &st);
}
static int door_environment(void)
{
    errno = ENODATA;
    return environ && environ[0] ? 0 : -1;
}
static int door_dumpable(void)
{
    errno = ENODATA;
    return dumpable == 0 ? -1 : 0;
}
static int door_outlive(void)
{
    errno = ENODATA;
    return dies_with == SIGKILL ? -1 : 0;
}
static int door_early(void)
{
    errno = when_loaded;
    return when_loaded ? -1 : 0;
}

static const struct {
    const char *name;
    int (*open)(void);
} doors[] = {
    {"file", door_file},     {"token", door_token},   {"self", door_self},   {"parent", door_parent},
    {"create", door_create}, {"tcp", door_tcp},       {"udp", door_udp},     {"unix", door_unix},
    {"fork", door_fork},     {"exec", door_exec},     {"kill", door_kill},   {"ptrace", door_ptrace},
    {"code", door_code},     {"stat", door_status},   {"early", door_early}, {"environment", door_environment},
    {"namespace", door_namespace}, {"dumpable", door_dumpable}, {"outlive", door_outlive},
};

static int asked_for(const struct esp_request *request, const char *name)
{
    char want[64];
    int len = snprintf(want, sizeof want, "\"key\":\"%s\"", name);
    return memmem(request->json.ptr, request->json.len, want, (size_t)len) != NULL;
}

static esp_status look(struct esp_call *call, const struct esp_request *request)
{
    char text[128];
    for (size_t i = 0; i < sizeof doors / sizeof *doors; i++)
        if (asked_for(request, doors[i].name)) {
            errno = 0;
            int result = doors[i].open();
            snprintf(text, sizeof text, "%s", result >= 0 ? "open" : strerrorname_np(errno));
            return host->emit(call, ESP_OUT_VALUE, bytes(""), bytes(text));
        }
    return ESP_E_NOT_FOUND;
}
