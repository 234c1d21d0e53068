//! Shortens locations: the short form for titles, and the street without its house number for the public.

use super::text;

/// The first street of a location, as sent: `Alta St` of `Alta St / Integrity Way`.
pub(super) fn first(location: &str) -> &str {
    let end = [" / ", " & ", ", ", "\n", " | "].into_iter().filter_map(|sep| location.find(sep)).min();
    let first = end.map_or(location, |end| location.split_at(end).0).trim();
    if first.is_empty() { location.trim() } else { first }
}

/// The streets of a location without anything that leads to an address: house numbers, postals and text in brackets, flats and
/// units. Numbers that name a road stay (`9th St`, `Route 68`, `I-5`), where the road's word begins the name. In doubt, leaves out more.
/// Unescaped.
///
/// A name that a player wrote into the location itself ("John's house") can't be recognized.
pub(super) fn public(location: &str) -> Option<String> {
    let mut open = String::new();
    let mut depth = 0_usize;
    for c in location.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            c if depth == 0 => open.push(c),
            _ => {}
        }
    }
    let streets: Vec<String> = open
        .split(['/', ',', '&', '|', ';', '\n'])
        .map(street)
        .filter(|s| text::visible(Some(s)).is_some_and(|s| s.contains(char::is_alphabetic)))
        .collect();
    (!streets.is_empty()).then(|| streets.join(" / "))
}

fn street(part: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut names_door = false;
    for token in part.split_whitespace() {
        let word = token.trim_matches(|c: char| !c.is_alphanumeric() && c != '#').to_lowercase();
        if matches!(word.as_str(), "apt" | "apartment" | "unit" | "suite" | "ste" | "room" | "rm" | "flat" | "floor" | "lot" | "house")
            || word.starts_with('#')
            || matches!(word.as_str(), "postal" | "block" | "no" | "number")
        {
            // `Apt 4`, `#12`, `Postal 9001`: nothing after them is a street.
            if !kept.is_empty() {
                break;
            }
            names_door = !word.starts_with('#');
            continue;
        }
        // `Apt B Main St`: its name.
        if std::mem::take(&mut names_door) {
            continue;
        }
        let numbered = word.chars().any(char::is_numeric);
        // `Great Ocean Hwy 1180` is a house, `Hwy 1` a road.
        let after_road = matches!(kept.as_slice(), [first] if road(first));
        if !numbered || ordinal(&word) || route(&word) || (after_road && word.len() <= 4 && word.chars().all(|c| c.is_ascii_digit())) {
            kept.push(token);
        }
    }
    kept.join(" ")
}

/// `9th`, `2nd`.
fn ordinal(word: &str) -> bool {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < word.len() && matches!(rest, "st" | "nd" | "rd" | "th")
}

/// `I-5`, `SR68`.
fn route(word: &str) -> bool {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let letters = word.len() - rest.len();
    let digits = rest.strip_prefix('-').unwrap_or(rest);
    matches!(word.get(..letters), Some("i" | "us" | "sr" | "cr" | "rt" | "hwy"))
        && (1..=4).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Words that a number belongs to.
fn road(word: &str) -> bool {
    let word = word.trim_end_matches('.').to_lowercase();
    matches!(
        word.as_str(),
        "route" | "rte" | "highway" | "hwy" | "interstate" | "freeway" | "fwy" | "exit" | "pier" | "gate" | "dock" | "junction"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_form() {
        for (location, short) in [
            ("Alta St / Integrity Way", "Alta St"),
            ("1180 Lantern Quay, Brineford", "1180 Lantern Quay"),
            ("Alta St", "Alta St"),
            (" / Alta St", "/ Alta St"),
            ("", ""),
        ] {
            assert_eq!(first(location), short);
        }
    }

    #[test]
    fn no_way_to_the_door() {
        for (location, street) in [
            ("Alta St / Integrity Way", Some("Alta St / Integrity Way")),
            ("1180 Lantern Quay, Brineford", Some("Lantern Quay / Brineford")),
            ("Breakwater Road 44", Some("Breakwater Road")),
            ("12B Main St Apt 4", Some("Main St")),
            ("Apt 4 Main St", Some("Main St")),
            ("Main St #12 back door", Some("Main St")),
            ("Main St (9001)", Some("Main St")),
            ("Main St [unit 3] & 9th Ave", Some("Main St / 9th Ave")),
            ("Route 68 / I-5 / Pier 9 Access", Some("Route 68 / I-5 / Pier 9 Access")),
            ("Highway 12345", Some("Highway")),
            ("Great Ocean Hwy 1180", Some("Great Ocean Hwy")),
            ("Senora Freeway 44", Some("Senora Freeway")),
            ("Great Ocean Hwy 1180 / Hwy 1", Some("Great Ocean Hwy / Hwy 1")),
            ("1180 Route 68", Some("Route 68")),
            ("Interstate 4 12", Some("Interstate 4")),
            ("Exit 12 / Gate 3", Some("Exit 12 / Gate 3")),
            ("Apt B Main St", Some("Main St")),
            ("Apt. B, Main St", Some("Main St")),
            ("Unit B, 12 Main St", Some("Main St")),
            ("Suite #B Main St", Some("Main St")),
            ("#B Main St", Some("Main St")),
            ("Apt #4 B Main St", Some("B Main St")),
            ("Postal 9001", None),
            ("9001", None),
            ("(all secret", None),
            ("  ", None),
        ] {
            assert_eq!(public(location).as_deref(), street, "{location}");
        }
    }
}
