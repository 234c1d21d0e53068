//! Tables for spreadsheets, by RFC 4180: cells with separators, quotes or breaks are quoted, lines end with CR LF.
//!
//! What people wrote is never a formula there, whatever the program takes for a separator: where a comma is none (a semicolon or a tab is, by
//! the reader's language), a quoted cell is cut at the semicolons, tabs and breaks in it.

/// What a spreadsheet takes for the beginning of a formula, in both widths.
const SIGNS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
/// Where a cell may end for a program that does not read commas.
const ENDS: [char; 4] = [';', '\t', '\r', '\n'];

/// A line of cells.
pub(super) fn row<const N: usize>(cells: [&str; N]) -> String {
    format!("{}\r\n", cells.map(cell).join(","))
}

/// A stranger's text as one cell.
fn cell(raw: &str) -> String {
    let text = defused(raw);
    if text.contains([',', ';', '"', '\t', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// With an apostrophe before what would be a formula: spreadsheets take it for "this is text".
fn defused(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len() + 1);
    if raw.starts_with(['\t', '\r', '\n']) {
        text.push('\'');
    }
    for part in raw.split_inclusive(ENDS) {
        // Some programs drop the blanks first.
        if part.trim_start().starts_with(SIGNS) {
            text.push('\'');
        }
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cells_are_text_by_the_book() {
        for (raw, said) in [
            ("Ann", "Ann"),
            ("", ""),
            ("A-12", "A-12"),
            ("<@5>", "<@5>"),
            ("Lee, Ann", "\"Lee, Ann\""),
            ("Lee; Ann", "\"Lee; Ann\""),
            ("a\tb", "\"a\tb\""),
            ("the \"Boss\"", "\"the \"\"Boss\"\"\""),
            ("a\r\nb", "\"a\r\nb\""),
        ] {
            assert_eq!(cell(raw), said, "{raw:?}");
        }
        assert_eq!(row(["a", "b,c", "=1"]), "a,\"b,c\",'=1\r\n");
    }

    #[test]
    fn nothing_is_a_formula() {
        for (raw, said) in [
            ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
            ("+1", "'+1"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            (" =1", "' =1"),
            ("＝1", "'＝1"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            ("＠A1", "'＠A1"),
            ("\t=1", "\"'\t'=1\""),
            ("\r1", "\"'\r1\""),
            ("\n1", "\"'\n1\""),
            // Where these end a cell.
            ("a;=1", "\"a;'=1\""),
            ("a; +1", "\"a;' +1\""),
            ("a\t-1", "\"a\t'-1\""),
            ("a\n@A1", "\"a\n'@A1\""),
            ("a\r\n＝1", "\"a\r\n'＝1\""),
            ("a;b", "\"a;b\""),
        ] {
            assert_eq!(cell(raw), said, "{raw:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn anything_is_one_harmless_cell(raw in "[a=+@＝ ;,\t\r\n\"'-]{0,12}") {
            let made = cell(&raw);
            let inner = match made.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
                Some(quoted) => {
                    prop_assert!(!quoted.replace("\"\"", "").contains('"'), "{made:?}");
                    quoted.replace("\"\"", "\"")
                }
                None => {
                    prop_assert!(!made.contains([',', ';', '"', '\t', '\r', '\n']), "{made:?}");
                    made.clone()
                }
            };
            prop_assert!(inner.split(ENDS).all(|part| !part.trim_start().starts_with(SIGNS)), "{made:?}");
            prop_assert!(!inner.starts_with(['\t', '\r', '\n']), "{made:?}");
        }
    }
}
