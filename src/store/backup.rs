//! A consistent copy of the database in one file, also while the bot is running.
//!
//! Reads within one transaction, which holds up nobody: SQLite's write-ahead log lets the bot write meanwhile. Must never overwrite a file,
//! and never leave one under the target's name that is not complete, checked and on disk. Takes no lock: the running bot has it.
//!
//! ```text
//! database ── one reading transaction, a MiB at a time ──▶ target.….partial ── marked, checked, synced ──▶ target
//! ```

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{open, schema};
use crate::clock::UnixMs;
use crate::files;

/// How much is read at once (bytes).
const STEP: i64 = 1_048_576;
/// Between steps, so that the bot's own reads and writes find the disk free.
const PAUSE: Duration = Duration::from_millis(2);
/// Tries for a step that another program's lock holds up, and the pause between them: 10 s.
const BUSY_TRIES: u32 = 100;
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no copy.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BackupError {
    /// Nothing to copy.
    #[error("there is no database at {0}. Run this in the bot's folder, or set DATABASE_URL as for the bot")]
    Missing(String),
    /// The target is there already.
    #[error("{0} already exists. Name a new file, or delete that one first")]
    Exists(String),
    /// The target cannot be made.
    #[error("cannot make {target}: {reason}")]
    Target {
        /// Which file.
        target: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The database cannot be read.
    #[error("cannot read the database {database}: {reason}")]
    Source {
        /// Which file.
        database: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The copy is complete, but not sound.
    #[error("the database {0} is damaged, so no backup was kept. Stop the bot and restore an older backup")]
    Damaged(String),
    /// Somebody asked to stop.
    #[error("stopped before the backup was complete; nothing was kept")]
    Stopped,
}

/// Dedup the database at `database` to the new file `target`. Returns how many bytes it has. Blocks; ends soon after `stop` turns true.
///
/// # Errors
/// [`BackupError`], fit for people; then there is no file `target`.
pub fn save(database: &Path, target: &Path, now: UnixMs, stop: &AtomicBool) -> Result<u64, BackupError> {
    let unreadable = |reason: String| BackupError::Source { database: database.display().to_string(), reason };
    let file = open::resolve(database, false).map_err(unreadable)?;
    match std::fs::metadata(&file) {
        Ok(found) if found.is_dir() => return Err(unreadable("it is a folder. DATABASE_URL must name a file".into())),
        // No handle of the file is opened here: closing it would drop SQLite's locks if this process is the bot.
        Ok(found) if found.len() == 0 => return Err(BackupError::Missing(database.display().to_string())),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(BackupError::Missing(database.display().to_string())),
        Err(error) => return Err(unreadable(open::of_io(&error, "the file"))),
    }
    let source = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let source = source.and_then(begin).map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            unreadable("the file, or those beside it, cannot be opened. Run this as the bot's user".into())
        }
        _ => unreadable(open::of_sqlite(&error)),
    })?;
    let partial = Partial::make(&file, target)?;
    copy(&source, &partial.path, stop).map_err(|error| match error {
        Some(error) => of_copy(&error, database, target),
        None => BackupError::Stopped,
    })?;
    // The bot's log can be emptied again.
    drop(source);
    let sound = finish(&partial.path, now).map_err(|error| of_copy(&error, database, target))?;
    if !sound {
        return Err(BackupError::Damaged(database.display().to_string()));
    }
    if stop.load(Ordering::SeqCst) {
        return Err(BackupError::Stopped);
    }
    partial.publish(target)
}

/// Everything that follows is read as of this moment.
fn begin(source: Connection) -> rusqlite::Result<Connection> {
    source.busy_timeout(BUSY_PAUSE * BUSY_TRIES)?;
    source.pragma_update(None, "query_only", true)?;
    source.execute_batch("BEGIN")?;
    let _: i64 = source.query_row("SELECT count(*) FROM sqlite_master", (), |row| row.get(0))?;
    Ok(source)
}

/// `Err(None)`: asked to stop.
fn copy(source: &Connection, partial: &Path, stop: &AtomicBool) -> Result<(), Option<rusqlite::Error>> {
    let mut copy = Connection::open_with_flags(partial, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // What breaks off here is thrown away: it needs no journal and no syncing until it is complete.
    copy.pragma_update(None, "journal_mode", "OFF")?;
    copy.pragma_update(None, "synchronous", "OFF")?;
    let pages = i32::try_from(STEP / schema::page_size(source)?).unwrap_or(1);
    let backup = Backup::new(source, &mut copy)?;
    let mut busy = 0;
    loop {
        if stop.load(Ordering::SeqCst) {
            return Err(None);
        }
        match backup.step(pages)? {
            StepResult::Done => return Ok(()),
            StepResult::More => std::thread::sleep(PAUSE),
            _ if busy < BUSY_TRIES => {
                busy += 1;
                std::thread::sleep(BUSY_PAUSE);
            }
            _ => return Err(Some(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None))),
        }
    }
}

/// How far the numbers that a copy goes on with lie from those that the bot goes on with: more than it gives between a backup and a restore
/// while Discord remembers nonces.
const NUMBERS_APART: i64 = 1_000_000;

/// Makes the copy one that can be moved about and started from. False if it is not sound.
fn finish(partial: &Path, now: UnixMs) -> rusqlite::Result<bool> {
    let copy = Connection::open_with_flags(partial, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // One file, readable from where nothing can be written; the bot turns it back when it starts from it.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    let check: String = copy.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
    if check != "ok" {
        return Ok(false);
    }
    // The bot goes on and sends what waits in this copy. Started from the copy, it must look for those messages before it makes them.
    let columns: i64 = copy.query_row("SELECT count(*) FROM pragma_table_info('post') WHERE name = 'creating_ms'", (), |row| row.get(0))?;
    if columns == 1 {
        copy.execute(
            "UPDATE post SET creating_ms = ?1 WHERE message IS NULL AND creating_ms IS NULL AND delivered < version AND failed IS NULL",
            [now.0],
        )?;
    }
    // The bot also goes on counting. A number that it gives to something after this copy must not be given again to something else: a nonce
    // or a button that holds it would mean the wrong one, and Discord would return the old message for a new alert.
    let counted = "('post', 'journal', 'undo', 'pending_import')";
    // A table that never had a row has no number yet.
    copy.execute(
        &format!(
            "INSERT INTO sqlite_sequence (name, seq) SELECT name, 0 FROM sqlite_schema
             WHERE type = 'table' AND name IN {counted} AND name NOT IN (SELECT name FROM sqlite_sequence)"
        ),
        (),
    )?;
    copy.execute(&format!("UPDATE sqlite_sequence SET seq = seq + ?1 WHERE name IN {counted}"), [NUMBERS_APART])?;
    copy.close().map_err(|(_, error)| error)?;
    Ok(true)
}

fn of_copy(error: &rusqlite::Error, database: &Path, target: &Path) -> BackupError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => BackupError::Target {
            target: target.display().to_string(),
            reason: "the disk is full. Free some space, or name a file on another disk".into(),
        },
        // Only the copy is written.
        Some(ErrorCode::SystemIoFailure) if error.sqlite_extended_error_code().is_some_and(is_write) => BackupError::Target {
            target: target.display().to_string(),
            reason: format!("its disk does not take it ({error}). Name a file on another disk"),
        },
        Some(ErrorCode::DatabaseCorrupt) => BackupError::Damaged(database.display().to_string()),
        _ => BackupError::Source { database: database.display().to_string(), reason: open::of_sqlite(error) },
    }
}

fn is_write(code: i32) -> bool {
    use rusqlite::ffi::{SQLITE_IOERR_FSYNC, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE};
    matches!(code, SQLITE_IOERR_WRITE | SQLITE_IOERR_FSYNC | SQLITE_IOERR_TRUNCATE)
}

/// A copy that is not complete yet, in the target's folder. Removed when it is dropped.
struct Partial {
    path: PathBuf,
}

impl Partial {
    fn make(database: &Path, target: &Path) -> Result<Self, BackupError> {
        let shown = target.display().to_string();
        let wrong = |reason: &str| BackupError::Target { target: shown.clone(), reason: reason.to_owned() };
        let Some(name) = target.file_name() else { return Err(wrong("that is no name of a file")) };
        let folder = files::folder(target);
        // A file of these names would be taken for a part of the database. Before all else: no message may tell people to delete one of them.
        let is_part = |suffix| std::fs::canonicalize(folder).is_ok_and(|folder| files::beside(database, suffix) == folder.join(name));
        if ["", "-wal", "-shm", "-journal", ".lock"].into_iter().any(is_part) {
            return Err(wrong("that name belongs to the database. Name another file"));
        }
        match std::fs::symlink_metadata(target) {
            Ok(found) if found.is_dir() => return Err(wrong("it is a folder. Name a file in it")),
            Ok(_) => return Err(BackupError::Exists(shown)),
            Err(_) => {}
        }
        let path = files::beside(target, &format!(".{:08x}.partial", fastrand::u32(..)));
        match files::private(File::options().write(true).create_new(true)).open(&path) {
            Ok(_) => Ok(Self { path }),
            Err(error) => Err(wrong(&match error.kind() {
                ErrorKind::NotFound => format!("there is no folder {}. Make it first", folder.display()),
                ErrorKind::NotADirectory => format!("{} is not a folder", folder.display()),
                ErrorKind::PermissionDenied => {
                    format!("permission denied in {}. Name a file in a folder that you can write to", folder.display())
                }
                ErrorKind::ReadOnlyFilesystem => {
                    format!(
                        "{} is read-only. Name a file in a folder that you can write to; in the container that is /data",
                        folder.display()
                    )
                }
                ErrorKind::StorageFull => "the disk is full. Free some space, or name a file on another disk".into(),
                _ => error.to_string(),
            })),
        }
    }

    /// Puts it on disk under the target's name, unless there is a file of that name by now.
    fn publish(self, target: &Path) -> Result<u64, BackupError> {
        let shown = || target.display().to_string();
        let failed = |error: std::io::Error| BackupError::Target { target: shown(), reason: error.to_string() };
        let file = File::options().read(true).write(true).open(&self.path).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        drop(file);
        // A second name is never given over an existing one, unlike with a rename.
        match std::fs::hard_link(&self.path, target) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(BackupError::Exists(shown())),
            // A file system without hard links.
            Err(_) if target.symlink_metadata().is_ok() => return Err(BackupError::Exists(shown())),
            Err(_) => std::fs::rename(&self.path, target).map_err(failed)?,
        }
        drop(self);
        #[cfg(unix)]
        File::open(files::folder(target)).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(bytes)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            std::fs::remove_file(files::beside(&self.path, suffix)).ok();
        }
    }
}

#[cfg(test)]
mod tests;
