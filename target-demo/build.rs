//! Puts the symbols of docs/demo-map.md into `.dynsym`, where an executable has none by itself.
//! That also makes them roots of the link, so that section garbage collection keeps them.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-Wl,--export-dynamic-symbol=demo_map_*");
}
