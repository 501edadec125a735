//! Prints where `src/esp.rs` has every field and what every constant is worth, in the form of
//! the list that the ABI was released with (`tests/abi/layout.inc` of esod), to be compared.
#[path = "../src/esp.rs"]
mod esp;

use esp::*;
use std::mem::{size_of, MaybeUninit};
use std::ptr::addr_of;

macro_rules! fields {
    ($type:ident as $c:literal: $($field:ident)*) => {{
        let place = MaybeUninit::<$type>::uninit();
        let start = place.as_ptr();
        $(
            // Only addresses are taken: nothing lies there.
            let field = unsafe { addr_of!((*start).$field) };
            let at = field as usize - start as usize;
            println!("FIELD({}, {}, {}, {})", $c, stringify!($field), at, size_of_pointee(field));
        )*
    }};
}

fn size_of_pointee<T>(_: *const T) -> usize {
    size_of::<T>()
}

macro_rules! values {
    ($($name:ident)*) => {
        $(println!("VALUE(ESP_{}, {})", stringify!($name), $name);)*
    };
}

fn main() {
    fields!(Bytes as "esp_bytes": ptr len);
    fields!(Pair as "esp_pair": name value);
    fields!(HttpRequest as "esp_http_request": size timeout_ms flags reserved max_body method url body
            headers header_count ca_pem cert_pem key_pem server_name api username password);
    fields!(HttpResponse as "esp_http_response": size status headers header_count body);
    fields!(Host as "esp_host": size abi_major abi_minor emit fail fail_at log remaining_ms now_unix_ms
            random http kube_read sa_token ambient render wait);
    fields!(Request as "esp_request": size reserved json values value_count);
    fields!(StoreOps as "esp_store_ops": size reserved check open close validate get get_map get_batch
            list exists push remove);
    fields!(GeneratorOps as "esp_generator_ops": size reserved generate cleanup);
    fields!(Component as "esp_component": size kind caps maintenance reserved name label schema store
            generator);
    fields!(Plugin as "esp_plugin": size abi_major abi_minor needs_minor reserved name version components
            config_schema configure ambient);
    values!(OK E_NOT_FOUND E_CONFIG E_DENIED E_RETRY E_CANCELLED E_UNSUPPORTED E_UNDECIDED E_INTERNAL);
    values!(LOG_ERROR LOG_WARN LOG_INFO LOG_DEBUG OUT_VALUE OUT_NAME OUT_STATE OUT_WARNING);
    values!(AMBIENT_ENV AMBIENT_FILE KUBE_SECRET KUBE_CONFIGMAP KUBE_SERVICE_ACCOUNT
            KUBE_SECRET_OBJECT);
    values!(HTTP_FOLLOW HTTP_INSECURE HTTP_NTLM KIND_STORE KIND_GENERATOR);
    values!(CAP_CONCURRENT CAP_READ CAP_WRITE CAP_LIST CAP_WHOLE_VALUES CAP_FIELDS CAP_PER_NAMESPACE
            CAP_STRICT_PROPERTIES);
    values!(MAINTAINED NOT_MAINTAINED DEPRECATED);
}
