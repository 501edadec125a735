//! The template's provider in Rust. `hello.rs` is the provider and has no `unsafe`; `plugin.rs`
//! carries it over the ABI, which `esp.rs` declares; `json.rs` reads the requests.

mod esp;
mod hello;
mod json;
mod plugin;

plugin::export! {
    name: "hello-rust",
    version: env!("CARGO_PKG_VERSION"),
    schema: include_str!("../schema.json"),
    store: hello::Hello,
}
