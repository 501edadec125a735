/* core/check/elf.h: what a shared object exports and how it was linked.
 *
 * Reads the bytes of a file that nobody has vouched for: each offset is checked
 * against the length, and nothing is followed that points outside. 64-bit files in
 * this machine's byte order. Source: the System V ABI, chapters 4 and 5 (gabi 4.1),
 * and elf(5). */
#ifndef ES_CHECK_ELF_H
#define ES_CHECK_ELF_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"

#define ES_ELF_MAX_NAMES 64

/* Names point into the bytes that were read. */
struct es_elf {
    const char *exports[ES_ELF_MAX_NAMES];
    size_t export_count; /* may be above ES_ELF_MAX_NAMES: the rest is not named */
    const char *needed[ES_ELF_MAX_NAMES];
    size_t needed_count; /* the same */
    bool binds_now;
    bool executable_stack; /* asked for, or not declined */
    bool text_relocations;
};

/* 0, or ES_E_CONFIG and what is wrong as the end of a sentence about the file. */
int es_elf_read(struct es_elf *ret, const void *data, size_t len, struct es_error *err);

#endif
