//! The console is built by npm and embedded; without it (no Node, a first `cargo build`) the server says so on its first page.

use std::{env, fs, io};

fn main() -> io::Result<()> {
    fs::create_dir_all("console/dist")?;
    println!("cargo:rerun-if-changed=build.rs");
    // A debug build reads the files when it is asked for them.
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo:rerun-if-changed=console/dist");
    }
    Ok(())
}
