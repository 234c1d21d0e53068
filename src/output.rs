//! Lines to standard output and standard error that never panic: whoever read them may be gone (`tenfour check | head`).
//!
//! A leaf.

use std::io::{self, Write};
use std::process::ExitCode;

/// Prints a line to standard output.
///
/// # Errors
/// What the system says; [`io::ErrorKind::BrokenPipe`] if nobody reads any more.
pub fn out(text: &str) -> io::Result<()> {
    line(&mut io::stdout().lock(), text)
}

/// Prints a line to standard error, if anybody still reads it.
pub fn err(text: &str) {
    // There is nowhere left to report a failure to.
    line(&mut io::stderr().lock(), text).ok();
}

/// The exit code of a command whose job was to print: that a reader left early is its own decision, a full disk is a failure.
#[must_use]
pub fn code(printed: io::Result<()>) -> ExitCode {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            err(&format!("tenfour: cannot write to standard output: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// One write, so that lines of several threads do not mix.
fn line(to: &mut impl Write, text: &str) -> io::Result<()> {
    to.write_all(format!("{text}\n").as_bytes()).and_then(|()| to.flush())
}

/// Standard error for the log: what cannot be written is dropped, so that a log whose reader is gone stops nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogSink;

impl Write for LogSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(bytes).ok();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush().ok();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_left_is_no_failure_and_a_full_disk_is_one() {
        let code = |kind: io::ErrorKind| format!("{:?}", super::code(Err(kind.into())));
        assert_eq!(code(io::ErrorKind::BrokenPipe), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(code(io::ErrorKind::StorageFull), format!("{:?}", ExitCode::FAILURE));
        assert_eq!(format!("{:?}", super::code(Ok(()))), format!("{:?}", ExitCode::SUCCESS));
    }
}
