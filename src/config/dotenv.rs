//! Reads the `.env` file whole, then parses it with dotenvy's iterator: the process environment stays unchanged.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;

use super::problem::SettingProblem;
use super::variables::VARIABLES;

/// Largest file accepted, in bytes.
const MAX_FILE: u64 = 256 * 1024;

/// The variables of the file at `path`; none if there is no such file.
pub(super) fn read(path: &Path, problems: &mut Vec<SettingProblem>, warnings: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    match opened {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return BTreeMap::new(),
        Err(error) => {
            // A container runtime makes a directory of a bind mount whose source is missing.
            let wrong = format!("cannot be read ({error})");
            problems.push(SettingProblem::new(".env", &wrong, "a readable file, or none at all"));
            return BTreeMap::new();
        }
        Ok(_) => {}
    }
    if bytes.len() as u64 > MAX_FILE {
        problems.push(SettingProblem::new(".env", "is larger than 256 KiB", "lines NAME=value as in .env.example"));
        return BTreeMap::new();
    }
    parse(&bytes, problems, warnings)
}

fn parse(bytes: &[u8], problems: &mut Vec<SettingProblem>, warnings: &mut Vec<String>) -> BTreeMap<String, String> {
    // Windows editors write a byte order mark; dotenvy's iterator would make it part of the first name.
    let mut text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).to_vec();
    // It also gives up a last line that ends in a blank instead of a line break.
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    let mut vars: BTreeMap<String, String> = BTreeMap::new();
    let begun = Rc::new(Cell::new(0));
    let mut done = 0;
    for item in dotenvy::from_read_iter(LineByLine { rest: &text, within: false, begun: Rc::clone(&begun) }) {
        let last = begun.get();
        let first = begins(&text, done, last);
        done = last;
        match item {
            Ok((_, value)) if value.trim().is_empty() => {}
            Ok((name, value)) => {
                // An unclosed quote takes the following lines into the value, up to the next quote.
                if last > first {
                    warnings.push(format!(
                        "A value in .env goes on from line {first} to line {last}. If it should not, close its quotes in line {first}."
                    ));
                }
                // A name that isn't ours may be anything, such as a secret that ends in =.
                let known = VARIABLES.iter().any(|known| known.name == name);
                let shown = if known { name.clone() } else { "A name".to_owned() };
                if vars.insert(name, value).is_some() {
                    warnings.push(format!("{shown} is set more than once in .env, again in line {first}: the last one counts."));
                }
            }
            // dotenvy's own message quotes the line, which may contain a secret: use its number instead.
            Err(dotenvy::Error::LineParse(..)) => problems.push(SettingProblem::new(
                ".env",
                &format!("cannot be understood at line {first}"),
                "NAME=value, with single quotes around a value that holds blanks, #, $ or quotes",
            )),
            Err(_) => {
                problems.push(SettingProblem::new(".env", &format!("is not text in UTF-8 at line {last}"), "a text file saved as UTF-8"));
                break;
            }
        }
    }
    vars
}

/// The first line of an item that was read from the lines after `done` up to `last`, without leading blank lines and comments.
fn begins(bytes: &[u8], done: usize, last: usize) -> usize {
    let lines = bytes.split(|byte| *byte == b'\n').zip(1..).skip(done).take_while(|(_, number)| *number <= last);
    let is_empty = |line: &[u8]| matches!(line.trim_ascii().first(), None | Some(b'#'));
    lines.filter(|(line, _)| !is_empty(line)).map(|(_, number)| number).next().unwrap_or(last)
}

/// Yields a line at a time, so that it is known how far the parser has read: it reads no more than it needs for the next item.
struct LineByLine<'a> {
    rest: &'a [u8],
    /// In the middle of a line longer than the parser's buffer.
    within: bool,
    /// Lines started.
    begun: Rc<Cell<usize>>,
}

impl Read for LineByLine<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let line = self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |at| at + 1);
        let (now, later) = self.rest.split_at(line.min(buffer.len()));
        let (Some(into), false) = (buffer.get_mut(..now.len()), now.is_empty()) else { return Ok(0) };
        into.copy_from_slice(now);
        self.begun.set(self.begun.get() + usize::from(!self.within));
        self.within = !now.ends_with(b"\n");
        self.rest = later;
        Ok(now.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &[u8]) -> (BTreeMap<String, String>, Vec<SettingProblem>, Vec<String>) {
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        let vars = parse(text, &mut problems, &mut warnings);
        (vars, problems, warnings)
    }

    #[test]
    fn marks_comments_quotes_blanks_and_repeats() {
        let (vars, problems, warnings) = parsed(b"\xef\xbb\xbfA=1\r\n# no\r\nexport B='x $y # z'\r\nC=\r\nA=2\r\n");
        assert_eq!(problems, []);
        assert_eq!(vars.get("A").map(String::as_str), Some("2"));
        assert_eq!(vars.get("B").map(String::as_str), Some("x $y # z"));
        assert!(!vars.contains_key("C"));
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn a_broken_line_is_named_by_number_and_not_quoted() {
        let (vars, problems, _) = parsed(b"A=1\nDISCORD_TOKEN='s3cret\n");
        assert_eq!(vars.len(), 1);
        assert_eq!(problems.len(), 1);
        let text = problems[0].to_string();
        assert!(text.contains("line 2") && !text.contains("s3cret"), "{text}");
        let (_, problems, _) = parsed(b"A=1\nMY SECRET s3cret\nB=2\n");
        let text = problems[0].to_string();
        assert!(text.contains("line 2") && !text.contains("s3cret"), "{text}");
    }

    #[test]
    fn a_broken_line_is_named_by_its_own_number_whatever_stands_before_it() {
        for (text, number) in [
            ("\nA=1\n\n# it's fine\nMY SECRET s3cret\n\nB=2\n", 5),
            ("\r\n\r\nA=1\r\nDISCORD_TOKEN=s3cret more\r\n", 4),
            ("\u{feff}\n\nDISCORD_TOKEN 's3cret'\n", 3),
            ("A=\"one\ntwo\nthree\"\n\nexport s3cret\n", 5),
            ("A=1\n\n# c\nexport DISCORD_TOKEN s3cret", 4),
            ("\nA=1\n\nB='s3cret\nC=2\n\nD=3\n", 4),
            // The same line twice, once as a comment and once as a part of another.
            ("# s3cret\nA=s3cret\n\ns3cret\n", 4),
            ("A=1\n\n   \n\t# c\n  s3cret\n", 5),
            ("A=1\nB=\\s3cret\n\n", 2),
        ] {
            let (vars, problems, warnings) = parsed(text.as_bytes());
            assert_eq!(problems.len(), 1, "{text:?}: {problems:?}");
            let told = format!("{problems:?} {} {warnings:?}", problems[0]);
            assert!(told.contains(&format!("at line {number}. ")) && !told.contains("s3cret"), "{text:?}: {told}");
            assert!(!vars.contains_key("DISCORD_TOKEN"));
        }
        // A line longer than the parser reads at once counts once.
        let long = format!("A={}\n\nnonsense\n", "x".repeat(30_000));
        assert!(parsed(long.as_bytes()).1[0].to_string().contains("at line 3. "));
        // Several of them.
        let (vars, problems, _) = parsed(b"one\nA=1\n\ntwo\nB=2\n");
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(told[0].contains("at line 1. ") && told[1].contains("at line 4. ") && vars.len() == 2, "{told:?}");
    }

    #[test]
    fn a_quote_that_takes_in_other_lines_is_reported_by_number() {
        let (vars, problems, warnings) = parsed(b"\nA=it's\nDISCORD_TOKEN=s3cret\nB=that's\n");
        assert!(problems.is_empty() && !vars.contains_key("DISCORD_TOKEN"), "{problems:?}");
        let told = warnings.join("");
        assert!(told.contains("from line 2 to line 4") && !told.contains("s3cret"), "{told}");
    }

    #[test]
    fn a_last_line_without_a_line_break_is_read_whatever_it_ends_in() {
        for end in ["", " ", "\t", " # c", "\r\n", "\n  "] {
            let (vars, problems, warnings) = parsed(format!("A=1\nB=2{end}").as_bytes());
            assert_eq!((vars.get("B").map(String::as_str), problems.len(), warnings.len()), (Some("2"), 0, 0), "{end:?}");
        }
    }

    #[test]
    fn a_name_that_is_set_twice_is_repeated_only_if_it_is_ours() {
        let (_, _, warnings) = parsed(b"DISCORD_TOKEN=a\ns3cret==\n\nDISCORD_TOKEN=b\ns3cret==\n");
        let told = warnings.join("\n");
        assert!(told.contains("DISCORD_TOKEN is set more than once in .env, again in line 4"), "{told}");
        assert!(told.contains("again in line 5") && !told.contains("s3cret"), "{told}");
    }

    #[test]
    fn bytes_that_are_no_text_end_in_a_problem() {
        let (_, problems, _) = parsed(b"A=1\n\nA=\xff\xfe\nB=1\n");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].to_string().contains("at line 3"), "{}", problems[0]);
    }

    #[test]
    fn no_file_is_no_problem_and_a_directory_is_one() {
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        assert!(read(Path::new("/nonexistent/.env"), &mut problems, &mut warnings).is_empty());
        assert_eq!(problems, []);
        read(Path::new("/"), &mut problems, &mut warnings);
        assert_eq!(problems.len(), 1);
    }
}
