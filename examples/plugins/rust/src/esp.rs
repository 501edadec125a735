//! The plugin ABI 1.1 as Rust sees it: `esp/plugin.h`, declaration by declaration. What the
//! fields mean, who owns what and which threads come is said there.
//!
//! Nothing here is safe and nothing here thinks: `plugin.rs` makes it so.
#![allow(dead_code)] // the whole of the ABI, whether this plugin needs it or not

use std::mem::size_of;
use std::os::raw::{c_char, c_void};

pub const ABI_MAJOR: u16 = 1;
pub const ABI_MINOR: u16 = 1;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    pub ptr: *const u8,
    pub len: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Pair {
    pub name: Bytes,
    pub value: Bytes,
}

pub type Status = i32;
pub const OK: Status = 0;
pub const E_NOT_FOUND: Status = -1;
pub const E_CONFIG: Status = -2;
pub const E_DENIED: Status = -3;
pub const E_RETRY: Status = -4;
pub const E_CANCELLED: Status = -5;
pub const E_UNSUPPORTED: Status = -6;
pub const E_UNDECIDED: Status = -7;
pub const E_INTERNAL: Status = -8;

/// `struct esp_call`: opaque.
#[repr(C)]
pub struct Call {
    _private: [u8; 0],
}

pub const LOG_ERROR: i32 = 1;
pub const LOG_WARN: i32 = 2;
pub const LOG_INFO: i32 = 3;
pub const LOG_DEBUG: i32 = 4;

pub const OUT_VALUE: i32 = 1;
pub const OUT_NAME: i32 = 2;
pub const OUT_STATE: i32 = 3;
pub const OUT_WARNING: i32 = 4;

pub const AMBIENT_ENV: i32 = 1;
pub const AMBIENT_FILE: i32 = 2;

pub const KUBE_SECRET: i32 = 1;
pub const KUBE_CONFIGMAP: i32 = 2;
pub const KUBE_SERVICE_ACCOUNT: i32 = 3;
pub const KUBE_SECRET_OBJECT: i32 = 4;

pub const HTTP_FOLLOW: u32 = 1 << 0;
pub const HTTP_INSECURE: u32 = 1 << 1;
pub const HTTP_NTLM: u32 = 1 << 2;

#[repr(C)]
pub struct HttpRequest {
    pub size: u32,
    pub timeout_ms: u32,
    pub flags: u32,
    pub reserved: u32,
    pub max_body: u64,
    pub method: Bytes,
    pub url: Bytes,
    pub body: Bytes,
    pub headers: *const Pair,
    pub header_count: usize,
    pub ca_pem: Bytes,
    pub cert_pem: Bytes,
    pub key_pem: Bytes,
    pub server_name: Bytes,
    pub api: Bytes,
    pub username: Bytes,
    pub password: Bytes,
}

#[repr(C)]
pub struct HttpResponse {
    pub size: u32,
    pub status: i32,
    pub headers: *const Pair,
    pub header_count: usize,
    pub body: Bytes,
}

#[repr(C)]
pub struct Host {
    pub size: u32,
    pub abi_major: u16,
    pub abi_minor: u16,
    pub emit: unsafe extern "C" fn(*mut Call, i32, Bytes, Bytes) -> Status,
    pub fail: unsafe extern "C" fn(*mut Call, Status, u64, Bytes) -> Status,
    pub fail_at: unsafe extern "C" fn(*mut Call, usize, Status, Bytes),
    pub log: unsafe extern "C" fn(*mut Call, i32, Bytes),
    pub remaining_ms: unsafe extern "C" fn(*mut Call) -> i64,
    pub now_unix_ms: unsafe extern "C" fn(*mut Call) -> i64,
    pub random: unsafe extern "C" fn(*mut Call, *mut u8, usize) -> Status,
    pub http: unsafe extern "C" fn(*mut Call, *const HttpRequest, *mut HttpResponse) -> Status,
    pub kube_read: unsafe extern "C" fn(*mut Call, i32, Bytes, Bytes, Bytes, *mut Bytes) -> Status,
    pub sa_token:
        unsafe extern "C" fn(*mut Call, Bytes, Bytes, *const Bytes, usize, u32, *mut Bytes) -> Status,
    pub ambient: unsafe extern "C" fn(*mut Call, i32, Bytes, *mut Bytes) -> Status,
    pub render: unsafe extern "C" fn(*mut Call, Bytes, Bytes, *mut Bytes) -> Status,
    pub wait: unsafe extern "C" fn(*mut Call, u32) -> Status,
}

#[repr(C)]
pub struct Request {
    pub size: u32,
    pub reserved: u32,
    pub json: Bytes,
    pub values: *const Pair,
    pub value_count: usize,
}

/// `None` is NULL: unsupported.
pub type Op = Option<unsafe extern "C" fn(*mut c_void, *mut Call, *const Request) -> Status>;
pub type Open = Option<unsafe extern "C" fn(*mut Call, *const Request, *mut *mut c_void) -> Status>;
pub type Close = Option<unsafe extern "C" fn(*mut c_void, *mut Call)>;
pub type Configure = Option<unsafe extern "C" fn(*mut Call, *const Request) -> Status>;

#[repr(C)]
pub struct StoreOps {
    pub size: u32,
    pub reserved: u32,
    pub check: Op,
    pub open: Open,
    pub close: Close,
    pub validate: Op,
    pub get: Op,
    pub get_map: Op,
    pub get_batch: Op,
    pub list: Op,
    pub exists: Op,
    pub push: Op,
    pub remove: Op,
}

#[repr(C)]
pub struct GeneratorOps {
    pub size: u32,
    pub reserved: u32,
    pub generate: Op,
    pub cleanup: Op,
}

pub const KIND_STORE: i32 = 1;
pub const KIND_GENERATOR: i32 = 2;

pub const CAP_CONCURRENT: u64 = 1 << 0;
pub const CAP_READ: u64 = 1 << 1;
pub const CAP_WRITE: u64 = 1 << 2;
pub const CAP_LIST: u64 = 1 << 3;
pub const CAP_WHOLE_VALUES: u64 = 1 << 4;
pub const CAP_FIELDS: u64 = 1 << 5;
pub const CAP_PER_NAMESPACE: u64 = 1 << 6;
pub const CAP_STRICT_PROPERTIES: u64 = 1 << 7;

pub const MAINTAINED: i32 = 1;
pub const NOT_MAINTAINED: i32 = 2;
pub const DEPRECATED: i32 = 3;

#[repr(C)]
pub struct Component {
    pub size: u32,
    pub kind: i32,
    pub caps: u64,
    pub maintenance: i32,
    pub reserved: u32,
    pub name: *const c_char,
    pub label: *const c_char,
    pub schema: *const c_char,
    pub store: *const StoreOps,
    pub generator: *const GeneratorOps,
}

#[repr(C)]
pub struct Plugin {
    pub size: u32,
    pub abi_major: u16,
    pub abi_minor: u16,
    pub needs_minor: u16,
    pub reserved: [u16; 3],
    pub name: *const c_char,
    pub version: *const c_char,
    pub components: *const *const Component,
    pub config_schema: *const c_char,
    pub configure: Configure,
    pub ambient: *const *const c_char,
}

// The tables are constant data, and what they point to is as well.
unsafe impl Sync for StoreOps {}
unsafe impl Sync for GeneratorOps {}
unsafe impl Sync for Component {}
unsafe impl Sync for Plugin {}

// Each struct is as long as it was released. `examples/layout.rs` prints every offset.
#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<Bytes>() == 16);
    assert!(size_of::<Pair>() == 32);
    assert!(size_of::<HttpRequest>() == 200);
    assert!(size_of::<HttpResponse>() == 40);
    assert!(size_of::<Host>() == 112);
    assert!(size_of::<Request>() == 40);
    assert!(size_of::<StoreOps>() == 96);
    assert!(size_of::<GeneratorOps>() == 24);
    assert!(size_of::<Component>() == 64);
    assert!(size_of::<Plugin>() == 64);
};
