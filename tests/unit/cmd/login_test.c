/* A kubeconfig that is named and not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/cmd/login.h"

static void test_a_file_that_is_not_there_is_a_wrong_setting(void **state)
{
    const struct es_config config = {.kubeconfig = "/nonexistent/kubeconfig"};
    struct es_kube_config *login = NULL;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_int_equal(es_load_login(&login, &config, &err), ES_E_CONFIG);
    assert_int_equal(err.code, ES_E_CONFIG);
    assert_non_null(strstr(err.text, "/nonexistent/kubeconfig"));
    /* preflight --rights does without a login, and without the reason. */
    assert_int_equal(es_load_login(&login, &config, NULL), ES_E_CONFIG);
    assert_null(login);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_file_that_is_not_there_is_a_wrong_setting)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
