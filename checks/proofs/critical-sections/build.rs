//! Hands the chip's memory map to the linker, wherever cargo is called from.

use std::path::Path;
use std::{env, fs};

fn main() {
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("memory.x"), include_bytes!("memory.x")).expect("writable");
    println!("cargo::rustc-link-search={out}");
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rerun-if-changed=memory.x");
}
