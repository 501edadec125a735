/* core/plugin/pin.h: a plugin's file as its SHA-256 pins it.
 *
 * A file that is checked under its name and then loaded under its name can be
 * another one by then, or change while it is read. So the check makes a copy
 * that nobody can change any more, and that copy is what gets loaded. */
#ifndef ES_PLUGIN_PIN_H
#define ES_PLUGIN_PIN_H

#include "core/base/codec.h"
#include "core/base/error.h"

/* A copy of `file` in memory (memfd) whose bytes have the pinned digest, sealed
 * against any change of content and size. `sha256`: 64 hexadecimal digits of
 * either case. *ret_fd is close-on-exec and the caller's. ES_E_CONFIG: it does
 * not match, cannot be read, is no regular file, or is larger than 256 MiB;
 * ES_E_INTERNAL: the system gives no such memory. Texts leave the file's name to
 * the caller. */
int es_pin_open(int *ret_fd, const char *file, const char *sha256, struct es_error *err);

/* ES_E_CONFIG, with what to do, if nothing in the file's place may be executed: its
 * file system is mounted noexec, as Kubernetes mounts images. A pinned copy may. */
int es_pin_executable(const char *file, struct es_error *err);

/* The digest of a file, in lower case. Errors as above. */
int es_pin_digest(char hex[ES_SHA256_HEX_MAX], const char *file, struct es_error *err);

/* 0 when both are the same digest, else ES_E_CONFIG with a sentence that has both. */
int es_pin_compare(const char *hex, const char *sha256, struct es_error *err);

#endif
