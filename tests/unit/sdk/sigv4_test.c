/* Signatures against what AWS published, and against what botocore makes of the same requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/sigv4.h>

#define MAX_HEADERS 4

struct vector {
    const char *name, *method, *url, *body;
    const char *headers[MAX_HEADERS][2];
    const char *region, *service;
    int64_t now_unix_ms;
    const char *token;
    const char *signed_headers, *signature;
};

/* aws-sig-v4-test-suite, of which each case is a request and the header that signs it: AKIDEXAMPLE,
 * us-east-1, the service "service", 2015-08-30T12:36:00Z. */
#define PUBLISHED 1440938160000
#define HOST "https://example.amazonaws.com"
#define SUITE(title, verb, target, content, names, hex, ...)                                                 \
    {                                                                                                        \
        .name = title, .method = verb, .url = HOST target, .body = content, .headers = {__VA_ARGS__},        \
        .region = "us-east-1", .service = "service", .now_unix_ms = PUBLISHED, .signed_headers = names,      \
        .signature = hex                                                                                     \
    }

static const struct vector published[] = {
    SUITE("get-vanilla", "GET", "/", "", "host;x-amz-date",
          "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", {NULL, NULL}),
    SUITE("get-unreserved", "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "",
          "host;x-amz-date", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
          {NULL, NULL}),
    SUITE("get-slashes", "GET", "//example//", "", "host;x-amz-date",
          "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84", {NULL, NULL}),
    SUITE("get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", "", "host;x-amz-date",
          "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", {NULL, NULL}),
    SUITE("get-vanilla-query-order-value", "GET", "/?Param1=value2&Param1=value1", "", "host;x-amz-date",
          "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694", {NULL, NULL}),
    SUITE("get-vanilla-utf8-query", "GET", "/?\xe1\x88\xb4=bar", "", "host;x-amz-date",
          "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04", {NULL, NULL}),
    SUITE("get-header-value-order", "GET", "/", "", "host;my-header1;x-amz-date",
          "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01", {"My-Header1", "value4"},
          {"My-Header1", "value1"}, {"My-Header1", "value3"}, {"My-Header1", "value2"}),
    SUITE("get-header-key-duplicate", "GET", "/", "", "host;my-header1;x-amz-date",
          "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea", {"My-Header1", "value2"},
          {"My-Header1", "value2"}, {"My-Header1", "value1"}),
    SUITE("get-header-value-trim", "GET", "/", "", "host;my-header1;my-header2;x-amz-date",
          "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736", {"My-Header1", " value1"},
          {"My-Header2", "\"a   b   c\""}),
    SUITE("post-x-www-form-urlencoded", "POST", "/", "Param1=value1", "content-type;host;x-amz-date",
          "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
          {"Content-Type", "application/x-www-form-urlencoded"}),
    {.name = "get-vanilla-with-session-token",
     .method = "GET",
     .url = HOST "/",
     .body = "",
     .region = "us-east-1",
     .service = "service",
     .now_unix_ms = PUBLISHED,
     .token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
     .signed_headers = "host;x-amz-date;x-amz-security-token",
     .signature = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
};

static const struct vector botocore[] = {
#include "sigv4_vectors.inc"
};

static size_t headers_of(const struct vector *v, esp_pair *headers)
{
    size_t count = 0;
    for (; count < MAX_HEADERS && v->headers[count][0]; count++)
        headers[count] = (esp_pair){esp_str(v->headers[count][0]), esp_str(v->headers[count][1])};
    return count;
}

static struct esp_sigv4_request request_of(const struct vector *v, esp_pair *headers)
{
    return (struct esp_sigv4_request){.method = esp_str(v->method),
                                      .url = esp_str(v->url),
                                      .body = esp_str(v->body),
                                      .headers = headers,
                                      .header_count = headers_of(v, headers),
                                      .region = esp_str(v->region),
                                      .service = esp_str(v->service),
                                      .now_unix_ms = v->now_unix_ms};
}

static struct esp_sigv4_keys keys_of(const struct vector *v)
{
    return (struct esp_sigv4_keys){esp_str("AKIDEXAMPLE"),
                                   esp_str("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), esp_str(v->token)};
}

static void expect(const struct vector *v)
{
    esp_pair headers[MAX_HEADERS];
    struct esp_sigv4_signed made = {0};
    struct esp_text want;
    const struct esp_sigv4_request request = request_of(v, headers);
    const struct esp_sigv4_keys keys = keys_of(v);
    print_message("%s\n", v->name);
    assert_true(esp_sigv4_sign(&request, &keys, &made));
    esp_text_init(&want, 1000);
    esp_text_addf(
        &want,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/%.8s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s",
        made.date, v->region, v->service, v->signed_headers, v->signature);
    assert_string_equal(esp_text_str(&made.authorization), esp_text_str(&want));
    esp_text_free(&want);
    esp_sigv4_free(&made);
}

static void test_signs_as_aws_published(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof published / sizeof *published; i++)
        expect(&published[i]);
}

static void test_signs_as_botocore_does(void **state)
{
    (void)state;
    assert_true(sizeof botocore / sizeof *botocore >= 10);
    for (size_t i = 0; i < sizeof botocore / sizeof *botocore; i++)
        expect(&botocore[i]);
}

static void canonical_path(const char *path, const char *want)
{
    struct esp_text text;
    char url[200], line[200];
    snprintf(url, sizeof url, "https://example.amazonaws.com%s", path);
    snprintf(line, sizeof line, "GET\n%s\n\n", want);
    const struct esp_sigv4_request request = {.method = esp_str("GET"), .url = esp_str(url)};
    const struct esp_sigv4_keys keys = {.id = esp_str("AKIDEXAMPLE")};
    esp_text_init(&text, 10000);
    esp_sigv4_canonical(&request, &keys, "20150830T123600Z", &text);
    assert_false(esp_text_failed(&text));
    assert_memory_equal(esp_text_str(&text), line, strlen(line));
    esp_text_free(&text);
}

/* The published canonical requests of the cases whose request lines no client sends as they stand. */
static void test_normalizes_paths_as_aws_published(void **state)
{
    (void)state;
    canonical_path("", "/");
    canonical_path("/", "/");
    canonical_path("//", "/");
    canonical_path("/./", "/");
    canonical_path("/./example", "/example");
    canonical_path("/example/..", "/");
    canonical_path("/example1/example2/../..", "/");
    canonical_path("/../..", "/");
    canonical_path("//example//", "/example/");
    canonical_path("/example space/", "/example%20space/");
    canonical_path("/\xe1\x88\xb4", "/%E1%88%B4");
    canonical_path("/a%2Fb", "/a%252Fb");
}

static void test_leaves_the_usual_port_out_of_host(void **state)
{
    (void)state;
    static const char *const urls[][2] = {{"https://a.example:443/", "\nhost:a.example\n"},
                                          {"https://a.example:4430/", "\nhost:a.example:4430\n"},
                                          {"http://a.example:80", "\nhost:a.example\n"},
                                          {"http://a.example:443?x=1", "\nhost:a.example:443\n"}};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct esp_text text;
        const struct esp_sigv4_request request = {.method = esp_str("GET"), .url = esp_str(urls[i][0])};
        const struct esp_sigv4_keys keys = {.id = esp_str("AKIDEXAMPLE")};
        esp_text_init(&text, 10000);
        esp_sigv4_canonical(&request, &keys, "20150830T123600Z", &text);
        assert_non_null(strstr(esp_text_str(&text), urls[i][1]));
        esp_text_free(&text);
    }
}

static void test_refuses_what_it_cannot_sign(void **state)
{
    (void)state;
    struct esp_sigv4_signed made = {0};
    const struct esp_sigv4_keys keys = {.id = esp_str("AKIDEXAMPLE"), .secret = esp_str("s")};
    struct esp_sigv4_request request = {.method = esp_str("GET"), .url = esp_str("ftp://example.com/")};
    assert_false(esp_sigv4_sign(&request, &keys, &made));
    request.url = esp_str("https:///path");
    assert_false(esp_sigv4_sign(&request, &keys, &made));
    esp_pair headers[ESP_SIGV4_MAX_HEADERS + 1];
    for (size_t i = 0; i <= ESP_SIGV4_MAX_HEADERS; i++)
        headers[i] = (esp_pair){esp_str("x"), esp_str("y")};
    request.url = esp_str("https://example.com/");
    request.headers = headers;
    request.header_count = ESP_SIGV4_MAX_HEADERS + 1;
    assert_false(esp_sigv4_sign(&request, &keys, &made));
    request.header_count--;
    assert_true(esp_sigv4_sign(&request, &keys, &made));
    esp_sigv4_free(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signs_as_aws_published),
        cmocka_unit_test(test_signs_as_botocore_does),
        cmocka_unit_test(test_normalizes_paths_as_aws_published),
        cmocka_unit_test(test_leaves_the_usual_port_out_of_host),
        cmocka_unit_test(test_refuses_what_it_cannot_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
