//! The `.env` file. Read whole, then parsed by dotenvy's iterator: the process environment stays as it is.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::Problem;

/// Largest file accepted, in bytes.
const MAX_FILE: u64 = 256 * 1024;

/// The variables of the file at `path`; none if there is no such file.
pub(super) fn read(path: &Path, problems: &mut Vec<Problem>, warnings: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    match opened {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return BTreeMap::new(),
        Err(error) => {
            // A container runtime makes a directory of a bind mount whose source is missing.
            let wrong = format!("cannot be read ({error})");
            problems.push(Problem::new(".env", None, &wrong, "a readable file, or none at all"));
            return BTreeMap::new();
        }
        Ok(_) => {}
    }
    if bytes.len() as u64 > MAX_FILE {
        problems.push(Problem::new(".env", None, "is larger than 256 KiB", "lines NAME=value as in .env.example"));
        return BTreeMap::new();
    }
    parse(&bytes, problems, warnings)
}

fn parse(bytes: &[u8], problems: &mut Vec<Problem>, warnings: &mut Vec<String>) -> BTreeMap<String, String> {
    // Windows editors write a byte order mark; dotenvy's iterator would make it part of the first name.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut vars: BTreeMap<String, String> = BTreeMap::new();
    for line in dotenvy::from_read_iter(bytes) {
        match line {
            Ok((_, value)) if value.trim().is_empty() => {}
            Ok((name, value)) => {
                if vars.insert(name.clone(), value).is_some() {
                    warnings.push(format!("{name} is set more than once in .env: the last one counts."));
                }
            }
            // dotenvy's own text quotes the line, which may hold a secret: tell its number instead.
            Err(dotenvy::Error::LineParse(line, _)) => {
                let number =
                    String::from_utf8_lossy(bytes).lines().position(|l| l.trim() == line.trim() || line.starts_with(l)).map(|at| at + 1);
                let wrong = match number {
                    Some(number) => format!("cannot be understood at line {number}"),
                    None => "holds a line that cannot be understood".into(),
                };
                problems.push(Problem::new(
                    ".env",
                    None,
                    &wrong,
                    "NAME=value, with single quotes around a value that holds blanks, #, $ or quotes",
                ));
            }
            Err(_) => {
                problems.push(Problem::new(".env", None, "is not text in UTF-8", "a text file saved as UTF-8"));
                break;
            }
        }
    }
    vars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &[u8]) -> (BTreeMap<String, String>, Vec<Problem>, Vec<String>) {
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
    fn bytes_that_are_no_text_end_in_a_problem() {
        let (_, problems, _) = parsed(b"A=\xff\xfe\nB=1\n");
        assert_eq!(problems.len(), 1);
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
