//! A filter as one sentence for people.

use super::{Criterion, Filter, Service};
use crate::event::{Priority, Topic};
use crate::render::text::{self, SafeText, safe};
use crate::route::Listens;

/// Limit on one typed value, in UTF-16 units.
const VALUE: usize = 60;
/// Limit on all values of one criterion; further ones are counted. The whole sentence stays below 2,000 units, Discord's message.
const VALUES: usize = 200;

impl Filter {
    /// The filter as a one-line sentence of at most 2,000 UTF-16 units. It depends on what the route listens to, since a criterion applies
    /// only to kinds with its fact.
    #[must_use]
    pub fn sentence(&self, listens: Listens) -> SafeText {
        if self.is_empty() {
            return "Lets everything through.".into();
        }
        match listens {
            Listens::All => self.of_everything(),
            Listens::To(topic) => self.of_topic(topic),
        }
    }

    fn of_everything(&self) -> SafeText {
        let mut rules = Vec::new();
        if !self.priorities.is_empty() {
            rules.push(safe!("dispatches (and other calls that have a priority) only of priority {}", self.priorities()));
        }
        let only = |units| safe!("dispatches, panics, pages and news of units only {} (panics also while that is not known)", units);
        rules.extend(self.units().into_iter().map(only));
        if !self.postals.is_empty() {
            rules.push(safe!("calls and callouts only at postal {}", self.postals()));
        }
        if rules.is_empty() {
            return safe!("{}.", self.words_only());
        }
        safe!("Lets everything through, but {}{}.", SafeText::join(rules, "; "), self.words("; and of all that "))
    }

    fn of_topic(&self, topic: Topic) -> SafeText {
        let kind = kind(topic);
        let mut rules = Vec::new();
        if !self.priorities.is_empty() && Criterion::Priority.judges(topic) {
            let or_none = if topic == Topic::Dispatch { "" } else { " or without a priority" };
            rules.push(safe!(" of priority {}{}", self.priorities(), or_none));
        }
        if Criterion::Department.judges(topic) {
            // A panic doesn't wait until its unit is known.
            let unknown = if topic == Topic::Panic { " (or while that is not known)" } else { "" };
            rules.extend(self.units().into_iter().map(|units| safe!(" {}{}", units, unknown)));
        }
        if !self.postals.is_empty() && Criterion::Postal.judges(topic) {
            let of = if topic == Topic::Other { ", callouts only" } else { "" };
            rules.push(safe!("{} at postal {}", of, self.postals()));
        }
        let idle = self.idle(topic);
        if rules.is_empty() {
            let words = self.include.len() + self.exclude.len() > 0;
            return safe!("{}{}.", if words { self.words_only() } else { "Lets everything through".into() }, idle);
        }
        safe!("Lets through {}{}{}{}.", kind, SafeText::join(rules, " and"), self.words(", and "), idle)
    }

    /// Criteria that are set but don't apply here.
    fn idle(&self, topic: Topic) -> SafeText {
        let idle: Vec<&'static str> = Criterion::ALL
            .into_iter()
            .filter(|criterion| self.count(*criterion) > 0 && !criterion.judges(topic))
            .map(Criterion::as_str)
            .collect();
        let verb = if idle.len() == 1 { "does" } else { "do" };
        if idle.is_empty() {
            SafeText::default()
        } else {
            safe!(" ({} {} not count: {} have none)", SafeText::list(idle, "and"), verb, kind(topic))
        }
    }

    /// Departments and services are separate rules.
    fn units(&self) -> Vec<SafeText> {
        let mut rules = Vec::new();
        if !self.departments.is_empty() {
            rules.push(safe!("with a unit of {}", listed(self.departments.iter().map(|name| text::line(name, VALUE)))));
        }
        if !self.services.is_empty() {
            let services: Vec<&'static str> = self.services.iter().copied().map(Service::label).collect();
            let article = if self.services.first() == Some(&Service::Ems) { "an" } else { "a" };
            rules.push(safe!("with {} {} unit", article, SafeText::list(services, "or")));
        }
        rules
    }

    fn priorities(&self) -> SafeText {
        listed(self.priorities.iter().map(|priority| match priority {
            Priority::Level(level) => safe!("{}", level),
            Priority::Word(word) => quoted(word),
        }))
    }

    fn postals(&self) -> SafeText {
        listed(self.postals.iter().map(|pattern| text::line(&pattern.to_string(), VALUE)))
    }

    /// The end of a sentence with other rules.
    fn words(&self, before: &'static str) -> SafeText {
        let include = (!self.include.is_empty()).then(|| safe!("{}only what mentions {}", before, mentions(&self.include)));
        let exclude = (!self.exclude.is_empty()).then(|| safe!(", but nothing that mentions {}", mentions(&self.exclude)));
        SafeText::join(include.into_iter().chain(exclude), "")
    }

    /// The sentence of a filter with only words.
    fn words_only(&self) -> SafeText {
        match (self.include.is_empty(), self.exclude.is_empty()) {
            (true, _) => safe!("Lets everything through but what mentions {}", mentions(&self.exclude)),
            (false, true) => safe!("Lets through only what mentions {}", mentions(&self.include)),
            (false, false) => {
                safe!("Lets through only what mentions {}, but nothing that mentions {}", mentions(&self.include), mentions(&self.exclude))
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

fn mentions(words: &[String]) -> SafeText {
    listed(words.iter().map(|word| quoted(word)))
}

fn quoted(word: &str) -> SafeText {
    safe!("“{}”", text::line(word, VALUE))
}

/// `a, b or c`; of too many the first, and how many more there are.
pub(super) fn listed(values: impl ExactSizeIterator<Item = SafeText>) -> SafeText {
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
        shown.push(safe!("{} more", left));
    }
    SafeText::list(shown, "or")
}
