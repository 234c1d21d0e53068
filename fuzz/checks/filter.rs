//! Checks filters: input is accepted or rejected as a whole, stays within its bounds, and survives being stored and typed again.
//!
//! Input: lines; the first byte of each chooses the criterion, the rest is what was typed.

use tenfour::event::{Priority, Topic};
use tenfour::route::filter::{MAX_VALUE_CHARS, MAX_VALUES, Service};
use tenfour::route::{Criterion, Filter, FilterFacts, Listens};

/// Discord's longest message, in UTF-16 units.
const MAX_MESSAGE_LENGTH: usize = 2_000;
/// Longest text of an option of `/alerts filter`, in characters.
const TYPED: usize = 1_500;

/// Panics if a promise is broken.
pub(super) fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut filter = Filter::default();
    for line in text.split('\n').take(12) {
        let mut chars = line.chars();
        let Some(first) = chars.next() else { continue };
        let criterion = Criterion::ALL[first as usize % Criterion::ALL.len()];
        let typed: String = chars.take(TYPED).collect();
        change(&mut filter, criterion, &typed);
    }
    stored(&filter);
    check_wording(&filter);
    judged(&filter);
}

fn change(filter: &mut Filter, criterion: Criterion, typed: &str) {
    let before = filter.clone();
    if let Err(error) = filter.change(criterion, typed) {
        assert_eq!(*filter, before, "half of what was typed was taken");
        let sentence = error.to_string();
        assert!(sentence.encode_utf16().count() < 400, "{sentence}");
        harmless(&sentence);
        return;
    }
    for other in Criterion::ALL.into_iter().filter(|other| *other != criterion) {
        assert_eq!(values(filter, other), values(&before, other), "{criterion:?} changed {other:?}");
    }
    let values = values(filter, criterion);
    assert!(values.len() <= MAX_VALUES, "{} values", values.len());
    for value in &values {
        assert!(value.chars().count() <= MAX_VALUE_CHARS && !value.trim().is_empty(), "{value:?}");
    }
    // Typed again as it is now, nothing changes. In quotes: bare, the word `any` would clear it.
    let mut again = before;
    let typed: Vec<String> = values.iter().map(|value| format!("“{value}”")).collect();
    again.change(criterion, &typed.join(", ")).unwrap_or_else(|error| panic!("{values:?}: {error}"));
    assert_eq!(*filter, again);
}

/// The values of a criterion as people type them.
fn values(filter: &Filter, criterion: Criterion) -> Vec<String> {
    match criterion {
        Criterion::Priority => filter
            .priorities
            .iter()
            .map(|priority| match priority {
                Priority::Level(level) => level.to_string(),
                Priority::Word(word) => word.clone(),
            })
            .collect(),
        Criterion::Department => filter.departments.clone(),
        Criterion::Service => filter.services.iter().map(|service| service.as_str().to_owned()).collect(),
        Criterion::Include => filter.include.clone(),
        Criterion::Exclude => filter.exclude.clone(),
        Criterion::Postal => filter.postals.iter().map(ToString::to_string).collect(),
    }
}

/// Rows hold it as JSON.
fn stored(filter: &Filter) {
    let row = serde_json::to_string(filter).unwrap();
    assert_eq!(serde_json::from_str::<Filter>(&row).unwrap(), *filter, "{row}");
}

fn check_wording(filter: &Filter) {
    for listens in Topic::ALL.map(Listens::To).into_iter().chain([Listens::All]) {
        let sentence = filter.sentence(listens);
        assert!(!sentence.is_empty() && sentence.encode_utf16().count() <= MAX_MESSAGE_LENGTH, "{sentence}");
        assert!(!sentence.contains(['\n', '\r']), "{sentence:?}");
        harmless(&sentence);
    }
}

fn judged(filter: &Filter) {
    let words: Vec<String> = filter.include.clone();
    let forbidden: Vec<String> = filter.exclude.clone();
    for topic in Topic::ALL {
        for priority in filter.priorities.iter().map(Some).chain([None]) {
            let facts = FilterFacts {
                priority,
                departments: &filter.departments,
                services: &filter.services,
                texts: &words,
                ..FilterFacts::unknown(topic)
            };
            let admitted = filter.admits(&facts);
            // A call with every word asked for, a unit of every department, and the priority asked for.
            if filter.exclude.is_empty() && filter.postals.is_empty() && (priority.is_some() || filter.priorities.is_empty()) {
                assert!(admitted, "{filter:?} keeps out what it asks for: {facts:?}");
            }
            let both: Vec<String> = words.iter().chain(&forbidden).cloned().collect();
            if !forbidden.is_empty() {
                assert!(!filter.admits(&FilterFacts { texts: &both, ..facts }), "{filter:?} lets through what it excludes");
            }
        }
        if filter.is_empty() {
            assert!(filter.admits(&FilterFacts::unknown(topic)));
        }
    }
    let services: Vec<Service> = Service::ALL.into_iter().filter(|service| !filter.services.contains(service)).collect();
    let other = FilterFacts { services: &services, texts: &words, departments: &filter.departments, ..FilterFacts::unknown(Topic::Panic) };
    if !filter.services.is_empty() {
        assert!(!filter.admits(&other), "{filter:?} lets through other services");
    }
}

fn harmless(text: &str) {
    for act in ["@everyone", "@here", "<@", "<#", "</", "://"] {
        assert!(!text.contains(act), "{act} in {text:?}");
    }
}
