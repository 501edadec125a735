/* Secrets are taken out of texts. */
#include "base_test.h"

#include <string.h>

#include "core/base/hide.h"

static void check_hidden(const char *text, const char *secret, const char *want)
{
    char copy[256];
    size_t len = strlen(text);

    memcpy(copy, text, len + 1);
    len = es_hide(copy, len, secret, strlen(secret));
    copy[len] = '\0';
    assert_string_equal(copy, want);
}

static void test_each_occurrence_goes(void **state)
{
    (void)state;
    check_hidden("a hunter2, and hunter2hunter2", "hunter2", "a ***, and ******");
    check_hidden("hunter2", "hunter2", "***");
    check_hidden("nothing", "hunter2", "nothing");
    check_hidden("", "hunter2", "");
    check_hidden("123456", "123456", "***");
}

static void test_lines_of_a_secret_go_by_themselves(void **state)
{
    (void)state;
    check_hidden("bad key: MIIEvQIBADAN", "-----BEGIN-----\nMIIEvQIBADAN\n-----END-----\n", "bad key: ***");
    check_hidden("x first line\nsecond line x", "first line\nsecond line", "x *** x");
}

/* A word may stand anywhere. */
static void test_short_ones_stay(void **state)
{
    (void)state;
    check_hidden("the admin said true", "admin", "the admin said true");
    check_hidden("text", "", "text");
    assert_int_equal(es_hide((char[]){"text"}, 4, NULL, 0), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_occurrence_goes),
        cmocka_unit_test(test_lines_of_a_secret_go_by_themselves),
        cmocka_unit_test(test_short_ones_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
