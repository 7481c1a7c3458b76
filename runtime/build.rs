//! Makes `rtrun_entry` of `src/entry.rs` the binary's first instruction.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-Wl,-e,rtrun_entry");
}
