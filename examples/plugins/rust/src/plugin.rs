//! The safe side of the ABI: a provider implements [`Store`], [`export!`] makes the tables and
//! the entry. All `unsafe` of the plugin is here and in `esp.rs`.
//!
//! Panics end here, too. Unwinding into the core, which is C, is undefined; so each operation
//! runs in `catch_unwind`, and a panic becomes `ESP_E_INTERNAL` with the place where it
//! happened. Its message is neither printed nor passed on: it may quote a value.

use crate::esp;
use std::cell::RefCell;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};
use std::sync::atomic::{compiler_fence, AtomicPtr, Ordering};

/// What the core should do next. `NotFound` is for remote secrets alone: it may delete Secrets.
#[allow(dead_code)] // a greeting can go wrong in two ways only
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    NotFound = esp::E_NOT_FOUND,
    Config = esp::E_CONFIG,
    Denied = esp::E_DENIED,
    Retry = esp::E_RETRY,
    Cancelled = esp::E_CANCELLED,
    Unsupported = esp::E_UNSUPPORTED,
    Undecided = esp::E_UNDECIDED,
    Internal = esp::E_INTERNAL,
}

/// Why an operation ends without success.
#[derive(Debug)]
pub enum Failure {
    /// A sentence for people. It is shown in events and conditions: no secrets.
    Said(Status, String),
    /// A service of the core failed and has recorded why.
    Recorded(esp::Status),
}

impl Failure {
    pub fn new(status: Status, why: impl Into<String>) -> Self {
        Failure::Said(status, why.into())
    }
}

pub type Outcome<T> = Result<T, Failure>;

/// A kind of store. One value of the type is one opened store; the threads of the core share
/// it, which is what `Sync` and `&self` are for (`ESP_CAP_CONCURRENT`).
pub trait Store: Sized + Send + Sync + 'static {
    fn open(call: &Call, request: &Request) -> Outcome<Self>;

    /// Emits one value, for the key of the request. Properties are the core's affair
    /// (`ESP_CAP_WHOLE_VALUES`).
    fn get(&self, call: &Call, request: &Request) -> Outcome<()>;
}

/// The operation in flight. It cannot be kept: it is lent to the operation, and is not `Send`.
pub struct Call {
    raw: *mut esp::Call,
}

impl Call {
    /// Hands out the value that was asked for. The core copies it.
    pub fn emit_value(&self, value: &Secret) -> Outcome<()> {
        // Safety: the core's table and call are valid while an operation runs.
        let status = unsafe { ((*host()).emit)(self.raw, esp::OUT_VALUE, bytes(b""), bytes(&value.0)) };
        match status {
            esp::OK => Ok(()),
            failed => Err(Failure::Recorded(failed)),
        }
    }

    fn report(&self, failure: Failure) -> esp::Status {
        match failure {
            Failure::Recorded(status) => status,
            // Safety: as above.
            Failure::Said(status, why) => unsafe {
                ((*host()).fail)(self.raw, status as esp::Status, 0, bytes(why.as_bytes()))
            },
        }
    }
}

/// What the operation is asked to do.
pub struct Request<'a> {
    raw: &'a esp::Request,
}

impl Request<'_> {
    /// The document of the operation, listed above `struct esp_request`. Never secret.
    pub fn json(&self) -> &[u8] {
        let json = self.raw.json;
        if json.len == 0 {
            return &[]; // the pointer may be NULL then
        }
        // Safety: the core lends these bytes until the operation returns, and so does `self`.
        unsafe { std::slice::from_raw_parts(json.ptr, json.len) }
    }
}

/// Bytes that are wiped when they are given up, also when they move as they grow.
#[derive(Default)]
pub struct Secret(Vec<u8>);

impl Secret {
    pub fn add(&mut self, more: &[u8]) {
        let need = self.0.len() + more.len();
        if need > self.0.capacity() {
            let mut larger = Secret(Vec::with_capacity(need.max(2 * self.0.capacity())));
            larger.0.extend_from_slice(&self.0);
            *self = larger; // drops, and wipes, what was
        }
        self.0.extend_from_slice(more);
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        for byte in &mut self.0 {
            // Safety: a valid reference. Volatile, because nobody reads it again.
            unsafe { std::ptr::write_volatile(byte, 0) };
        }
        compiler_fence(Ordering::SeqCst);
    }
}

static HOST: AtomicPtr<esp::Host> = AtomicPtr::new(std::ptr::null_mut());

fn host() -> *const esp::Host {
    HOST.load(Ordering::Acquire)
}

fn bytes(text: &[u8]) -> esp::Bytes {
    esp::Bytes { ptr: text.as_ptr(), len: text.len() }
}

thread_local! {
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the core's services, for [`export!`]. The hook that replaces the one that prints is
/// that of this plugin alone, for its copy of Rust's library is its own.
pub fn enter(services: *const esp::Host) {
    HOST.store(services as *mut esp::Host, Ordering::Release);
    #[cfg(test)] // where it is the test's, which wants to say why it failed
    let print = std::panic::take_hook();
    set_hook(Box::new(move |panic| {
        let place = panic.location().map(|l| format!("{}:{}", l.file(), l.line()));
        PANICKED_AT.with(|at| at.replace(place.unwrap_or_default()));
        #[cfg(test)]
        print(panic);
    }));
}

/// Runs the body of an operation; nothing but a status gets out. After a panic the store may
/// be used again (`AssertUnwindSafe`): what it shares is behind locks, which then are poisoned.
fn guarded(raw: *mut esp::Call, body: impl FnOnce(&Call) -> Outcome<()>) -> esp::Status {
    let call = Call { raw };
    match catch_unwind(AssertUnwindSafe(|| body(&call))) {
        Ok(Ok(())) => esp::OK,
        Ok(Err(failure)) => call.report(failure),
        Err(payload) => {
            std::mem::forget(payload); // dropping it could panic again
            let place = PANICKED_AT.with(|at| at.take());
            call.report(Failure::new(Status::Internal, format!("a defect of the plugin: a panic at {place}")))
        }
    }
}

unsafe extern "C" fn open<S: Store>(
    call: *mut esp::Call,
    request: *const esp::Request,
    instance: *mut *mut c_void,
) -> esp::Status {
    guarded(call, |call| {
        let store = S::open(call, &Request { raw: &*request })?;
        *instance = Box::into_raw(Box::new(store)).cast();
        Ok(())
    })
}

unsafe extern "C" fn close<S: Store>(instance: *mut c_void, call: *mut esp::Call) {
    guarded(call, |_| {
        drop(Box::from_raw(instance.cast::<S>()));
        Ok(())
    });
}

unsafe extern "C" fn get<S: Store>(
    instance: *mut c_void,
    call: *mut esp::Call,
    request: *const esp::Request,
) -> esp::Status {
    guarded(call, |call| (*instance.cast::<S>()).get(call, &Request { raw: &*request }))
}

/// The table of the operations that a [`Store`] has.
pub const fn ops<S: Store>() -> esp::StoreOps {
    esp::StoreOps {
        size: std::mem::size_of::<esp::StoreOps>() as u32,
        reserved: 0,
        check: None,
        open: Some(open::<S>),
        close: Some(close::<S>),
        validate: None,
        get: Some(get::<S>),
        get_map: None,
        get_batch: None,
        list: None,
        exists: None,
        push: None,
        remove: None,
    }
}

/// A constant text for C. That it ends with its only NUL is checked by the compiler.
pub const fn c(text: &'static str) -> *const c_char {
    let bytes = text.as_bytes();
    let mut i = 0;
    while bytes[i] != 0 {
        i += 1;
    }
    assert!(i + 1 == bytes.len(), "a NUL inside of a text");
    bytes.as_ptr().cast()
}

/// Two pointers: the component, and the NULL at the end.
#[repr(transparent)]
pub struct Components(pub [*const esp::Component; 2]);

// Constant data that points to constant data.
unsafe impl Sync for Components {}

/// Makes the plugin of one store: its tables, and the only symbol that it exports.
macro_rules! export {
    (name: $name:literal, version: $version:expr, schema: $schema:expr, store: $store:ty $(,)?) => {
        #[no_mangle]
        pub extern "C" fn esp_plugin_entry_v1(
            services: *const $crate::esp::Host,
        ) -> *const $crate::esp::Plugin {
            use std::{mem::size_of, ptr::null};
            use $crate::{esp, plugin};

            static OPS: esp::StoreOps = plugin::ops::<$store>();
            static STORE: esp::Component = esp::Component {
                size: size_of::<esp::Component>() as u32,
                kind: esp::KIND_STORE,
                caps: esp::CAP_READ | esp::CAP_CONCURRENT | esp::CAP_WHOLE_VALUES,
                maintenance: esp::MAINTAINED,
                reserved: 0,
                name: plugin::c(concat!($name, "\0")),
                label: null(),
                schema: plugin::c(concat!($schema, "\0")),
                store: &OPS,
                generator: null(),
            };
            static COMPONENTS: plugin::Components = plugin::Components([&STORE, null()]);
            static PLUGIN: esp::Plugin = esp::Plugin {
                size: size_of::<esp::Plugin>() as u32,
                abi_major: esp::ABI_MAJOR,
                abi_minor: esp::ABI_MINOR,
                needs_minor: 0,
                reserved: [0; 3],
                name: plugin::c(concat!($name, "\0")),
                version: plugin::c(concat!($version, "\0")),
                components: COMPONENTS.0.as_ptr(),
                config_schema: null(),
                configure: None,
                ambient: null(),
            };
            plugin::enter(services);
            &PLUGIN
        }
    };
}
pub(crate) use export;

#[cfg(test)]
mod tests;
