// hello.cpp: the template's provider in C++17. Answers every key with a greeting.
// It reads best from its end.
#include "plugin.hpp"

#include <memory>

extern "C" const char hello_cpp_schema[]; // schema.json, compiled in by a C file

namespace
{

const esp_host *host;

// An opened store. Several threads may be in get at once (ESP_CAP_CONCURRENT), which is
// why it is const.
class Hello
{
  public:
    explicit Hello(const esp_request &request)
    {
        if (!greeting_.add_from(request.json, "spec.greeting"))
            throw esp::Failure(ESP_E_CONFIG, "spec.provider.hello-cpp.greeting is required");
    }

    void get(esp_call *call, const esp_request &request) const
    {
        esp::Text answer;
        answer.add(greeting_.bytes());
        answer.add(esp_str(", "));
        if (!answer.add_from(request.json, "key"))
            throw esp::Failure(ESP_E_INTERNAL, "the request has no key");
        esp::check(host->emit(call, ESP_OUT_VALUE, esp_str(""), answer.bytes()));
    }

  private:
    esp::Text greeting_;
};

extern "C" {

static esp_status hello_open(esp_call *call, const esp_request *request, void **instance)
{
    return esp::guarded(*host, call, [&] { *instance = std::make_unique<Hello>(*request).release(); });
}

static void hello_close(void *instance, esp_call *)
{
    delete static_cast<Hello *>(instance); // destructors do not throw
}

static esp_status hello_get(void *instance, esp_call *call, const esp_request *request)
{
    return esp::guarded(*host, call, [&] { static_cast<const Hello *>(instance)->get(call, *request); });
}

} // extern "C"

// C++17 has no designated initialisers. Functions that run while compiling name the
// fields as well, and the tables stay constant data: nothing runs when the plugin is loaded.
constexpr esp_store_ops make_ops()
{
    esp_store_ops ops{};
    ops.size = sizeof ops;
    ops.open = hello_open;
    ops.close = hello_close;
    ops.get = hello_get;
    return ops;
}
constexpr esp_store_ops ops = make_ops();

constexpr esp_component make_store()
{
    esp_component store{};
    store.size = sizeof store;
    store.kind = ESP_KIND_STORE;
    store.caps = ESP_CAP_READ | ESP_CAP_CONCURRENT | ESP_CAP_WHOLE_VALUES;
    store.maintenance = ESP_MAINTAINED;
    store.name = "hello-cpp";
    store.schema = hello_cpp_schema;
    store.store = &ops;
    return store;
}
constexpr esp_component store = make_store();

constexpr const esp_component *components[] = {&store, nullptr};

constexpr esp_plugin make_plugin()
{
    esp_plugin plugin{};
    plugin.size = sizeof plugin;
    plugin.abi_major = ESP_ABI_MAJOR;
    plugin.abi_minor = ESP_ABI_MINOR;
    plugin.name = "hello-cpp";
    plugin.version = "0.1.0";
    plugin.components = components;
    return plugin;
}
constexpr esp_plugin plugin = make_plugin();

} // namespace

const esp_plugin *esp_plugin_entry_v1(const esp_host *services)
{
    host = services;
    return &plugin;
}
