/* What the AWS plugin reads: XML of STS, errors of all services, times, profiles. */
#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answer.h"
#include "creds.h"
#include "profile.h"
#include "text.h"
#include "xml.h"

/* ---- XML ---- */

static void xml_has(const char *xml, const char *element, const char *want)
{
    struct esp_text text;
    esp_text_init(&text, 1000);
    bool found = aws_xml_text(esp_str(xml), element, &text);
    if (found != (want != NULL))
        fail_msg("%s in %s: %s", element, xml, found ? "found" : "not found");
    if (want)
        assert_string_equal(esp_text_str(&text), want);
    esp_text_free(&text);
}

static void test_xml_texts(void **state)
{
    (void)state;
    xml_has("<a><b>x</b></a>", "b", "x");
    xml_has("<?xml version=\"1.0\"?>\n<a xmlns=\"u>v\"><!-- <b>no</b> --><b t='>'>x</b></a>\n", "b", "x");
    xml_has("<a><b>1 &lt; 2 &amp;&#65;&#x42;&quot;&apos;&gt;</b></a>", "b", "1 < 2 &AB\"'>");
    xml_has("<a><b>x<![CDATA[<&>]]>y<!-- z --></b></a>", "b", "x<&>y");
    xml_has("<a><b/></a>", "b", "");
    xml_has("<a><b></b><b>second</b></a>", "b", "");
    xml_has("<a><bb>1</bb><b>2</b></a>", "b", "2");
}

static void test_xml_that_is_not_believed(void **state)
{
    (void)state;
    xml_has("", "b", NULL);
    xml_has("{\"b\":1}", "b", NULL);
    xml_has("<a><b>x</b>", "b", NULL);
    xml_has("<a><b>x", "b", NULL);
    xml_has("<a><b>x</c></a>", "b", NULL);
    xml_has("<a><b><c>x</c></b></a>", "b", NULL);
    xml_has("<a><b>&unknown;</b></a>", "b", NULL);
    xml_has("<a><b>&#x;</b></a>", "b", NULL);
    xml_has("<a><b>&#300;</b></a>", "b", NULL);
    xml_has("<a><b>&#1a;</b></a>", "b", NULL);
    xml_has("<a><b>& </b></a>", "b", NULL);
    xml_has("<!DOCTYPE a [<!ENTITY e \"x\">]><a><b>&e;</b></a>", "b", NULL);
    xml_has("<a><b>x</b></a></a>", "b", NULL);
    xml_has("<a><b>x</b></a><", "b", NULL);
    xml_has("<a><c>x</c></a>", "b", NULL);
    xml_has("<>", "b", NULL);
}

/* ---- errors ---- */

static void code_is(int status, const char *type, const char *body, const char *code, const char *message)
{
    struct aws_answer answer;
    const esp_pair header = {esp_str("x-amzn-errortype"), esp_str(type)};
    const struct esp_http_response response = {
        .status = status, .headers = &header, .header_count = type ? 1 : 0, .body = esp_str(body)};
    aws_answer_read(&response, &answer);
    assert_int_equal(answer.status, status);
    assert_string_equal(answer.code, code);
    assert_string_equal(answer.message, message);
}

static void test_error_codes(void **state)
{
    (void)state;
    code_is(400, NULL, "{\"__type\":\"ResourceNotFoundException\",\"Message\":\"m\"}",
            "ResourceNotFoundException", "m");
    code_is(400, NULL, "{\"__type\":\"com.amazonaws.ssm#ParameterNotFound\",\"message\":\"\"}",
            "ParameterNotFound", "");
    code_is(400, NULL, " {\"code\":\"Throttling\"}\n", "Throttling", "");
    code_is(403, "AccessDeniedException:http://internal.amazon.com/coral/",
            "{\"__type\":\"Other\",\"message\":\"m\"}", "AccessDeniedException", "m");
    code_is(403, NULL,
            "<ErrorResponse><Errors><Error><Code>InvalidClientTokenId</Code><Message>a &amp; "
            "b</Message></Error></Errors>"
            "</ErrorResponse>",
            "InvalidClientTokenId", "a & b");
    code_is(200, NULL, "{\"__type\":\"NotAnError\"}", "", "");
}

static void test_what_is_no_error_of_aws(void **state)
{
    (void)state;
    code_is(404, NULL, "<html><body>Not Found</body></html>", "", "");
    code_is(404, NULL, "not found", "", "");
    code_is(502, NULL, "", "", "");
    code_is(400, NULL, "{\"__type\":\"a secret: hunter2\"}", "", "");
    code_is(400, NULL, "{\"__type\":7}", "7", "");
    code_is(400, NULL, "{\"__type\":\"\"}", "", "");
}

static void test_a_long_message_is_cut(void **state)
{
    (void)state;
    char body[2000] = "{\"__type\":\"A\",\"message\":\"", end[] = "\"}";
    struct aws_answer answer;
    size_t len = strlen(body);
    memset(body + len, 'm', 1000);
    memcpy(body + len + 1000, end, sizeof end);
    const struct esp_http_response response = {.status = 400, .body = esp_str(body)};
    aws_answer_read(&response, &answer);
    assert_int_equal(strlen(answer.message), sizeof answer.message - 1);
}

/* ---- times ---- */

static void test_times(void **state)
{
    (void)state;
    int64_t ms = 0;
    assert_true(aws_time(esp_str("2026-03-01T04:05:06Z"), &ms));
    assert_true(ms == INT64_C(1772337906000));
    assert_true(aws_time(esp_str("2026-03-01T04:05:06.789Z"), &ms));
    assert_true(ms == INT64_C(1772337906000));
    assert_false(aws_time(esp_str("2026-03-01T04:05:06"), &ms));
    assert_false(aws_time(esp_str("2026-03-01T04:05:06+01:00"), &ms));
    assert_false(aws_time(esp_str("1772337906"), &ms));
    assert_false(aws_time(esp_str(""), &ms));
}

/* ---- profiles ---- */

static void setting_is(const struct aws_profiles *files, const char *profile, const char *setting,
                       const char *want)
{
    esp_bytes got = aws_profiles_get(files, esp_str(profile), setting);
    if (!esp_equal_str(got, want))
        fail_msg("%s of %s is \"%.*s\"", setting, profile, ESP_ARG(got));
}

static void test_profiles(void **state)
{
    (void)state;
    const struct aws_profiles files = {.credentials = esp_str("# a comment\r\n"
                                                              "[default]\r\n"
                                                              "aws_access_key_id = AKIA1\r\n"
                                                              "aws_secret_access_key=s=1/+ # mine\r\n"
                                                              "\r\n"
                                                              "[ dev ]\n"
                                                              "aws_access_key_id=AKIA2\n"),
                                       .config = esp_str("[profile dev]\n"
                                                         "region = eu-central-1\n"
                                                         "aws_access_key_id = shadowed\n"
                                                         "s3 =\n"
                                                         "  role_arn = of s3\n"
                                                         "[profile  roles ]\n"
                                                         "role_arn = arn:aws:iam::1:role/r;x\n"
                                                         "source_profile = default\n"
                                                         "[broken\n"
                                                         "region = nowhere")};
    setting_is(&files, "default", "aws_access_key_id", "AKIA1");
    setting_is(&files, "default", "aws_secret_access_key", "s=1/+");
    setting_is(&files, "default", "role_arn", "");
    setting_is(&files, "dev", "aws_access_key_id", "AKIA2");
    setting_is(&files, "dev", "region", "eu-central-1");
    setting_is(&files, "dev", "role_arn", "");
    setting_is(&files, "roles", "role_arn", "arn:aws:iam::1:role/r;x");
    setting_is(&files, "roles", "region", "");
    assert_true(aws_profiles_has(&files, esp_str("roles")));
    assert_false(aws_profiles_has(&files, esp_str("profile roles")));
    assert_false(aws_profiles_has(&files, esp_str("")));
}

/* ---- keys in one text ---- */

static void test_keys_travel_in_one_text(void **state)
{
    (void)state;
    struct aws_creds creds;
    struct esp_text packed;
    aws_creds_init(&creds);
    esp_text_init(&packed, 100);
    assert_true(aws_creds_set(&creds, esp_str(" AKIA\n"), esp_str("secret\r\n"), esp_str("")));
    aws_creds_pack(&creds, &packed);
    const struct esp_sigv4_keys keys = aws_creds_unpack(esp_text_bytes(&packed));
    assert_true(esp_equal_str(keys.id, "AKIA"));
    assert_true(esp_equal_str(keys.secret, "secret"));
    assert_true(esp_equal_str(keys.token, ""));
    assert_false(aws_creds_set(&creds, esp_str("AKIA"), esp_str(" \n"), esp_str("t")));
    assert_false(aws_creds_set(&creds, esp_str(""), esp_str("s"), esp_str("t")));
    esp_text_free(&packed);
    aws_creds_free(&creds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xml_texts),
        cmocka_unit_test(test_xml_that_is_not_believed),
        cmocka_unit_test(test_error_codes),
        cmocka_unit_test(test_what_is_no_error_of_aws),
        cmocka_unit_test(test_a_long_message_is_cut),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_keys_travel_in_one_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
