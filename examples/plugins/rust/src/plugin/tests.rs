//! A core made of memory, and stores that misbehave.
use super::*;
use std::mem::MaybeUninit;
use std::ptr::{addr_of_mut, null, null_mut};

/// What stands behind an `esp_call` here.
#[derive(Default)]
struct Said {
    values: Vec<Vec<u8>>,
    failed: Option<(esp::Status, String)>,
    emit_answers: esp::Status,
}

unsafe fn said<'a>(call: *mut esp::Call) -> &'a mut Said {
    &mut *call.cast()
}

unsafe fn copy(b: esp::Bytes) -> Vec<u8> {
    if b.len == 0 {
        Vec::new()
    } else {
        std::slice::from_raw_parts(b.ptr, b.len).to_vec()
    }
}

unsafe extern "C" fn emit(
    call: *mut esp::Call,
    channel: i32,
    key: esp::Bytes,
    value: esp::Bytes,
) -> esp::Status {
    assert_eq!((channel, key.len), (esp::OUT_VALUE, 0));
    said(call).values.push(copy(value));
    said(call).emit_answers
}

unsafe extern "C" fn fail(call: *mut esp::Call, status: esp::Status, _: u64, why: esp::Bytes) -> esp::Status {
    said(call).failed = Some((status, String::from_utf8(copy(why)).unwrap()));
    status
}

/// A table of which the tested code uses two fields; it must not look at the others.
fn services() -> *const esp::Host {
    let table: &'static mut MaybeUninit<esp::Host> = Box::leak(Box::new(MaybeUninit::uninit()));
    let at = table.as_mut_ptr();
    unsafe {
        addr_of_mut!((*at).emit).write(emit);
        addr_of_mut!((*at).fail).write(fail);
    }
    at
}

fn entered() -> *const esp::Plugin {
    static TABLE: AtomicPtr<esp::Plugin> = AtomicPtr::new(null_mut());
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| TABLE.store(crate::esp_plugin_entry_v1(services()) as *mut _, Ordering::Release));
    TABLE.load(Ordering::Acquire)
}

/// A store, told by its request how to behave.
struct Moody;

impl Store for Moody {
    fn open(_: &Call, request: &Request) -> Outcome<Self> {
        match request.json() {
            b"refuse" => Err(Failure::new(Status::Config, "no")),
            b"panic" => panic!("a value"),
            _ => Ok(Moody),
        }
    }

    fn get(&self, call: &Call, request: &Request) -> Outcome<()> {
        assert_ne!(request.json(), b"panic", "a value");
        let mut value = Secret::default();
        value.add(request.json());
        value.add(b"!");
        call.emit_value(&value)
    }
}

impl Drop for Moody {
    fn drop(&mut self) {
        panic!("even this");
    }
}

fn run(
    said: &mut Said,
    json: &[u8],
    op: impl FnOnce(*mut esp::Call, *const esp::Request) -> esp::Status,
) -> esp::Status {
    entered();
    let request = esp::Request {
        size: std::mem::size_of::<esp::Request>() as u32,
        reserved: 0,
        json: bytes(json),
        values: null(),
        value_count: 0,
    };
    op((said as *mut Said).cast(), &request)
}

fn run_open(said: &mut Said, json: &[u8], instance: &mut *mut c_void) -> esp::Status {
    run(said, json, |call, request| unsafe { open::<Moody>(call, request, instance) })
}

fn run_get(said: &mut Said, json: &[u8]) -> esp::Status {
    let moody = std::mem::ManuallyDrop::new(Moody);
    let instance = &*moody as *const Moody as *mut c_void;
    run(said, json, |call, request| unsafe { get::<Moody>(instance, call, request) })
}

/// It names the place, and keeps to itself what the panic said.
fn assert_caught(said: &Said) {
    let (status, why) = said.failed.as_ref().unwrap();
    assert_eq!(*status, esp::E_INTERNAL);
    assert!(why.starts_with("a defect of the plugin: a panic at src/plugin/tests.rs:"), "{why}");
    assert!(!why.contains("value"), "{why}");
}

#[test]
fn values_are_emitted() {
    let mut said = Said::default();
    assert_eq!(run_get(&mut said, b"a"), esp::OK);
    assert_eq!(run_get(&mut said, b""), esp::OK);
    assert_eq!(said.values, [b"a!".to_vec(), b"!".to_vec()]);
    assert_eq!(said.failed, None);
}

#[test]
fn a_failure_is_said_and_opens_nothing() {
    let (mut said, mut instance) = (Said::default(), null_mut());
    assert_eq!(run_open(&mut said, b"refuse", &mut instance), esp::E_CONFIG);
    assert_eq!(said.failed, Some((esp::E_CONFIG, "no".into())));
    assert!(instance.is_null());
}

#[test]
fn the_failure_of_a_service_is_passed_on_as_it_is() {
    let mut said = Said { emit_answers: esp::E_CANCELLED, ..Said::default() };
    assert_eq!(run_get(&mut said, b"a"), esp::E_CANCELLED);
    assert_eq!(said.failed, None);
}

#[test]
fn no_panic_gets_out() {
    let (mut said, mut instance) = (Said::default(), null_mut());
    assert_eq!(run_open(&mut said, b"panic", &mut instance), esp::E_INTERNAL);
    assert_caught(&said);
    assert!(instance.is_null());

    said = Said::default();
    assert_eq!(run_get(&mut said, b"panic"), esp::E_INTERNAL);
    assert_caught(&said);

    said = Said::default();
    let moody = Box::into_raw(Box::new(Moody)).cast();
    unsafe { close::<Moody>(moody, (&mut said as *mut Said).cast()) };
    assert_caught(&said);
}

#[test]
fn the_tables_are_whole() {
    let plugin = unsafe { &*entered() };
    assert_eq!(crate::esp_plugin_entry_v1(host()), plugin as *const _, "each time the same");
    let store = unsafe { &**plugin.components };
    assert!(unsafe { *plugin.components.add(1) }.is_null());
    let name = unsafe { std::ffi::CStr::from_ptr(store.name) };
    assert_eq!(name.to_str(), Ok("hello-rust"));
}

#[test]
fn a_secret_keeps_its_bytes_as_it_grows() {
    let mut secret = Secret::default();
    let mut want = Vec::new();
    for n in 0..1000u32 {
        secret.add(&n.to_le_bytes());
        want.extend_from_slice(&n.to_le_bytes());
    }
    assert_eq!(secret.0, want);
}
