//! The `netctl` binary: see the library for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    netctl::main(std::env::args_os().collect())
}
