//! Counts and lists in words.

use tenfour_chart as chart;

use crate::render::text::{self, SafeText, safe};

/// `1 line`, `2 lines`.
pub(super) fn counted(count: usize, one: &'static str, many: &'static str) -> SafeText {
    safe!("{} {}", text::plain(&chart::count_of(count), 40), if count == 1 { one } else { many })
}

/// `911, panic and pager`.
pub(super) fn and(words: &[SafeText]) -> SafeText {
    SafeText::list(words, "and")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_counted() {
        let of = |count| counted(count, "entry", "entries");
        assert_eq!([0, 1, 2, 1_234].map(of), ["0 entries", "1 entry", "2 entries", "1,234 entries"]);
    }
}
