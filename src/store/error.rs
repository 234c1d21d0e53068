//! Why the store cannot do what was asked, fit for people.

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
    #[error("the database could not do it: {0}")]
    Failed(String),
    /// The store is shut.
    #[error("the database is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Failed(FULL.into()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

const FULL: &str = "it is full. Free some disk space, or, if DATABASE_MAX_MB is set, raise it and restart";
