/* The reader of shared objects: what it says of good ones, and that no damaged one
 * leads it out of the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/check/elf.h"

static unsigned char *load(const char *file, size_t *ret_len)
{
    FILE *f = fopen(file, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long len = ftell(f);
    rewind(f);
    unsigned char *data = malloc((size_t)len);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)len, f), len);
    fclose(f);
    *ret_len = (size_t)len;
    return data;
}

static void test_what_it_says(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_elf elf;
    size_t len;
    (void)state;

    unsigned char *data = load(HELLO, &len);
    assert_int_equal(es_elf_read(&elf, data, len, &err), 0);
    assert_int_equal(elf.export_count, 1);
    assert_string_equal(elf.exports[0], "esp_plugin_entry_v1");
    assert_true(elf.needed_count >= 1);
    assert_true(elf.binds_now);
    assert_false(elf.executable_stack);
    assert_false(elf.text_relocations);
    free(data);
    data = load(STACK, &len);
    assert_int_equal(es_elf_read(&elf, data, len, &err), 0);
    assert_true(elf.executable_stack);
    assert_false(elf.binds_now);
    free(data);
}

static void test_other_files(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_elf elf;
    (void)state;

    assert_int_equal(es_elf_read(&elf, "", 0, &err), ES_E_CONFIG);
    assert_string_equal(err.text, "is no ELF file");
    unsigned char small[64] = "\177ELF\1\1\1";
    assert_int_equal(es_elf_read(&elf, small, sizeof small, &err), ES_E_CONFIG);
    assert_string_equal(err.text, "is an ELF file for another kind of machine");
}

/* An own copy of exactly this length, so that a sanitizer sees a step too far. */
static void read_copy(const unsigned char *data, size_t len)
{
    unsigned char *copy = malloc(len ? len : 1);
    struct es_elf elf;

    assert_non_null(copy);
    memcpy(copy, data, len);
    if (es_elf_read(&elf, copy, len, NULL) == 0)
        for (size_t i = 0; i < elf.export_count && i < ES_ELF_MAX_NAMES; i++)
            assert_true(strlen(elf.exports[i]) < len);
    free(copy);
}

static void test_damaged_files(void **state)
{
    uint64_t dice = 1;
    size_t len;
    (void)state;

    unsigned char *data = load(BAD_PLUGINS "/plain.so", &len);
    for (size_t cut = 0; cut < len; cut += cut < 512 ? 1 : 97)
        read_copy(data, cut);
    for (int i = 0; i < 3000; i++) {
        size_t at[4];
        unsigned char old[4];
        for (int n = 0; n < 4; n++) {
            dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            /* Mostly in the header and in the table of sections, at the end. */
            uint64_t where = dice >> 20;
            at[n] = dice >> 62 == 0 ? where % len : dice >> 62 == 1 ? where % 64 : len - 1 - where % 2000;
            old[n] = data[at[n]];
            data[at[n]] = (unsigned char)(dice >> 8);
        }
        read_copy(data, len);
        for (int n = 3; n >= 0; n--)
            data[at[n]] = old[n];
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_says),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_damaged_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
