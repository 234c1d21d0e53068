//! Problems with settings, in words for the person who set them.
//!
//! Must never repeat a value, whatever the setting: people paste tokens and keys into the wrong line. The name, the problem and the valid
//! values are enough to find it.

use std::fmt;

use super::variables::VARIABLES;

/// One problem with one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingProblem {
    /// The variable, or the file `.env`.
    pub variable: String,
    /// The problem, as the rest of a sentence that begins with the name.
    pub wrong: String,
    /// What would be valid.
    pub valid: String,
}

impl SettingProblem {
    pub(super) fn new(variable: &str, wrong: &str, valid: &str) -> Self {
        Self { variable: variable.into(), wrong: wrong.into(), valid: valid.into() }
    }
}

impl fmt::Display for SettingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}. Valid: {}.", self.variable, self.wrong, self.valid)
    }
}

/// Every problem of one reading: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingProblems(Vec<SettingProblem>);

impl SettingProblems {
    /// The problems, in the order of `.env.example`.
    #[must_use]
    pub fn list(&self) -> &[SettingProblem] {
        &self.0
    }
}

impl From<Vec<SettingProblem>> for SettingProblems {
    fn from(mut list: Vec<SettingProblem>) -> Self {
        // Stable: problems of the file itself come first, then the order of the manual.
        list.sort_by_key(|problem| VARIABLES.iter().position(|known| known.name == problem.variable).map_or(0, |at| at + 1));
        Self(list)
    }
}

impl fmt::Display for SettingProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "{} problem{plural} in the settings (.env.example explains each):", self.0.len())?;
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingProblems {}
