// plugin.hpp: what C++ adds to esp/plugin.h. Texts that are wiped with their scope, failures
// as exceptions, and the one place where exceptions end.
#ifndef HELLO_PLUGIN_HPP
#define HELLO_PLUGIN_HPP

#include <cstddef>
#include <new>
#include <string>
#include <utility>

#include <esp/json.h>
#include <esp/plugin.h>
#include <esp/text.h>

namespace esp
{

// More than a Kubernetes Secret can hold. Whatever grows has a ceiling.
constexpr std::size_t text_max = std::size_t{1} << 20;

// Bytes that may be secret. A std::string would leave copies behind as it grows.
class Text
{
  public:
    Text() noexcept
    {
        esp_text_init(&text_, text_max);
    }
    ~Text()
    {
        esp_text_free(&text_);
    }
    Text(const Text &) = delete;
    Text &operator=(const Text &) = delete;

    void add(esp_bytes bytes)
    {
        esp_text_add(&text_, bytes);
        if (esp_text_failed(&text_))
            throw std::bad_alloc();
    }

    // Appends what the path selects in the document; false if there is no such thing.
    [[nodiscard]] bool add_from(esp_bytes json, const char *path)
    {
        int found = esp_json_get(json, esp_str(path), ESP_JSON_PATH, &text_);
        if (found < 0)
            throw std::bad_alloc();
        return found == 1;
    }

    [[nodiscard]] esp_bytes bytes() const noexcept
    {
        return esp_text_bytes(&text_);
    }

  private:
    esp_text text_;
};

// Why an operation ends without success. Without a sentence, when a service of the core
// has recorded one already.
class Failure
{
  public:
    explicit Failure(esp_status status, std::string why = {}) : status_(status), why_(std::move(why))
    {
    }

    esp_status report(const esp_host &host, esp_call *call) const noexcept
    {
        if (why_.empty())
            return status_;
        return host.fail(call, status_, 0, esp_span(why_.data(), why_.size()));
    }

  private:
    esp_status status_;
    std::string why_;
};

// For the answers of services: anything but success ends the operation.
inline void check(esp_status status)
{
    if (status != ESP_OK)
        throw Failure(status);
}

// Runs the body of an operation. The core is C and knows no exceptions: none gets further
// than this. what() is not quoted, for nobody knows what it holds.
template <typename Body> esp_status guarded(const esp_host &host, esp_call *call, Body &&body) noexcept
{
    try {
        std::forward<Body>(body)();
        return ESP_OK;
    } catch (const Failure &failure) {
        return failure.report(host, call);
    } catch (const std::bad_alloc &) {
        return host.fail(call, ESP_E_INTERNAL, 0, esp_str("out of memory, or a text above 1 MiB"));
    } catch (...) {
        return host.fail(call, ESP_E_INTERNAL, 0, esp_str("a defect of the plugin: an unexpected exception"));
    }
}

} // namespace esp

#endif
