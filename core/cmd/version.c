#include "core/cmd/version.h"

#include <curl/curl.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "core/cmd/cmd.h"
#include "esp/plugin.h"

static int cmd_version(int argc, char **argv)
{
    if (es_wants_help(argc, argv))
        return es_print_help(&es_command_version);
    if (argc > 1) {
        fprintf(stderr, "esod: version: unknown argument \"%s\"; see esod version --help\n", argv[1]);
        return ES_EXIT_USAGE;
    }
    printf("esod %s\n", ESOD_VERSION);
    printf("plugin ABI %d.%d\n", ESP_ABI_MAJOR, ESP_ABI_MINOR);
    printf("libcurl %s, OpenSSL %s, jansson %s\n", curl_version_info(CURLVERSION_NOW)->version,
           OpenSSL_version(OPENSSL_VERSION_STRING), jansson_version_str());
    return es_flush_stdout();
}

/* ---- what people are told ---- */

const struct es_command es_command_version = {
    .name = "version",
    .summary = "print the version",
    .usage = "esod version",
    .about = "Prints the versions of esod, its plugin ABI and its libraries.",
    .run = cmd_version,
};
