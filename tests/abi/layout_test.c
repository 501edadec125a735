/* The layout of the ABI is what was released. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/plugin.h>

struct field {
    const char *type, *name;
    size_t whole; /* size of the struct */
    size_t frozen_at, frozen_size;
    size_t at, size;
};

static const struct field fields[] = {
#define FIELD(type, name, at, size)                                                                          \
    {#type,                                                                                                  \
     #name,                                                                                                  \
     sizeof(struct type),                                                                                    \
     at,                                                                                                     \
     size,                                                                                                   \
     offsetof(struct type, name),                                                                            \
     sizeof(((struct type *)0)->name)},
#define VALUE(name, value)
#include "layout.inc"
#undef FIELD
#undef VALUE
};

static const struct {
    const char *name;
    long long frozen, now;
} values[] = {
#define FIELD(type, name, at, size)
#define VALUE(name, value) {#name, value, (long long)(name)},
#include "layout.inc"
#undef FIELD
#undef VALUE
};

static void test_fields_stay_where_they_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const struct field *f = &fields[i];
        if (f->at != f->frozen_at || f->size != f->frozen_size)
            fail_msg("%s.%s is at %zu with %zu bytes, was released at %zu with %zu", f->type, f->name, f->at,
                     f->size, f->frozen_at, f->frozen_size);
    }
}

/* So that a field that is not on the list, or padding, shows. */
static void test_fields_fill_their_structs(void **state)
{
    (void)state;
    size_t count = sizeof fields / sizeof *fields;
    for (size_t i = 0; i < count; i++) {
        const struct field *f = &fields[i];
        bool last = i + 1 == count || strcmp(f->type, f[1].type) != 0;
        size_t next = last ? f->whole : f[1].at;
        if (f->at + f->size != next)
            fail_msg("there is something behind %s.%s that the list does not name", f->type, f->name);
    }
}

static void test_values_keep_their_meaning(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (values[i].now != values[i].frozen)
            fail_msg("%s is %lld, was released as %lld", values[i].name, values[i].now, values[i].frozen);
}

/* A struct from before a field was appended. */
static void test_has_asks_the_size(void **state)
{
    (void)state;
    struct esp_host host = {.size = offsetof(struct esp_host, render)};
    assert_true(ESP_HAS(struct esp_host, &host, ambient));
    assert_false(ESP_HAS(struct esp_host, &host, render));
    host.size += 1;
    assert_false(ESP_HAS(struct esp_host, &host, render));
    host.size = sizeof host;
    assert_true(ESP_HAS(struct esp_host, &host, render));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_stay_where_they_are),
        cmocka_unit_test(test_fields_fill_their_structs),
        cmocka_unit_test(test_values_keep_their_meaning),
        cmocka_unit_test(test_has_asks_the_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
