/** @file esp/plugin.h
 * The contract between esod and a provider plugin, ABI 1.1.
 *
 * A plugin is a shared object with one exported function, esp_plugin_entry_v1.
 * It describes itself in constant tables: components (stores that hold secrets,
 * generators that make them), what they can do, and a JSON Schema of their
 * settings. The core calls the operations in those tables; a plugin reaches the
 * world through the table of services it was given, and in no other way.
 *
 * This header needs nothing but the C library and compiles alone as C17 and
 * C++17. docs/writing-a-plugin.md walks through a whole plugin, docs/sdk/ says
 * what is promised, and what happens to a plugin that breaks a rule.
 *
 * Rules that hold for everything below:
 *
 * - **Memory**: nothing is freed across the boundary. What the core passes in is
 *   borrowed until the operation returns; what a service hands out lives as long
 *   as the call it was asked in, and is wiped then; what a plugin passes to a
 *   service is copied before it returns.
 * - **Bytes**: esp_bytes has no terminator. ptr may be NULL when len is 0. Text is
 *   UTF-8.
 * - **Secrets** cross only as `values` of a request, as the value of an emit and
 *   inside HTTP messages. Request documents, error texts and log lines hold none:
 *   they are written to logs, events and conditions.
 * - **Threads**: any worker thread may run an operation. One instance is used by
 *   one thread at a time unless its component has ESP_CAP_CONCURRENT; different
 *   instances always run side by side, so static data needs a lock. A plugin
 *   starts no thread, does not fork or exit, and leaves signals, environment,
 *   locale, working directory and libcurl's global state alone.
 * - **Time**: each call has a deadline. http, kube_read, sa_token and wait give up
 *   by themselves (ESP_E_CANCELLED); a loop asks remaining_ms.
 * - **Growth**: within major 1, structs only grow at their end, and no value gets
 *   another meaning. `size` is set by the side that allocated the struct, and the
 *   other side touches nothing beyond it: see ESP_HAS. The leaves esp_bytes and
 *   esp_pair never grow. Reserved fields are 0.
 * - **Process**: every operation can also run in a process of its own: hence no
 *   varargs, no callbacks outside these tables, no file descriptors, no errno. */
#ifndef ESP_PLUGIN_H
#define ESP_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup abi_versions Versions and growth
 * How both sides find out what the other knows.
 * @{ */

#define ESP_ABI_MAJOR 1 /**< Also in the name of the entry: majors never meet. */
#define ESP_ABI_MINOR 1 /**< One more for each batch of appended fields. */

#if defined(__GNUC__)
/** Makes the entry visible when all else is compiled with hidden visibility. */
#define ESP_EXPORT __attribute__((visibility("default")))
#else
#define ESP_EXPORT
#endif

/** Whether the struct at p, of a type that has `size` as its first field, was
 * allocated by somebody who knows `field`. Ask before touching any field that
 * came after the minor you require. */
#define ESP_HAS(type, p, field) ((p)->size >= offsetof(type, field) + sizeof((p)->field))

/** @} */

/** @defgroup abi_leaves Bytes and pairs
 * Frozen leaves: they never grow, so arrays of them are safe.
 * @{ */

/** Text or secret bytes: an address and a length, no terminator. Who may read it,
 * and until when, says whoever hands it over. */
typedef struct esp_bytes {
    const uint8_t *ptr; /**< The first byte; may be NULL when len is 0. */
    size_t len;         /**< In bytes. */
} esp_bytes;

/** A name and what it stands for: a header of HTTP, a key of a Secret. */
typedef struct esp_pair {
    /** UTF-8, and never a secret. */
    esp_bytes name, value; /**< What it stands for: may be a secret. */
} esp_pair;

/** @} */

/** @defgroup abi_statuses Statuses
 * How an operation or a service ended.
 * @{ */

/** How an operation or a service ended: what the caller should do next. A value
 * that the reader does not know is read as ESP_E_INTERNAL. */
typedef int32_t esp_status;
#define ESP_OK 0               /**< Done. */
#define ESP_E_NOT_FOUND (-1)   /**< No such remote secret: deletionPolicy decides. */
#define ESP_E_CONFIG (-2)      /**< The spec is wrong: wait until it is edited. */
#define ESP_E_DENIED (-3)      /**< The backend refused the credentials, or the core refused the plugin. */
#define ESP_E_RETRY (-4)       /**< Transient: back off, or wait retry_after_ms. */
#define ESP_E_CANCELLED (-5)   /**< The deadline passed or a shutdown was asked for. */
#define ESP_E_UNSUPPORTED (-6) /**< This component, or this core, cannot do that. */
#define ESP_E_UNDECIDED (-7)   /**< `open` and `validate` only: cannot tell whether the store works. */
#define ESP_E_INTERNAL (-8)    /**< A defect or no memory: nothing the spec could change. */

/** @} */

/** @defgroup abi_call The call
 * What every operation is handed, and hands on to every service.
 * @{ */

/** One operation in flight: its deadline, error, output, memory and log context,
 * and the authority of the store or generator it runs for. Opaque. It dies when
 * the operation returns; do not keep it. */
struct esp_call;

/** @} */

/** @defgroup abi_services Host services
 * The table through which a plugin reaches the world, and the constants its functions take.
 * @{ */

/** Levels of esp_host.log. One that the core does not know is read as ESP_LOG_INFO. */
enum {
    ESP_LOG_ERROR = 1, /**< Somebody has to do something. */
    ESP_LOG_WARN = 2,  /**< Somebody may have to do something. */
    ESP_LOG_INFO = 3,  /**< Worth knowing while all is well. */
    ESP_LOG_DEBUG = 4  /**< For whoever looks for a defect. */
};

/** Channels of esp_host.emit. */
enum {
    ESP_OUT_VALUE = 1,  /**< key: what the operation's row at esp_request says; value: secret bytes. */
    ESP_OUT_NAME = 2,   /**< key: the name of a remote secret; value: empty. */
    ESP_OUT_STATE = 3,  /**< key: empty; value: a JSON document that `cleanup` will need, once at most. */
    ESP_OUT_WARNING = 4 /**< key: empty; value: a sentence for the store's author, no secret. */
};

/** What esp_host.ambient reads. */
enum {
    ESP_AMBIENT_ENV = 1, /**< An environment variable. */
    ESP_AMBIENT_FILE = 2 /**< A file, all of it. */
};

/** What esp_host.kube_read reads. */
enum {
    ESP_KUBE_SECRET = 1,          /**< One value of a Secret, decoded. */
    ESP_KUBE_CONFIGMAP = 2,       /**< One value of a ConfigMap. */
    ESP_KUBE_SERVICE_ACCOUNT = 3, /**< A ServiceAccount, as JSON. */
    ESP_KUBE_SECRET_OBJECT = 4    /**< A whole Secret, as JSON. Since 1.1. */
};

/** @} */

/** @defgroup abi_http HTTP
 * What esp_host.http takes and gives.
 * @{ */

/** @name Bits of esp_http_request.flags
 * The core answers ESP_E_UNSUPPORTED to a bit that it does not know.
 * @{ */
#define ESP_HTTP_FOLLOW (UINT32_C(1) << 0)   /**< GET and HEAD follow redirects, never from https to http. */
#define ESP_HTTP_INSECURE (UINT32_C(1) << 1) /**< Accept any server certificate; policy may deny it. */
/** Log in with NTLM ([MS-NLMP]) as esp_http_request.username, if the server asks
 * for it. The login is good for this one exchange: no other travels on its
 * connection. UNSUPPORTED where the core's transport lacks it. Since 1.1. */
#define ESP_HTTP_NTLM (UINT32_C(1) << 2)
/** @} */

/** One HTTP(S) exchange. Zeroes are good defaults for everything but size,
 * method and url. Header values and the body may hold credentials: they are
 * neither logged nor quoted. All of it is borrowed until the service returns. */
struct esp_http_request {
    uint32_t size;       /**< sizeof this struct, set by the plugin. */
    uint32_t timeout_ms; /**< Milliseconds; 0: what remains of the call; never longer than that. */
    uint32_t flags;      /**< ESP_HTTP_..., or 0. */
    uint32_t reserved;   /**< 0. */
    uint64_t max_body;   /**< Ceiling of the answer in bytes; 0: the core's own, which also caps this one. */
    esp_bytes method;    /**< "GET", ... (RFC 9110, section 9). */
    esp_bytes url;       /**< Absolute, http or https. */
    esp_bytes body;      /**< As it goes out; empty: none. */
    const esp_pair *headers; /**< In the order they go out; the core adds User-Agent when there is none. */
    size_t header_count;     /**< Of headers. */
    esp_bytes ca_pem;        /**< PEM, trusted instead of the system's roots, when not empty. */
    esp_bytes cert_pem;      /**< PEM, the client certificate and ... */
    esp_bytes key_pem;       /**< ... its key: both or none. */
    esp_bytes server_name;   /**< Checked instead of the URL's host, when not empty. */
    esp_bytes api;           /**< Metric label: the name of the backend's API call, never a key. A service and a
                                  slash before it, "Queue/Send", counts under the provider's label, a slash and
                                  the service. */
    /** With ESP_HTTP_NTLM, and empty without it: a name alone, or with its domain as Windows writes both;
     * ASCII, at most 1 KiB. Since 1.1. */
    esp_bytes username;
    esp_bytes password; /**< Its secret: UTF-8 of Latin-1's characters, at most 1 KiB. Since 1.1. */
};

/** The answer. The caller sets size, the core fills what it covers; what it points
 * to lives as long as the call. */
struct esp_http_response {
    uint32_t size;           /**< sizeof this struct, set by the plugin. */
    int32_t status;          /**< 200, 404, ... (RFC 9110, section 15). */
    const esp_pair *headers; /**< Names in lower case, in the order received. */
    size_t header_count;     /**< Of headers. */
    esp_bytes body;          /**< All of it, decompressed. */
};

/** @} */

/** @addtogroup abi_services
 * @{ */

/** The services of the core. Usable on the thread that runs the call, from any
 * operation that was given one. `out` parameters are untouched on failure.
 *
 * A service that fails has already recorded why: return its status as it is, or
 * call `fail` to say it better. `check` and `configure` need no network: there,
 * `http`, `kube_read` and `sa_token` are DENIED. */
struct esp_host {
    uint32_t size; /**< sizeof the struct as the core knows it; see ESP_HAS. */
    /** The core's major. */
    uint16_t abi_major, abi_minor; /**< The core's minor. */

    /** Hands out one result; the core copies it. ESP_E_INTERNAL: no memory, above the
     * core's ceiling, or a channel this operation does not have. Stop then. */
    esp_status (*emit)(struct esp_call *call, int32_t channel, esp_bytes key, esp_bytes value);

    /** Records why the operation fails and returns `status`, so that
     * `return host->fail(...)` is the usual form. The text reaches events and
     * conditions: a sentence that names the operation, the backend's status and the
     * key, quotes no answer of a backend, and holds no secret. retry_after_ms
     * counts with ESP_E_RETRY, up to an hour; 0: the core's own backoff. The last
     * call wins. A text that ends in ": " is continued with what the last service
     * said, if that failed: a plugin names the step, and the core why. Since 1.1. */
    esp_status (*fail)(struct esp_call *call, esp_status status, uint64_t retry_after_ms, esp_bytes why);

    /** get_batch: the reference at `index`, counted from 0, fails, the others go on.
     * Status and text as in `fail`. */
    void (*fail_at)(struct esp_call *call, size_t index, esp_status status, esp_bytes why);

    /** One line, with the object's name already in its context. No secrets. What is
     * too long or too much is cut. */
    void (*log)(struct esp_call *call, int32_t level, esp_bytes line);

    /** Milliseconds until the deadline; <= 0: stop now with ESP_E_CANCELLED. */
    int64_t (*remaining_ms)(struct esp_call *call);

    /** Wall clock, milliseconds since 1970 UTC. Use it instead of the system's:
     * tests own it. */
    int64_t (*now_unix_ms)(struct esp_call *call);

    /** Cryptographically secure bytes, `len` of them, into the plugin's own memory.
     * ESP_E_INTERNAL: do not go on without. */
    esp_status (*random)(struct esp_call *call, uint8_t *out, size_t len);

    /** ESP_OK when there is an answer, whatever its HTTP status. Otherwise RETRY
     * (no connection, no name), CANCELLED (deadline, shutdown), CONFIG (bad URL,
     * bad PEM), DENIED (certificate not trusted, policy), UNSUPPORTED (unknown flag),
     * INTERNAL. */
    esp_status (*http)(struct esp_call *call, const struct esp_http_request *request,
                       struct esp_http_response *response);

    /** ESP_KUBE_SECRET, ESP_KUBE_CONFIGMAP: the value under `key`.
     * ESP_KUBE_SERVICE_ACCOUNT: the object as JSON, `key` is empty.
     * ESP_KUBE_SECRET_OBJECT: the same of a Secret, with these members and no others:
     * {"metadata": {"name", "namespace", "labels": {}, "annotations": {}}, "type",
     * "data": {key: base64}}. It holds secrets.
     * The store's authority rules: a SecretStore reads its own namespace only; with
     * an empty `ns`, a ClusterSecretStore reads the consumer's namespace
     * (referent authentication); a name that the spec does not hold is DENIED, a
     * SecretStore's reference to another namespace is CONFIG. NOT_FOUND: no such
     * object or key. UNDECIDED: `ns` is empty, and nobody uses the
     * ClusterSecretStore yet; `open` and `validate` pass that on. UNSUPPORTED:
     * there is no cluster, or the core does not know `what`. */
    esp_status (*kube_read)(struct esp_call *call, int32_t what, esp_bytes ns, esp_bytes name, esp_bytes key,
                            esp_bytes *out);

    /** A token of the service account that the spec names, for these audiences, valid
     * for about ttl_s seconds (0: an hour; the core keeps to what TokenRequest of
     * authentication.k8s.io/v1 takes, ten minutes and more, and to a day). Authority
     * and statuses as in kube_read; without an audience it opens the API server, so
     * that is DENIED unless the spec asks for it. */
    esp_status (*sa_token)(struct esp_call *call, esp_bytes ns, esp_bytes account, const esp_bytes *audiences,
                           size_t count, uint32_t ttl_s, esp_bytes *out);

    /** An environment variable or a file of the process, if the plugin lists it in
     * `ambient` and the configuration grants it; else DENIED. `name` is the
     * variable's; of a file it is the path, or $VARIABLE as it is listed. NOT_FOUND:
     * not set, no such file. CONFIG: the file cannot be read, or is too large.
     * UNSUPPORTED: the core does not know `what`. */
    esp_status (*ambient)(struct esp_call *call, int32_t what, esp_bytes name, esp_bytes *out);

    /** Renders a template of the spec with the core's language and limits; `data`
     * is a JSON object (it may hold secrets). CONFIG: the template is wrong.
     * UNSUPPORTED: this core renders none. */
    esp_status (*render)(struct esp_call *call, esp_bytes text, esp_bytes data, esp_bytes *out);

    /** Waits for `ms` milliseconds: between two attempts, or for a backend that answers
     * `not yet`. ESP_E_CANCELLED: the deadline would come first, then it does not even
     * begin, or nobody wants the result any more: stop. Since 1.1. */
    esp_status (*wait)(struct esp_call *call, uint32_t ms);

    /* 1.2 appends here. */
};

/** @} */

/** @defgroup abi_operations Operations and documents
 * What the core asks of a store or a generator, and in which words.
 * @{ */

/** What an operation is asked to do. Borrowed until it returns.
 *
 * `json` is an object and never secret. The documents, operation by operation;
 * members in [] may be left out, all others are always there, strings are ""
 * when the user gave none, and members not named here are to be ignored:
 *
 *     configure   the plugin's own block of the configuration file
 *     open        {"spec": {the block under spec.provider.NAME},
 *                  ["retrySettings": {["maxRetries": 5], ["retryInterval": "10s"]}],
 *                  ["caBundle": "PEM; caBundle or caProvider of the block, resolved by the core"]}
 *     check       as open; caBundle only when it stands in the block itself
 *     validate    {}
 *     get         {"key": "", "property": "", "version": "", "metadataPolicy": "None" | "Fetch"}
 *     get_map     as get
 *     get_batch   {"refs": [{as get}, ...]}
 *     list        {["name": {"regexp": ""}], ["path": ""], ["tags": {"": ""}],
 *                  "prefix": "what every match of the regexp begins with"}
 *     exists      {"remoteKey": "", "property": ""}
 *     push        {"remoteKey": "", "property": "", "secretKey": "", ["metadata": any],
 *                  "type": "type of the Kubernetes Secret", "labels": {"": ""}, "annotations": {"": ""}}
 *     remove      {"remoteKey": "", "property": "", ["metadata": any]}
 *     generate    {"spec": {the generator's spec}}
 *     cleanup     as generate
 *
 * Documents of a store also carry
 *
 *     "store": {"kind": "SecretStore" | "ClusterSecretStore", "namespace": "", "name": "", "generation": 1}
 *     "namespace": "of the consumer; empty while a ClusterSecretStore is validated"
 *
 * (the store's namespace is empty for a ClusterSecretStore), those of a generator
 *
 *     "generator": {"kind": "", "namespace": "", "name": "", "generation": 1}
 *     "namespace": "of the consumer"
 *
 * `values` is the secret side:
 *
 *     push        the pair named secretKey; all pairs of the Secret when secretKey is empty
 *     cleanup     one pair named "state": what `generate` emitted as ESP_OUT_STATE
 *     generate    the same, of the run before, or nothing
 *
 * What comes out through emit:
 *
 *     check       ESP_OUT_WARNING, any number
 *     get         one ESP_OUT_VALUE, key empty
 *     get_map     one ESP_OUT_VALUE per member, key = its name
 *     get_batch   ESP_OUT_VALUEs, key = decimal index into refs; fail_at for the others
 *     list        per secret an ESP_OUT_NAME, or an ESP_OUT_VALUE (key = its name) where the
 *                 backend sends the value along and no `get` is needed any more
 *     exists      one ESP_OUT_VALUE `true` or `false`, key empty
 *     generate    one ESP_OUT_VALUE per key, at most one ESP_OUT_STATE */
struct esp_request {
    uint32_t size;          /**< sizeof the struct as the core knows it. */
    uint32_t reserved;      /**< 0. */
    esp_bytes json;         /**< The operation's document, UTF-8. */
    const esp_pair *values; /**< The secret side; NULL when there is none. */
    size_t value_count;     /**< Of values. */
};

/** An operation: reads `request`, emits what its row at esp_request says, and
 * returns ESP_OK, or why not (esp_host.fail tells people). `instance` is what `open`
 * returned, NULL where there is none. It may block until the call's deadline. */
typedef esp_status (*esp_op)(void *instance, struct esp_call *call, const struct esp_request *request);

/** A store. NULL: unsupported. `instance` is what `open` returned; it serves one
 * state of the store (spec, credentials) for one consumer namespace where that
 * matters, and is kept and shared until that changes. */
struct esp_store_ops {
    uint32_t size;     /**< sizeof this struct, set by the plugin. */
    uint32_t reserved; /**< 0. */

    /** Is the spec sound? No instance (NULL), no network, no cluster. The schema was
     * checked before. ESP_OK, or ESP_E_CONFIG with the field's path. */
    esp_op check;

    /** Makes an instance. May talk to the backend, but cheap is better: many are
     * opened when the daemon starts. *instance is untouched on failure. The core
     * refuses a store without it. */
    esp_status (*open)(struct esp_call *call, const struct esp_request *request, void **instance);

    /** Ends an instance; no other call of it is in flight. May talk to the backend
     * (to revoke a token) within a short deadline; the cluster gives it nothing more.
     * NULL: nothing to end. */
    void (*close)(void *instance, struct esp_call *call);

    esp_op validate;  /**< Does the store work? ESP_OK, ESP_E_UNDECIDED, or an error. */
    esp_op get;       /**< Reads one secret; ESP_E_NOT_FOUND when it is not there. */
    esp_op get_map;   /**< Reads one secret as names and values. */
    /** Reads several secrets in one go. NULL: the core asks `get` for each, as it does from then on
     * when the whole ends with DENIED or UNSUPPORTED: a right that is missing may be this one's only. */
    esp_op get_batch;
    esp_op list;      /**< Filters by tags and path; the core filters by name.regexp, `prefix` is a hint. */
    esp_op exists;    /**< Is there such a secret, with such a property? */
    esp_op push;      /**< Creates or updates; writes nothing when nothing differs. */
    esp_op remove;    /**< Idempotent: ESP_OK when it is not there. */
};

/** A generator has no instance: `instance` is NULL. */
struct esp_generator_ops {
    uint32_t size;     /**< sizeof this struct, set by the plugin. */
    uint32_t reserved; /**< 0. */
    esp_op generate;   /**< Makes new values. The core refuses a generator without it. */
    esp_op cleanup;    /**< Undoes what `generate` made at the backend; idempotent. NULL: nothing to undo. */
};

/** @} */

/** @defgroup abi_components Components
 * What a plugin has to offer, described in data.
 * @{ */

/** What a component is: esp_component.kind. */
enum {
    ESP_KIND_STORE = 1,    /**< Holds secrets: a provider of SecretStores and ClusterSecretStores. */
    ESP_KIND_GENERATOR = 2 /**< Makes secrets: a Kind of its own. */
};

/** @name Bits of esp_component.caps
 * The core refuses a component that promises an operation it does not have;
 * unknown bits are ignored.
 * @{ */
#define ESP_CAP_CONCURRENT (UINT64_C(1) << 0) /**< One instance may be used by several threads at once. */
#define ESP_CAP_READ (UINT64_C(1) << 1)       /**< `get`. */
#define ESP_CAP_WRITE (UINT64_C(1) << 2)      /**< `push`, `remove`. */
#define ESP_CAP_LIST (UINT64_C(1) << 3)       /**< `list`. */
/** One value per key, and a property is a path into its JSON. The plugin is never
 * handed a property (it is "" in get and get_batch): the core looks it up,
 * does get_map (the members of a JSON object), and reads a key once however
 * many properties are wanted. The normal choice. Without it, a key holds
 * several fields and the plugin answers for property and get_map itself. */
#define ESP_CAP_WHOLE_VALUES (UINT64_C(1) << 4)
/** Beside ESP_CAP_WHOLE_VALUES: the value is a JSON object whose members are the
 * secret's fields. A property is the exact name of a field before it is a path
 * (and after that a name in a field: labels.app.kubernetes.io/name), and one that
 * is not there is a mistake (ESP_E_CONFIG), not a missing secret:
 * deletionPolicy does not see it. An older core looks up as without it. Since 1.1. */
#define ESP_CAP_FIELDS (UINT64_C(1) << 5)
/** What get, get_map, get_batch and list find depends on the `namespace` of their
 * document, as where a template of the spec may name it. The core gives the answer
 * of one namespace to no other. Not needed where the plugin reads an object of the
 * consumer's namespace through kube_read or sa_token: the core sees that. An older
 * core ignores it and may share such answers: set needs_minor. Since 1.1. */
#define ESP_CAP_PER_NAMESPACE (UINT64_C(1) << 6)
/** Beside ESP_CAP_WHOLE_VALUES: a property that the value does not have is a mistake
 * (ESP_E_CONFIG, "key PROPERTY does not exist in secret KEY"), not a missing secret:
 * deletionPolicy does not see it. An older core takes it for a missing secret. Since 1.1. */
#define ESP_CAP_STRICT_PROPERTIES (UINT64_C(1) << 7)
/** @} */

/** How well a component is looked after: esp_component.maintenance. The core warns
 * users of anything but ESP_MAINTAINED; 0 is read as that. */
enum {
    ESP_MAINTAINED = 1,     /**< Somebody answers when it breaks. */
    ESP_NOT_MAINTAINED = 2, /**< Nobody does. */
    ESP_DEPRECATED = 3      /**< It will go away: use something else. */
};

/** One store or generator of a plugin. Constant data, valid for the life of the process. */
struct esp_component {
    uint32_t size;       /**< sizeof this struct, set by the plugin. */
    int32_t kind;        /**< ESP_KIND_STORE or ESP_KIND_GENERATOR. */
    uint64_t caps;       /**< ESP_CAP_..., 0 for a generator. */
    int32_t maintenance; /**< ESP_MAINTAINED, ... */
    uint32_t reserved;   /**< 0. */
    const char *name;    /**< The key under spec.provider, or the generator's Kind; unique in the process. */
    const char *label;   /**< In metrics: "HashiCorp/Vault"; NULL: name. */
    const char *schema;  /**< JSON Schema (as CRDs have it) of its block under spec.provider, or of the
                              generator's spec. */
    const struct esp_store_ops *store;         /**< Of an ESP_KIND_STORE, else NULL. */
    const struct esp_generator_ops *generator; /**< Of an ESP_KIND_GENERATOR, else NULL. */
};

/** @} */

/** @defgroup abi_entry The plugin and its entry
 * The one symbol that a core looks for, and what it answers.
 * @{ */

/** A whole plugin. Constant data, valid for the life of the process. */
struct esp_plugin {
    uint32_t size; /**< sizeof this struct, set by the plugin. */
    /** ESP_ABI_MAJOR of the header it was compiled with. */
    uint16_t abi_major, abi_minor; /**< ESP_ABI_MINOR of the same. */
    uint16_t needs_minor;          /**< The core's minor it cannot do without; an older core refuses it. */
    uint16_t reserved[3];          /**< 0. */
    const char *name;              /**< Of the plugin: "fake", "aws". */
    const char *version;           /**< Its own, for people. */
    const struct esp_component *const *components; /**< NULL at the end. */
    /** JSON Schema of its block in the configuration file, or NULL: it has none. */
    const char *config_schema;
    /** Called once, before any other operation, if there is such a block. */
    esp_status (*configure)(struct esp_call *call, const struct esp_request *request);
    /** What `ambient` may be asked for: "env:AWS_*", "file:/path", "file:$AWS_WEB_IDENTITY_TOKEN_FILE"
     * (a file that a variable names). NULL at the end; NULL: nothing. */
    const char *const *ambient;
};

/** The type of esp_plugin_entry_v1, for whoever looks it up. */
typedef const struct esp_plugin *(*esp_entry_fn)(const struct esp_host *host);

/** The only exported symbol. Keeps `host`, which outlives the plugin, and
 * returns the table; no I/O, no threads, no services: there is no call yet. NULL:
 * this core will not do. The schemas are also read in a process that calls
 * nothing but this function. */
ESP_EXPORT const struct esp_plugin *esp_plugin_entry_v1(const struct esp_host *host);

/** @} */

#ifdef __cplusplus
}
#endif
#endif
