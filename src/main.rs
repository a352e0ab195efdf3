//! The `vigie` command: parse, run one subcommand, return its exit code. Everything is in [`vigie::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    vigie::cli::main()
}
