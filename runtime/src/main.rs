//! `rtrun`: arguments to command, nothing else.

fn main() -> std::process::ExitCode {
    rtrun::cli::main(std::env::args_os().skip(1).collect())
}
