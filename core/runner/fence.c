#include "core/runner/fence.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/sanitized.h"

/* ---- limits ---- */

static bool limit(int resource, rlim_t value)
{
    const struct rlimit both = {value, value};
    return setrlimit((__rlimit_resource_t)resource, &both) == 0;
}

/* Under pressure the kernel should take a plugin, not the daemon. */
static void volunteer_for_oom(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    ssize_t ignored = write(fd, "500", 3);
    (void)ignored;
    close(fd);
}

static uint32_t set_limits(uint64_t memory)
{
    bool ok = limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, 1024) &&
              limit(RLIMIT_MEMLOCK, 0) && limit(RLIMIT_MSGQUEUE, 0);

    /* What is written to, rather than addresses: an allocator may reserve more
     * than it uses. */
    if (memory && !limit(RLIMIT_DATA, memory))
        ok = false;
    volunteer_for_oom();
    return ok ? ES_FENCE_LIMITS : 0;
}

/* ---- namespaces and capabilities ---- */

static uint32_t leave_namespaces(void)
{
    const int rest = CLONE_NEWIPC | CLONE_NEWUTS;

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET | rest) == 0)
        return ES_FENCE_USER_NS | ES_FENCE_NET_NS;
    /* Where user namespaces are switched off, root may still do this much. */
    if (unshare(CLONE_NEWNET | rest) == 0)
        return ES_FENCE_NET_NS;
    return 0;
}

static void drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    syscall(SYS_capset, &head, none);
}

/* ---- Landlock: see the kernel's Documentation/userspace-api/landlock.rst ---- */

/* The kernel's structs, whose later members older headers lack. */
struct ruleset_attr {
    uint64_t handled_fs, handled_net, scoped;
};
struct path_attr {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define RULE_PATH 1
#define FS_EXECUTE (UINT64_C(1) << 0)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define NET_ALL UINT64_C(3)   /* bind, connect; version 4 */
#define SCOPE_ALL UINT64_C(3) /* abstract sockets, signals; version 6 */

/* All rights on files that a version knows: refused unless a rule grants them. */
static uint64_t fs_rights(int version)
{
    static const int bits[] = {0, 13, 14, 15, 15, 16};
    return (UINT64_C(1) << bits[version < 5 ? version : 5]) - 1;
}

static int new_ruleset(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);

    if (version < 1)
        return -1;
    const struct ruleset_attr attr = {.handled_fs = fs_rights((int)version),
                                      .handled_net = version >= 4 ? NET_ALL : 0,
                                      .scoped = version >= 6 ? SCOPE_ALL : 0};
    size_t size = version >= 6   ? sizeof attr
                  : version >= 4 ? offsetof(struct ruleset_attr, scoped)
                                 : offsetof(struct ruleset_attr, handled_net);
    return (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
}

static void allow_reading(int ruleset, const char *path)
{
    struct path_attr rule = {.allowed = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR};

    rule.fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.fd < 0)
        return; /* not every system has every folder */
    syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &rule, 0);
    close(rule.fd);
}

/* Where the loader may find what a plugin links. */
static void allow_libraries(int ruleset, const char *plugin_file)
{
    static const char *const places[] = {"/lib",           "/lib64",     "/usr/lib",   "/usr/lib64",
                                         "/usr/local/lib", "/nix/store", "/gnu/store", "/etc/ld.so.cache"};
    char *copy = strdup(plugin_file);
    const char *more = getenv("LD_LIBRARY_PATH");
    char *list = more ? strdup(more) : NULL, *state = NULL;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        allow_reading(ruleset, places[i]);
    if (copy)
        allow_reading(ruleset, dirname(copy));
    for (char *dir = list ? strtok_r(list, ":", &state) : NULL; dir; dir = strtok_r(NULL, ":", &state))
        allow_reading(ruleset, dir);
    free(copy);
    free(list);
}

static uint32_t enforce(int ruleset)
{
    long rc = syscall(SYS_landlock_restrict_self, ruleset, 0);
    close(ruleset);
    return rc == 0 ? ES_FENCE_LANDLOCK : 0;
}

/* ---- system calls ---- */

/* What a plugin's constructors must not do. They run among the loader's own
 * calls, so this is a list of what is refused. */
static const char *const refused_while_loading[] = {
    "socket",
    "socketpair",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "execve",
    "execveat",
    "fork",
    "vfork",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_open",
    "pidfd_getfd",
    "kill",
    "tkill",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "setns",
    "unshare",
    "bpf",
    "perf_event_open",
    "keyctl",
    "add_key",
    "request_key",
    "io_uring_setup",
    "userfaultfd",
    "inotify_init",
    "inotify_init1",
    "fanotify_init",
    "memfd_create",
    "open_by_handle_at",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "symlink",
    "symlinkat",
    "link",
    "linkat",
    "truncate",
    "chmod",
    "fchmodat",
    "chown",
    "lchown",
    "fchownat",
};

/* All that is left once the plugin is loaded. No path, no socket, no process. */
static const char *const allowed_after_loading[] = {
    /* its lanes, and the pipes that it was born with */
    "read", "readv", "write", "writev", "recvfrom", "recvmsg", "sendto", "sendmsg", "poll", "ppoll", "close",
    "fstat", "select", "pselect6",
    /* memory; see also the rules on mmap and mprotect */
    "brk", "munmap", "mremap", "madvise",
    /* threads */
    "futex", "set_robust_list", "get_robust_list", "rseq", "sched_yield", "sched_getaffinity", "membarrier",
    "gettid", "set_tid_address", "exit", "exit_group", "restart_syscall", "getcpu",
    /* signals to itself */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "sigreturn", "rt_sigtimedwait", "pause",
    /* time, chance, and what it is */
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_nanosleep", "clock_nanosleep_time64",
    "nanosleep", "gettimeofday", "time", "getrandom", "getpid", "getppid", "getuid", "geteuid", "getgid",
    "getegid", "getrusage", "times", "uname", "sysinfo"};

static bool add(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned count,
                const struct scmp_arg_cmp *args)
{
    int number = seccomp_syscall_resolve_name(name);

    /* Not every architecture has every call. */
    if (number == __NR_SCMP_ERROR)
        return true;
    int rc = seccomp_rule_add_array(filter, action, number, count, args);
    return rc == 0 || rc == -EDOM;
}

/* Threads yes, processes no. What clone3 is asked for lies in memory, where no
 * filter sees it: the C library then falls back to clone. */
static bool add_clone(scmp_filter_ctx filter, uint32_t action, unsigned thread_flag)
{
    const struct scmp_arg_cmp thread =
        SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, thread_flag ? CLONE_THREAD : 0);

    return add(filter, action, "clone", 1, &thread) && add(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
}

static uint32_t load_filter(scmp_filter_ctx filter, bool complete)
{
    bool loaded = complete && seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
                  seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 && seccomp_load(filter) == 0;

    seccomp_release(filter);
    return loaded ? ES_FENCE_SECCOMP : 0;
}

static uint32_t refuse_calls(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    bool ok = filter != NULL;

    if (!ok)
        return 0;
    for (size_t i = 0; ok && i < sizeof refused_while_loading / sizeof *refused_while_loading; i++)
        ok = add(filter, SCMP_ACT_ERRNO(EPERM), refused_while_loading[i], 0, NULL);
    ok = ok && add_clone(filter, SCMP_ACT_ERRNO(EPERM), 0);
    return load_filter(filter, ok);
}

static bool add_conditions(scmp_filter_ctx filter)
{
    static const char *const opening[] = {"open", "openat", "openat2", "creat"};
    const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    const struct scmp_arg_cmp own = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid());
    const struct scmp_arg_cmp only_ask = SCMP_A2(SCMP_CMP_EQ, 0);
    const struct scmp_arg_cmp get_flags = SCMP_A1(SCMP_CMP_EQ, F_GETFL);
    const struct scmp_arg_cmp set_name = SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME);
    bool ok = add_clone(filter, SCMP_ACT_ALLOW, 1);

    /* A library that looks for an optional file should hear what people would. */
    for (size_t i = 0; ok && i < sizeof opening / sizeof *opening; i++)
        ok = add(filter, SCMP_ACT_ERRNO(EACCES), opening[i], 0, NULL);
    return ok && add(filter, SCMP_ACT_ALLOW, "mmap", 1, &no_code) &&
           add(filter, SCMP_ACT_ALLOW, "mmap2", 1, &no_code) &&
           add(filter, SCMP_ACT_ALLOW, "mprotect", 1, &no_code) &&
           add(filter, SCMP_ACT_ALLOW, "tgkill", 1, &own) && add(filter, SCMP_ACT_ALLOW, "kill", 1, &own) &&
           add(filter, SCMP_ACT_ALLOW, "prlimit64", 1, &only_ask) &&
           add(filter, SCMP_ACT_ALLOW, "fcntl", 1, &get_flags) &&
           add(filter, SCMP_ACT_ALLOW, "prctl", 1, &set_name);
}

static uint32_t allow_calls(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    bool ok = filter != NULL;

    if (!ok)
        return 0;
    for (size_t i = 0; ok && i < sizeof allowed_after_loading / sizeof *allowed_after_loading; i++)
        ok = add(filter, SCMP_ACT_ALLOW, allowed_after_loading[i], 0, NULL);
    ok = ok && add_conditions(filter);
    return load_filter(filter, ok);
}

/* ---- both steps ---- */

uint32_t es_fence_before_loading(const struct es_fence_opts *opts)
{
    uint32_t fences = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? ES_FENCE_NO_NEW_PRIVS : 0;

    if (ES_SANITIZED)
        return fences;
    fences |= set_limits(opts->memory);
    fences |= leave_namespaces();
    int ruleset = new_ruleset();
    if (ruleset >= 0) {
        allow_libraries(ruleset, opts->plugin_file);
        enforce(ruleset); /* counts when the second step has succeeded too */
    }
    drop_capabilities();
    refuse_calls();
    return fences;
}

uint32_t es_fence_after_loading(void)
{
    if (ES_SANITIZED)
        return 0;
    int ruleset = new_ruleset();
    uint32_t fences = ruleset >= 0 ? enforce(ruleset) : 0;
    return fences | allow_calls();
}
