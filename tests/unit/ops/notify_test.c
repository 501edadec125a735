/* The service manager is told, and nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/ops/notify.h"

/* A manager's socket under this name, as $NOTIFY_SOCKET has it. */
static int listen_at(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    memcpy(at.sun_path, name, len);
    if (*name == '@')
        at.sun_path[0] = '\0';
    assert_int_equal(
        bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void hears(int fd, const char *want)
{
    char got[256];
    ssize_t n = recv(fd, got, sizeof got - 1, 0);

    assert_int_equal(n, (ssize_t)strlen(want));
    got[n] = '\0';
    assert_string_equal(got, want);
    assert_int_equal(recv(fd, got, sizeof got, 0), -1);
}

static void test_a_path(void **state)
{
    char folder[] = "/tmp/notify-XXXXXX", name[64];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(name, sizeof name, "%s/socket", folder);
    int fd = listen_at(name);
    es_notify("READY=1\nSTATUS=serving");
    hears(fd, "READY=1\nSTATUS=serving");
    close(fd);
    unlink(name);
    /* Nobody there any more: that is theirs. */
    es_notify("STOPPING=1");
    rmdir(folder);
}

static void test_a_name_without_a_file(void **state)
{
    char name[64];

    (void)state;
    snprintf(name, sizeof name, "@esod-notify-test-%ld", (long)getpid());
    int fd = listen_at(name);
    es_notify("WATCHDOG=1");
    hears(fd, "WATCHDOG=1");
    close(fd);
}

static void test_what_is_no_socket_is_left_alone(void **state)
{
    char longest[256];

    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    const char *const names[] = {"", "/", "relative", "vsock:2:1234", longest};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int before = dup(0);
        close(before);
        setenv("NOTIFY_SOCKET", names[i], 1);
        es_notify("READY=1");
        int after = dup(0);
        close(after);
        assert_int_equal(before, after); /* no descriptor stays open */
    }
    unsetenv("NOTIFY_SOCKET");
    es_notify("READY=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_path),
        cmocka_unit_test(test_a_name_without_a_file),
        cmocka_unit_test(test_what_is_no_socket_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
