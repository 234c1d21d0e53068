//! A filter as one sentence for people.

use super::{Criterion, Filter, Service};
use crate::event::{Priority, Topic};
use crate::render::text;
use crate::route::Listens;

/// Limit on one typed value, in UTF-16 units.
const VALUE: usize = 60;
/// Limit on all values of one criterion; further ones are counted. The whole sentence stays below 2,000 units, Discord's message.
const VALUES: usize = 200;

impl Filter {
    /// The filter as a one-line sentence, harmless in a Discord message and at most 2,000 UTF-16 units. It depends on what the route
    /// listens to, since a criterion applies only to kinds with its fact.
    #[must_use]
    pub fn sentence(&self, listens: Listens) -> String {
        if self.is_empty() {
            return "Lets everything through.".into();
        }
        match listens {
            Listens::All => self.of_everything(),
            Listens::To(topic) => self.of_topic(topic),
        }
    }

    fn of_everything(&self) -> String {
        let mut rules = Vec::new();
        if !self.priorities.is_empty() {
            rules.push(format!("dispatches (and other calls that have a priority) only of priority {}", self.priorities()));
        }
        let only = |units| format!("dispatches, panics, pages and news of units only {units} (panics also while that is not known)");
        rules.extend(self.units().into_iter().map(only));
        if !self.postals.is_empty() {
            rules.push(format!("calls and callouts only at postal {}", self.postals()));
        }
        if rules.is_empty() {
            return format!("{}.", self.words_only());
        }
        format!("Lets everything through, but {}{}.", rules.join("; "), self.words("; and of all that "))
    }

    fn of_topic(&self, topic: Topic) -> String {
        let kind = kind(topic);
        let mut rules = Vec::new();
        if !self.priorities.is_empty() && Criterion::Priority.judges(topic) {
            let or_none = if topic == Topic::Dispatch { "" } else { " or without a priority" };
            rules.push(format!(" of priority {}{or_none}", self.priorities()));
        }
        if Criterion::Department.judges(topic) {
            // A panic doesn't wait until its unit is known.
            let unknown = if topic == Topic::Panic { " (or while that is not known)" } else { "" };
            rules.extend(self.units().into_iter().map(|units| format!(" {units}{unknown}")));
        }
        if !self.postals.is_empty() && Criterion::Postal.judges(topic) {
            let of = if topic == Topic::Other { ", callouts only" } else { "" };
            rules.push(format!("{of} at postal {}", self.postals()));
        }
        let idle = self.idle(topic);
        if rules.is_empty() {
            let words = self.include.len() + self.exclude.len() > 0;
            return format!("{}{idle}.", if words { self.words_only() } else { "Lets everything through".into() });
        }
        format!("Lets through {kind}{}{}{idle}.", rules.join(" and"), self.words(", and "))
    }

    /// Criteria that are set but don't apply here.
    fn idle(&self, topic: Topic) -> String {
        let idle: Vec<&str> = Criterion::ALL
            .into_iter()
            .filter(|criterion| self.count(*criterion) > 0 && !criterion.judges(topic))
            .map(Criterion::as_str)
            .collect();
        let verb = if idle.len() == 1 { "does" } else { "do" };
        if idle.is_empty() { String::new() } else { format!(" ({} {verb} not count: {} have none)", joined(&idle, "and"), kind(topic)) }
    }

    /// Departments and services are separate rules.
    fn units(&self) -> Vec<String> {
        let mut rules = Vec::new();
        if !self.departments.is_empty() {
            rules.push(format!("with a unit of {}", listed(self.departments.iter().map(|name| text::line(name, VALUE).into_string()))));
        }
        if !self.services.is_empty() {
            let services: Vec<&str> = self.services.iter().copied().map(Service::label).collect();
            let article = if self.services.first() == Some(&Service::Ems) { "an" } else { "a" };
            rules.push(format!("with {article} {} unit", joined(&services, "or")));
        }
        rules
    }

    fn priorities(&self) -> String {
        listed(self.priorities.iter().map(|priority| match priority {
            Priority::Level(level) => level.to_string(),
            Priority::Word(word) => quoted(word),
        }))
    }

    fn postals(&self) -> String {
        listed(self.postals.iter().map(|pattern| text::line(&pattern.to_string(), VALUE).into_string()))
    }

    /// The end of a sentence with other rules.
    fn words(&self, before: &str) -> String {
        let mut out = String::new();
        if !self.include.is_empty() {
            out += &format!("{before}only what mentions {}", mentions(&self.include));
        }
        if !self.exclude.is_empty() {
            out += &format!(", but nothing that mentions {}", mentions(&self.exclude));
        }
        out
    }

    /// The sentence of a filter with only words.
    fn words_only(&self) -> String {
        match (self.include.is_empty(), self.exclude.is_empty()) {
            (true, _) => format!("Lets everything through but what mentions {}", mentions(&self.exclude)),
            (false, true) => format!("Lets through only what mentions {}", mentions(&self.include)),
            (false, false) => {
                format!(
                    "Lets through only what mentions {}, but nothing that mentions {}",
                    mentions(&self.include),
                    mentions(&self.exclude)
                )
            }
        }
    }
}

/// Kinds in the plural. Contains no emergency number: those are the community's labels.
fn kind(topic: Topic) -> &'static str {
    match topic {
        Topic::Emergency => "emergency calls",
        Topic::Civil => "civil calls",
        Topic::Panic => "panics",
        Topic::Dispatch => "dispatches",
        Topic::Duty => "duty changes",
        Topic::Status => "status changes",
        Topic::Record => "records",
        Topic::Bolo => "BOLOs",
        Topic::Station => "station alerts",
        Topic::Pager => "pages",
        Topic::Tone => "tones",
        Topic::Other => "other news",
    }
}

fn mentions(words: &[String]) -> String {
    listed(words.iter().map(|word| quoted(word)))
}

fn quoted(word: &str) -> String {
    format!("“{}”", text::line(word, VALUE))
}

/// `a, b or c`; of too many the first, and how many more there are.
pub(super) fn listed(values: impl ExactSizeIterator<Item = String>) -> String {
    let all = values.len();
    let (mut shown, mut used) = (Vec::new(), 0);
    for value in values {
        used += text::units(&value) + 2;
        if used > VALUES && !shown.is_empty() {
            break;
        }
        shown.push(value);
    }
    let left = all.saturating_sub(shown.len());
    if left > 0 {
        shown.push(format!("{left} more"));
    }
    joined(&shown, "or")
}

fn joined<T: AsRef<str>>(values: &[T], word: &str) -> String {
    let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
    match values.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} {word} {last}", before.join(", ")),
    }
}
