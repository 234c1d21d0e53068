//! Why the store can't do what was asked, in words for people.
//!
//! The words are complete: what SQLite said is the source, for the log and for callers that need its code.

use std::sync::Arc;

/// Why the store cannot do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has this database.
    #[error("another Tenfour runs on {0}: stop it, or give this one another DATABASE_URL")]
    InUse(String),
    /// The file cannot be opened or made.
    #[error("cannot open the database {path} (DATABASE_URL): {reason}")]
    Open {
        path: String,
        /// What is wrong, and what to do.
        reason: String,
        /// What SQLite said, if it was asked.
        source: Option<Arc<rusqlite::Error>>,
    },
    /// A newer version has brought its schema up to one that this one does not know.
    #[error(
        "the database {path} was written by a newer version of Tenfour (schema {found}; this version knows {known}). Update Tenfour, or restore a backup from before the update"
    )]
    Newer {
        path: String,
        /// The schema it has.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// A statement or a commit failed: disk full, input or output error.
    #[error("the database could not do it: {reason}")]
    Failed {
        /// What is wrong, and what to do.
        reason: String,
        /// What SQLite said.
        source: Arc<rusqlite::Error>,
    },
    /// The store is shut.
    #[error("the database is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let reason = match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => FULL.to_owned(),
            _ => error.to_string(),
        };
        Self::Failed { reason, source: error.into() }
    }
}

const FULL: &str = "it is full. Free some disk space, or, if DATABASE_MAX_MB is set, raise it and restart";

#[cfg(test)]
mod tests {
    use std::error::Error;

    use rusqlite::{ErrorCode, ffi};

    use super::*;

    fn sqlite(code: i32, words: &str) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(words.to_owned()))
    }

    #[test]
    fn a_failure_says_what_to_do_and_keeps_what_sqlite_said() {
        let full = StoreError::from(sqlite(ffi::SQLITE_FULL, "database or disk is full"));
        assert_eq!(full.to_string(), format!("the database could not do it: {FULL}"));
        let broken = StoreError::from(sqlite(ffi::SQLITE_IOERR, "disk I/O error"));
        assert_eq!(broken.clone().to_string(), "the database could not do it: disk I/O error");
        let codes = [full, broken].map(|error| {
            let source = error.source().and_then(|source| source.downcast_ref::<Arc<rusqlite::Error>>()).cloned();
            source.and_then(|source| source.sqlite_error_code())
        });
        assert_eq!(codes, [Some(ErrorCode::DiskFull), Some(ErrorCode::SystemIoFailure)]);
    }
}
