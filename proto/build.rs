//! Compiles the `.proto` files with protox, so that a build needs no `protoc`.

use std::error::Error;

const FILES: [&str; 1] = ["custos/v1/announcement.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
    }
    prost_build::compile_fds(protox::compile(FILES, ["."])?)?;
    Ok(())
}
