//! The `rdpwhy` command.

fn main() -> std::process::ExitCode {
    rdpwhy::cli::main()
}
