#include "core/ops/paths.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/base/text.h"

char *es_path_dir(const char *file)
{
    const char *slash = strrchr(file, '/');

    if (!slash)
        return es_mem_strdup(".");
    if (slash == file)
        return es_mem_strdup("/");
    return es_strf("%.*s", (int)(slash - file), file);
}

/* Where /proc is not mounted, as in a bare chroot, the kernel's note of what it was asked to
 * run will do. */
static const char *program_file(char link[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", link, PATH_MAX - 1);

    if (n <= 0)
        return (const char *)getauxval(AT_EXECFN);
    link[n] = '\0';
    return link;
}

char *es_path_beside_program(const char *relative)
{
    char link[PATH_MAX];
    const char *program = program_file(link);

    if (!program)
        return NULL;
    char *dir = es_path_dir(program);
    char *joined = dir ? es_strf("%s/%s", dir, relative) : NULL;
    char *real = joined ? realpath(joined, NULL) : NULL;
    char *copy = real ? es_mem_strdup(real) : NULL;
    es_mem_free(dir);
    es_mem_free(joined);
    free(real);
    return copy;
}
