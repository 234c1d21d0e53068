//! Knows a community's priorities: a filter for one that no call has would let nothing through.

use std::collections::{BTreeMap, BTreeSet};

use super::sentence::listed;
use super::values::{QUOTED, alike, bare};
use super::{Criterion, FilterError, MAX_VALUES};
use crate::event::Priority;
use crate::render::text::{self, SafeText, safe};

/// Levels that the CAD documents.
const DOCUMENTED: [i64; 3] = [1, 2, 3];
/// Longest name of a level or word in a choice, in UTF-16 units.
const NAME: usize = 40;

/// The community's priorities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPriorities {
    names: BTreeMap<i64, String>,
    levels: BTreeSet<i64>,
    words: Vec<String>,
}

impl KnownPriorities {
    /// The levels that the CAD documents and those with a label.
    #[must_use]
    pub fn named(names: &BTreeMap<i64, String>) -> Self {
        Self { names: names.clone(), levels: DOCUMENTED.into_iter().chain(names.keys().copied()).collect(), words: Vec::new() }
    }

    /// Adds one that a call has had, or that a route uses already.
    pub fn add(&mut self, priority: &Priority) {
        match priority {
            Priority::Level(level) => {
                self.levels.insert(*level);
            }
            Priority::Word(word) => {
                if text::visible(Some(word)).is_some() && !self.words.iter().any(|known| alike(known, word)) {
                    self.words.push(word.clone());
                }
            }
        }
    }

    /// The choices: the value, and its label.
    #[must_use]
    pub fn choices(&self) -> Vec<(String, SafeText)> {
        let level = |level: &i64| match self.names.get(level) {
            Some(name) => (level.to_string(), safe!("{} ({})", level, text::line(name, NAME))),
            None => (level.to_string(), safe!("{}", level)),
        };
        let words = self.words.iter().map(|word| (word.clone(), text::line(word, NAME)));
        self.levels.iter().map(level).chain(words).collect()
    }

    /// The values for `asked`: existing levels, levels for labels, and words that calls have had.
    pub(super) fn resolve(&self, asked: &[Priority], typed: &str) -> Result<Vec<Priority>, FilterError> {
        // In a range those that exist, but single ones must exist.
        let range = |level: i64| !typed.split(',').any(|value| super::values::level(bare(value)) == Some(Some(level)));
        let mut found: Vec<Priority> = Vec::new();
        for priority in asked {
            let meant = self.meant(priority);
            if meant.is_empty() && !matches!(priority, Priority::Level(level) if range(*level)) {
                return Err(self.unknown(priority));
            }
            for one in meant {
                if !found.contains(&one) {
                    found.push(one);
                }
            }
        }
        match asked.first() {
            Some(first) if found.is_empty() => Err(self.unknown(first)),
            _ if found.len() > MAX_VALUES => Err(FilterError::TooMany(Criterion::Priority)),
            _ => Ok(found),
        }
    }

    fn meant(&self, priority: &Priority) -> Vec<Priority> {
        match priority {
            Priority::Level(level) => self.levels.get(level).map(|level| Priority::Level(*level)).into_iter().collect(),
            Priority::Word(word) => {
                let named = self.names.iter().filter(|(_, name)| alike(name, word)).map(|(level, _)| Priority::Level(*level));
                let words = self.words.iter().filter(|known| alike(known, word)).map(|known| Priority::Word(known.clone()));
                named.chain(words).collect()
            }
        }
    }

    fn unknown(&self, priority: &Priority) -> FilterError {
        let typed = match priority {
            Priority::Level(level) => safe!("{}", level),
            Priority::Word(word) => text::line(word, QUOTED),
        };
        FilterError::UnknownPriority(typed, listed(self.choices().into_iter().map(|(_, shown)| shown)))
    }
}
