//! The `stockade` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    stockade::cli::main()
}
