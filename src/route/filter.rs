//! The filter of a route: a pure predicate over the facts of one occasion.
//!
//! A criterion applies only to kinds that can have its fact, and is strict there: unknown values don't pass. But a panic
//! never waits for unknown facts of its unit (docs/cad-contract.md#e12).
//!
//! | Criterion | Applies to |
//! |---|---|
//! | priority | dispatches; emergency and civil calls that have one |
//! | department, service | dispatches, panics, duty, status, pages: by the units involved |
//! | postal | emergency and civil calls, dispatches, callouts |
//! | include, exclude | everything, by every free text; exclude beats include |
//!
//! Several values of one criterion: any of them. Several criteria: all of them.

mod criterion;
mod known;
mod sentence;
#[cfg(test)]
mod tests;
mod values;

use serde::{Deserialize, Serialize};

use crate::event::{Priority, Topic};

pub use criterion::{Criterion, MAX_VALUE_CHARS, MAX_VALUES};
pub use known::KnownPriorities;
pub use values::{FilterError, PostalPattern, Service};

/// Criteria; an empty one allows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Levels, and words of custom layouts in any letter case.
    pub priorities: Vec<Priority>,
    /// Names, in any letter case.
    pub departments: Vec<String>,
    /// What kind of unit.
    pub services: Vec<Service>,
    /// One of these must be mentioned, in any letter case, also inside words.
    pub include: Vec<String>,
    /// None of these may be.
    pub exclude: Vec<String>,
    pub postals: Vec<PostalPattern>,
}

/// The facts that a filter may use.
#[derive(Clone, Copy, Debug)]
pub struct FilterFacts<'a> {
    /// What kind of news.
    pub topic: Topic,
    /// Among [`Topic::Other`], a callout: the only kind there with a postal.
    pub callout: bool,
    /// Of a dispatch; of an emergency or civil call, if its `metaData` has one.
    pub priority: Option<&'a Priority>,
    /// Departments of the units involved, where known.
    pub departments: &'a [String],
    /// What kinds of units are involved, where known.
    pub services: &'a [Service],
    pub postal: Option<&'a str>,
    /// Every free text, searched by include and exclude.
    pub texts: &'a [String],
}

impl FilterFacts<'_> {
    /// Only the kind is known.
    #[must_use]
    pub fn unknown(topic: Topic) -> Self {
        Self { topic, callout: false, priority: None, departments: &[], services: &[], postal: None, texts: &[] }
    }
}

impl Filter {
    /// Asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        Criterion::ALL.into_iter().all(|criterion| self.count(criterion) == 0)
    }

    /// How many values a criterion has; 0 = it allows everything.
    #[must_use]
    pub fn count(&self, criterion: Criterion) -> usize {
        match criterion {
            Criterion::Priority => self.priorities.len(),
            Criterion::Department => self.departments.len(),
            Criterion::Service => self.services.len(),
            Criterion::Include => self.include.len(),
            Criterion::Exclude => self.exclude.len(),
            Criterion::Postal => self.postals.len(),
        }
    }

    /// Sets one criterion from typed text: values separated by commas. `any`, `-` or nothing clears it.
    ///
    /// # Errors
    /// [`FilterError`], a sentence for people. The filter stays as it was.
    pub fn change(&mut self, criterion: Criterion, text: &str) -> Result<(), FilterError> {
        let typed = values::split(criterion, text)?;
        match criterion {
            Criterion::Priority => self.priorities = values::priorities(&typed)?,
            Criterion::Department => self.departments = values::words(&typed),
            Criterion::Service => self.services = values::services(&typed)?,
            Criterion::Include => self.include = values::words(&typed),
            Criterion::Exclude => self.exclude = values::words(&typed),
            Criterion::Postal => self.postals = values::postals(&typed)?,
        }
        Ok(())
    }

    /// As [`Filter::change`], but a priority must be one of the community's: a label, or seen on a call. An
    /// unused one would silence a route. Labels of levels become the levels.
    ///
    /// # Errors
    /// [`FilterError`], a sentence for people. The filter stays as it was.
    pub fn change_known(&mut self, criterion: Criterion, text: &str, known: &KnownPriorities) -> Result<(), FilterError> {
        let mut changed = self.clone();
        changed.change(criterion, text)?;
        if criterion == Criterion::Priority {
            changed.priorities = known.resolve(&changed.priorities, text)?;
        }
        *self = changed;
        Ok(())
    }

    /// Why nothing could ever pass: every required word contains an excluded one.
    ///
    /// # Errors
    /// [`FilterError::Nothing`].
    pub fn check(&self) -> Result<(), FilterError> {
        let excluded = |word: &String| {
            let word = values::folded(word);
            self.exclude.iter().any(|other| word.contains(&values::folded(other)))
        };
        if !self.include.is_empty() && self.include.iter().all(excluded) { Err(FilterError::Nothing) } else { Ok(()) }
    }

    /// Whether something with these facts passes.
    #[must_use]
    pub fn admits(&self, facts: &FilterFacts<'_>) -> bool {
        self.priority_admits(facts)
            && (self.departments.is_empty()
                || !Criterion::Department.judges(facts.topic)
                || (facts.topic == Topic::Panic && facts.departments.is_empty())
                || facts.departments.iter().any(|known| self.departments.iter().any(|asked| values::alike(known, asked))))
            && (self.services.is_empty()
                || !Criterion::Service.judges(facts.topic)
                || (facts.topic == Topic::Panic && facts.services.is_empty())
                || facts.services.iter().any(|known| self.services.contains(known)))
            && self.postal_admits(facts)
            && self.words_admit(facts.texts)
    }

    fn priority_admits(&self, facts: &FilterFacts<'_>) -> bool {
        if self.priorities.is_empty() || !Criterion::Priority.judges(facts.topic) {
            return true;
        }
        match facts.priority {
            Some(known) => self.priorities.iter().any(|asked| match (known, asked) {
                (Priority::Word(known), Priority::Word(asked)) => values::alike(known, asked),
                (known, asked) => known == asked,
            }),
            // Most emergency and civil calls have none, so a missing one passes.
            None => facts.topic != Topic::Dispatch,
        }
    }

    fn postal_admits(&self, facts: &FilterFacts<'_>) -> bool {
        let judged = Criterion::Postal.judges(facts.topic) && (facts.topic != Topic::Other || facts.callout);
        self.postals.is_empty() || !judged || facts.postal.is_some_and(|known| self.postals.iter().any(|pattern| pattern.covers(known)))
    }

    fn words_admit(&self, texts: &[String]) -> bool {
        if self.include.is_empty() && self.exclude.is_empty() {
            return true;
        }
        let texts: Vec<String> = texts.iter().map(|text| values::folded(text)).collect();
        let mentioned =
            |words: &[String]| words.iter().map(|word| values::folded(word)).any(|word| texts.iter().any(|t| t.contains(&word)));
        !mentioned(&self.exclude) && (self.include.is_empty() || mentioned(&self.include))
    }
}
