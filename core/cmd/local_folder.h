/* core/cmd/local_folder.h: manifests of a folder, checked and applied. */
#ifndef ES_CMD_LOCAL_FOLDER_H
#define ES_CMD_LOCAL_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/cluster/local_house.h"
#include "core/plugin/crd.h"

struct es_folder;

/* `dir` may also be a single file. ES_E_CONFIG when there is no such thing. */
int es_folder_new(struct es_folder **ret, const char *dir, struct es_error *err);
void es_folder_free(struct es_folder *f);

/* Reads every .yaml, .yml and .json file below the folder and applies the objects
 * that are fine; an object that was there the last time and is not any more is
 * deleted. What is wrong is handed to `complain`, a sentence each with
 * file:line, and the rest goes on. Returns how many complaints there were, or an
 * es_code. */
int es_folder_apply(struct es_folder *f, struct es_local *local, const struct es_crds *crds,
                    void (*complain)(void *ctx, const char *text), void *ctx, struct es_error *err);

/* Changes with names, sizes and times of the files. */
uint64_t es_folder_fingerprint(struct es_folder *f);

#endif
