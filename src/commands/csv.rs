//! Tables for spreadsheets, by RFC 4180: cells with separators, quotes or breaks are quoted, lines end with CR LF.
//!
//! Text from people is never a formula there, whatever separator the program uses: where that isn't a comma (a semicolon or a tab, by
//! the reader's language), a quoted cell is cut at the semicolons, tabs and breaks in it.

use crate::render::text;

/// What a spreadsheet reads as the beginning of a formula, in every width and form.
const SIGNS: [char; 13] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫', '−'];
/// Where a cell may end for a program that doesn't use commas, or that knows more line breaks.
const ENDS: [char; 9] = [';', '\t', '\r', '\n', '\u{B}', '\u{C}', '\u{85}', '\u{2028}', '\u{2029}'];

/// A line of cells.
pub(super) fn row<const N: usize>(cells: [&str; N]) -> String {
    format!("{}\r\n", cells.map(cell).join(","))
}

/// A stranger's text as one cell.
fn cell(raw: &str) -> String {
    let text = defused(raw);
    if text.contains([',', '"']) || text.contains(ENDS) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// With an apostrophe before a would-be formula: spreadsheets read it as "this is text".
fn defused(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len() + 1);
    let unseen = raw.trim_start_matches(|c: char| invisible(c) && !ENDS.contains(&c));
    if unseen.starts_with(ENDS) && !unseen.starts_with(';') {
        text.push('\'');
    }
    for part in raw.split_inclusive(ENDS) {
        // Some programs first drop invisible characters, or the quotes that a cut leaves at the front.
        if part.trim_start_matches(|c| invisible(c) || c == '"').starts_with(SIGNS) {
            text.push('\'');
        }
        text.push_str(part);
    }
    text
}

/// Invisible or only white space: a formula may hide behind it.
fn invisible(c: char) -> bool {
    c.is_whitespace() || text::visible(Some(c.encode_utf8(&mut [0; 4]))).is_none()
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
            // These end a cell.
            ("a;=1", "\"a;'=1\""),
            ("a; +1", "\"a;' +1\""),
            ("a\t-1", "\"a\t'-1\""),
            ("a\n@A1", "\"a\n'@A1\""),
            ("a\r\n＝1", "\"a\r\n'＝1\""),
            ("a;b", "\"a;b\""),
            // After what a cut leaves of a quoted cell.
            ("\"=1", "\"'\"\"=1\""),
            ("a;\"=1", "\"a;'\"\"=1\""),
        ] {
            assert_eq!(cell(raw), said, "{raw:?}");
        }
    }

    #[test]
    fn a_formula_does_not_hide_behind_what_nobody_sees() {
        let hidden = [
            "\u{FEFF}",
            "\u{200B}",
            "\u{200C}",
            "\u{200D}",
            "\u{200E}",
            "\u{202E}",
            "\u{2060}",
            "\u{2066}",
            "\u{AD}",
            "\u{34F}",
            "\u{61C}",
            "\u{115F}",
            "\u{180E}",
            "\u{2800}",
            "\u{3164}",
            "\u{FFA0}",
            "\u{FE0F}",
            "\u{E0020}",
            "\u{E0101}",
            "\u{0}",
            "\u{1}",
            "\u{1B}",
            "\u{7F}",
            "\u{9F}",
            "\u{A0}",
            "\u{2003}",
            "\u{3000}",
            "\u{B}",
            "\u{C}",
            "\u{85}",
            "\u{2028}",
            "\u{2029}",
            "\t",
            "\r",
            "\n",
            " ",
            "\u{200B} \u{FEFF}\t",
            "\"",
            "\u{200B}\"",
        ];
        for before in hidden {
            for formula in SIGNS {
                let raw = format!("{before}{formula}1+1");
                let made = cell(&raw);
                let inner = made.trim_matches('"').replace("\"\"", "\"");
                // Wherever a program starts a cell, it starts with the apostrophe, or with something harmless.
                for part in inner.split(ENDS) {
                    let start = part.trim_start_matches(|c| invisible(c) || c == '"');
                    assert!(!start.starts_with(SIGNS), "{raw:?} became {made:?}");
                }
                assert!(inner.contains('\''), "{raw:?} became {made:?}");
            }
        }
        for tab in ["\u{200B}\tx", "\u{FEFF}\rx", " \nx"] {
            assert!(cell(tab).starts_with("\"'"), "{tab:?}");
        }
        // Ordinary text stays readable.
        for plain in ["A-12", "Unit 7", "é", "\u{1F6A8} 911", "10-50", "<@5>", "5", "12.5", "a=b", "🇩🇪"] {
            assert_eq!(cell(plain), plain);
        }
        assert_eq!(cell("+1 555 0100"), "'+1 555 0100");
        assert_eq!(cell("-5"), "'-5");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn anything_is_one_harmless_cell(raw in "[a=+@＝ ;,\t\r\n\"'\u{200B}\u{FEFF}\u{AD}\u{2028}-]{0,12}") {
            let made = cell(&raw);
            let inner = match made.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
                Some(quoted) => {
                    prop_assert!(!quoted.replace("\"\"", "").contains('"'), "{made:?}");
                    quoted.replace("\"\"", "\"")
                }
                None => {
                    prop_assert!(!made.contains([',', '"']) && !made.contains(ENDS), "{made:?}");
                    made.clone()
                }
            };
            prop_assert!(inner.split(ENDS).all(|part| !part.trim_start_matches(|c| invisible(c) || c == '"').starts_with(SIGNS)), "{made:?}");
            prop_assert!(!inner.starts_with(['\t', '\r', '\n']), "{made:?}");
        }
    }
}
