// guarded_test.cpp: nothing but a status gets out of esp::guarded, and no value with it.
#include "plugin.hpp"

#include <cstdio>
#include <stdexcept>
#include <string>

struct esp_call {
    std::string why;
};

namespace
{

esp_status record(esp_call *call, esp_status status, uint64_t, esp_bytes why)
{
    call->why.assign(reinterpret_cast<const char *>(why.ptr), why.len);
    return status;
}

int failures;

template <typename Body> void expect(const char *what, esp_status want, const char *why, Body body)
{
    esp_host host{};
    host.size = sizeof host;
    host.fail = record;
    esp_call call;
    esp_status status = esp::guarded(host, &call, body);
    if (status != want || call.why != why) {
        std::printf("%s: status %d, \"%s\"; wanted %d, \"%s\"\n", what, status, call.why.c_str(), want, why);
        failures++;
    }
}

} // namespace

int main()
{
    constexpr const char *no_memory = "out of memory, or a text above 1 MiB";
    constexpr const char *defect = "a defect of the plugin: an unexpected exception";

    expect("success", ESP_OK, "", [] {});
    expect("failure", ESP_E_CONFIG, "no", [] { throw esp::Failure(ESP_E_CONFIG, "no"); });
    expect("recorded", ESP_E_RETRY, "", [] { esp::check(ESP_E_RETRY); });
    expect("answered", ESP_OK, "", [] { esp::check(ESP_OK); });
    expect("memory", ESP_E_INTERNAL, no_memory, [] { throw std::bad_alloc(); });
    expect("library", ESP_E_INTERNAL, defect, [] { throw std::runtime_error("a value"); });
    expect("anything", ESP_E_INTERNAL, defect, [] { throw "a value"; });
    expect("ceiling", ESP_E_INTERNAL, no_memory, [] {
        esp::Text text;
        for (std::size_t i = 0; i <= esp::text_max; i++)
            text.add(esp_str("x"));
    });
    return failures ? 1 : 0;
}
