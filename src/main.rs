//! The `tenfour` binary: all of it is in the library.

fn main() -> std::process::ExitCode {
    tenfour::cli::main()
}
