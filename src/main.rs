//! The `engram` binary. Everything is in the library, so that tests reach it.

use std::process::ExitCode;

/// Many small allocations of JSON from many threads: this one holds less and is faster at it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    engram::cli::main()
}
