/* core/ops/paths.h: where files are. */
#ifndef ES_OPS_PATHS_H
#define ES_OPS_PATHS_H

/* All results: free with es_mem_free; NULL without memory. */

/* The folder of a file: "." for a bare name. */
char *es_path_dir(const char *file);

/* A path relative to the folder of the running program, made absolute; NULL also
 * when it does not exist. */
char *es_path_beside_program(const char *relative);

#endif
