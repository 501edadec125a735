#include "tests/unit/base/base_test.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/log.h"

/* Lines go to a temporary file and are read back. */
static FILE *file;

static void log_to_file(enum es_log_level level, enum es_log_format format, enum es_log_time time)
{
    file = tmpfile();
    assert_non_null(file);
    es_log_init(&(struct es_log_opts){.level = level, .format = format, .time = time, .fd = fileno(file)});
}

static char *logged(void)
{
    long len = (fseek(file, 0, SEEK_END), ftell(file));
    char *text = calloc(1, (size_t)len + 1);
    rewind(file);
    assert_int_equal(fread(text, 1, (size_t)len, file), len);
    fclose(file);
    return text;
}

static void test_json_lines(void **state)
{
    (void)state;

    log_to_file(ES_INFO, ES_LOG_JSON, ES_TIME_RFC3339);
    es_log(ES_INFO, "part", "it \"happened\"\n", ES_F_STR("s", "a\tb\xFF"), ES_F_STR("none", NULL),
           ES_F_INT("n", -5), ES_F_BOOL("yes", true), ES_F_BOOL("no", 0));
    es_log(ES_DEBUG, "part", "below the level", ES_F_INT("n", 1));
    es_log_plain(ES_DEBUG, "part", "below the level");
    es_log_plain(ES_ERROR, NULL, "plain");
    char *text = logged();
    json_t *line = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(line);
    const char *level, *ts, *logger, *msg, *s, *none;
    json_int_t n;
    int yes, no;
    assert_int_equal(json_unpack(line, "{s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:b,s:b!}", "level", &level, "ts", &ts,
                                 "logger", &logger, "msg", &msg, "s", &s, "none", &none, "n", &n, "yes", &yes,
                                 "no", &no),
                     0);
    assert_string_equal(level, "info");
    assert_int_equal(strlen(ts), 20);
    assert_string_equal(logger, "part");
    assert_string_equal(msg, "it \"happened\"\n");
    assert_string_equal(s, "a\tb\xEF\xBF\xBD");
    assert_string_equal(none, "");
    assert_true(n == -5 && yes && !no);
    json_decref(line);
    const char *second = strchr(text, '\n') + 1;
    assert_non_null(strstr(second, "\"level\":\"error\""));
    assert_non_null(strstr(second, "\"msg\":\"plain\"}\n"));
    assert_null(strstr(second, "logger"));
    assert_string_equal(strchr(second, '\n'), "\n");
    free(text);
}

static void test_console_lines(void **state)
{
    (void)state;

    log_to_file(ES_DEBUG, ES_LOG_CONSOLE, ES_TIME_RFC3339);
    es_log(ES_WARN, "part", "look", ES_F_STR("name", "a b"), ES_F_INT("n", 7));
    char *text = logged();
    assert_string_equal(text + 20, " warn  part: look name=\"a b\" n=7\n");
    free(text);
}

static void test_times(void **state)
{
    static const char *const words[] = {"epoch", "millis", "nano", "iso8601", "rfc3339", "rfc3339nano"};
    static const size_t text_lengths[] = {0, 0, 0, 24, 20, 30};
    (void)state;

    for (int i = 0; i < (int)COUNT_OF(words); i++) {
        assert_int_equal(es_log_time_parse(words[i]), i);
        log_to_file(ES_DEBUG, ES_LOG_JSON, (enum es_log_time)i);
        es_log_plain(ES_INFO, "", "x");
        char *text = logged();
        json_t *line = json_loads(text, 0, NULL);
        assert_non_null(line);
        const json_t *ts = json_object_get(line, "ts");
        assert_int_equal(text_lengths[i] ? json_string_length(ts) : 0, text_lengths[i]);
        assert_int_equal(json_is_number(ts), text_lengths[i] == 0);
        json_decref(line);
        free(text);
    }
    assert_int_equal(es_log_time_parse("tomorrow"), -1);
}

static void test_levels(void **state)
{
    (void)state;

    assert_int_equal(es_log_level_parse("debug"), ES_DEBUG);
    assert_int_equal(es_log_level_parse("INFO"), ES_INFO);
    assert_int_equal(es_log_level_parse("warn"), ES_WARN);
    assert_int_equal(es_log_level_parse("error"), ES_ERROR);
    assert_int_equal(es_log_level_parse("dpanic"), ES_ERROR);
    assert_int_equal(es_log_level_parse("fatal"), ES_ERROR);
    assert_int_equal(es_log_level_parse("loud"), -1);
    assert_int_equal(es_log_level_parse(""), -1);
}

static void test_too_long_lines_say_so(void **state)
{
    char *text = malloc(100001);
    (void)state;

    memset(text, 'x', 100000);
    text[100000] = '\0';
    log_to_file(ES_INFO, ES_LOG_JSON, ES_TIME_EPOCH);
    es_log_plain(ES_INFO, "part", text);
    free(text);
    text = logged();
    assert_string_equal(text, "{\"level\":\"error\",\"msg\":\"a log line was too long\"}\n");
    free(text);
}

enum { THREADS = 8, LINES = 500 };

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++)
        es_log(ES_INFO, "thread", "line", ES_F_INT("thread", *(int *)arg), ES_F_INT("i", i));
    return NULL;
}

static void test_threads_do_not_mix_lines(void **state)
{
    pthread_t threads[THREADS];
    int names[THREADS], next[THREADS] = {0};
    (void)state;

    log_to_file(ES_INFO, ES_LOG_JSON, ES_TIME_NANO);
    for (int i = 0; i < THREADS; i++) {
        names[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &names[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    char *text = logged();
    int lines = 0;
    for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1, lines++) {
        json_t *line = json_loadb(p, (size_t)(end - p), 0, NULL);
        assert_non_null(line);
        int thread, i;
        assert_int_equal(json_unpack(line, "{s:i,s:i}", "thread", &thread, "i", &i), 0);
        assert_int_equal(i, next[thread]++);
        json_decref(line);
    }
    assert_int_equal(lines, THREADS * LINES);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_lines),
        cmocka_unit_test(test_console_lines),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_too_long_lines_say_so),
        cmocka_unit_test(test_threads_do_not_mix_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
