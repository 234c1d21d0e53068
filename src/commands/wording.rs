//! Counts and lists in words.

use tenfour_chart as chart;

use crate::render::text::{SafeText, safe};

/// `1 line`, `2 lines`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", chart::count_of(count), if count == 1 { one } else { many })
}

/// `911, panic and pager`.
pub(super) fn and(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// [`and`] of what is safe.
pub(super) fn and_safe(words: &[SafeText]) -> SafeText {
    match words {
        [] => SafeText::default(),
        [one] => one.clone(),
        [most @ .., last] => safe!("{} and {}", SafeText::join(most.iter().cloned(), ", "), last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_counted() {
        let of = |count| counted(count, "entry", "entries");
        assert_eq!([0, 1, 2, 1_234].map(of), ["0 entries", "1 entry", "2 entries", "1,234 entries"]);
    }

    #[test]
    fn words_are_joined() {
        let of = |words: &[&str]| and(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!((of(&[]), of(&["a"]), of(&["a", "b", "c"])), (String::new(), "a".into(), "a, b and c".into()));
    }
}
