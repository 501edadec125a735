#include "core/ops/paths.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
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

char *es_path_beside_program(const char *relative)
{
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);

    if (n <= 0)
        return NULL;
    program[n] = '\0';
    char *dir = es_path_dir(program);
    char *joined = dir ? es_strf("%s/%s", dir, relative) : NULL;
    char *real = joined ? realpath(joined, NULL) : NULL;
    char *copy = real ? es_mem_strdup(real) : NULL;
    es_mem_free(dir);
    es_mem_free(joined);
    free(real);
    return copy;
}
