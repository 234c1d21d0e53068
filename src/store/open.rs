//! Opens the database file: finds out which file a path means, keeps every other process out of it, and says in one sentence why it cannot.
//!
//! Must never leave anything behind where no database comes to be, and never write into a file that is not Tenfour's or that a newer
//! version wrote.
//!
//! Two locks keep others out. A lock file beside the database, named after the path without symbolic links, works on every system. It
//! misses a second name of the same file (a hard link, a bind mount), so on Linux the file itself is locked too: with `flock`, which is
//! independent of SQLite's own locks there. A trap: as soon as *any* handle of a file is closed, POSIX drops all of SQLite's locks that this
//! process holds on it. So that handle is opened before SQLite opens the file, closed after SQLite closed it, and leaked if the file turns
//! out to be in use.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::StoreError;
use super::schema::{migrations, prepare, prepare_new};
use crate::files;

/// Symbolic links followed to a file that does not exist yet: as many as Linux follows.
const MAX_LINKS: usize = 40;

/// Keeps other processes out while it lives.
#[derive(Debug)]
pub(super) struct Lock {
    // Dropped in this order: who finds the lock file free finds the file itself free.
    _itself: Option<File>,
    _beside: File,
}

/// The files that this attempt made, the lock first. They are removed when it ends, unless they are kept: the lock last, since from then on
/// another process may make them.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        for path in self.0.iter().rev() {
            std::fs::remove_file(path).ok();
        }
    }
}

/// An attempt to open a database. Dropped in this order: what was made goes while it is still locked.
struct Attempt {
    made: Made,
    itself: Option<File>,
    beside: File,
}

/// A database that is open for writing, with its schema up to date.
pub(super) struct Opened {
    pub(super) file: PathBuf,
    pub(super) connection: Connection,
    pub(super) lock: Lock,
}

/// Opens the database at `path`, or makes it.
pub(super) fn open(path: &Path) -> Result<Opened, StoreError> {
    let fail = |reason: String| StoreError::Open { path: path.display().to_string(), reason, source: None };
    let file = resolve(path, true).map_err(fail)?;
    regular(&file).map_err(fail)?;
    let mut made = Made::default();
    let beside = lock_beside(&file, Some(&mut made), path)?.ok_or_else(|| StoreError::InUse(path.display().to_string()))?;
    let mut attempt = Attempt { made, itself: None, beside };
    let itself = open_file(&file, &mut attempt.made).map_err(fail)?;
    attempt.itself = lock_itself(itself, path)?;
    let connection = match connect(&file, path) {
        // On some network file systems the two kinds of locks are one. There the lock file must do.
        Err(error) if busy(&error) && attempt.itself.take().is_some() => connect(&file, path),
        other => other,
    };
    let connection = connection.map_err(|error| trouble(path, error))?;
    let Attempt { mut made, itself, beside } = attempt;
    made.0.clear();
    Ok(Opened { file, connection, lock: Lock { _itself: itself, _beside: beside } })
}

/// A second connection to a database that [`open`] opened.
pub(super) fn again(file: &Path, path: &Path) -> Result<Connection, StoreError> {
    let opened = Connection::open_with_flags(file, FLAGS).and_then(|connection| prepare(&connection).map(|()| connection));
    opened.map_err(|error| trouble(path, Failure::Sqlite(error)))
}

/// What is at a path, for `tenfour check`.
#[derive(Debug)]
pub enum DatabaseStatus {
    /// No database yet; the folder takes one.
    Nothing,
    /// A database that takes writes; its schema is brought up to date at the next start if it is an older one.
    Database {
        /// Posts that wait to be sent; unknown for an older schema.
        pending: Option<i64>,
        /// Whether it is from an older version.
        older: bool,
    },
}

/// Looks at the database without changing or leaving anything.
pub(super) fn inspect(path: &Path) -> Result<DatabaseStatus, StoreError> {
    let fail = |reason: String| StoreError::Open { path: path.display().to_string(), reason, source: None };
    let file = resolve(path, false).map_err(fail)?;
    regular(&file).map_err(fail)?;
    if !file.exists() {
        return takes_files(files::folder(&file)).map(|()| DatabaseStatus::Nothing).map_err(fail);
    }
    // Nothing is made: where there is no lock file, nobody holds it.
    let _beside = lock_beside(&file, None, path)?;
    let itself = File::options().read(true).write(true).open(&file).map_err(|error| fail(of_io(&error, "the file")))?;
    // Closed after the connection below, which is declared later.
    let _itself = lock_itself(itself, path)?;
    let look = || {
        let connection = Connection::open_with_flags(&file, FLAGS).map_err(Failure::Sqlite)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        let Schema { found, known } = schema(&connection)?;
        let older = found < known;
        // Rolled back: proves only that writing works.
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let is_empty: i64 = connection.query_row("SELECT count(*) FROM sqlite_master", (), |row| row.get(0))?;
        if is_empty > 0 {
            connection.execute("UPDATE meta SET value = value", ())?;
        }
        connection.execute_batch("ROLLBACK")?;
        let waiting = "SELECT count(*) FROM post WHERE delivered < version AND failed IS NULL";
        let pending = if older { None } else { Some(connection.query_row(waiting, (), |row| row.get(0))?) };
        Ok(DatabaseStatus::Database { pending, older })
    };
    look().map_err(|error| trouble(path, error))
}

/// The file that a path means: absolute, without symbolic links. `make`: folders that are missing are made.
pub(super) fn resolve(path: &Path, make: bool) -> Result<PathBuf, String> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match std::fs::canonicalize(&path) {
            Ok(found) => return Ok(plain(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(of_io(&error, "the file")),
        }
        let folder = files::folder(&path);
        // A link whose target does not exist yet.
        if let Ok(target) = std::fs::read_link(&path) {
            path = folder.join(target);
            continue;
        }
        let Some(name) = path.file_name() else { return Err("that is no name of a file. Set another DATABASE_URL".into()) };
        if make {
            files::make_folder(folder).map_err(|error| of_io(&error, &format!("the folder {} cannot be made", folder.display())))?;
        }
        return match std::fs::canonicalize(folder) {
            Ok(folder) => Ok(plain(folder).join(name)),
            Err(error) if error.kind() == ErrorKind::NotFound && !make => Ok(path),
            Err(error) => Err(of_io(&error, &format!("the folder {}", folder.display()))),
        };
    }
    Err("it is a symbolic link that leads nowhere. Set another DATABASE_URL".into())
}

/// Windows' absolute paths with a prefix that SQLite does not need, as people write them.
fn plain(path: PathBuf) -> PathBuf {
    let text = path.to_str().and_then(|text| text.strip_prefix(r"\\?\"));
    match text {
        Some(rest) if cfg!(windows) && rest.as_bytes().get(1) == Some(&b':') => PathBuf::from(rest),
        _ => path,
    }
}

fn regular(file: &Path) -> Result<(), String> {
    match std::fs::metadata(file) {
        Ok(found) if found.is_dir() => Err("it is a folder. DATABASE_URL must name a file".into()),
        Ok(found) if !found.is_file() => Err("it is not a regular file. Set another DATABASE_URL".into()),
        Ok(found) if several_names(&found) => {
            Err("the file has a second name (a hard link), under which another Tenfour could run. Delete the other name".into())
        }
        Err(error) if error.kind() != ErrorKind::NotFound => Err(of_io(&error, "the file")),
        _ => Ok(()),
    }
}

/// Where the file itself cannot be locked, a second name of it is refused instead.
#[cfg(unix)]
fn several_names(found: &std::fs::Metadata) -> bool {
    !cfg!(target_os = "linux") && std::os::unix::fs::MetadataExt::nlink(found) > 1
}

#[cfg(not(unix))]
fn several_names(_found: &std::fs::Metadata) -> bool {
    false
}

/// Takes the lock file beside the database. `made`: it is made if it is missing; without, a missing one is no lock.
fn lock_beside(file: &Path, mut made: Option<&mut Made>, path: &Path) -> Result<Option<File>, StoreError> {
    let name = files::beside(file, ".lock");
    let fail = |error: &std::io::Error| StoreError::Open {
        path: path.display().to_string(),
        reason: of_io(error, &format!("the lock file {}", name.display())),
        source: None,
    };
    // Whoever failed to open a database removes the lock file that it made: what was locked may have lost its name meanwhile.
    for _ in 0..16 {
        let lock = match File::options().read(true).write(true).open(&name) {
            Ok(lock) => lock,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let Some(made) = made.as_deref_mut() else { return Ok(None) };
                match files::private(File::options().read(true).write(true).create_new(true)).open(&name) {
                    Ok(lock) => {
                        made.0.push(name.clone());
                        lock
                    }
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                    Err(error) => return Err(fail(&error)),
                }
            }
            Err(error) => return Err(fail(&error)),
        };
        match lock.try_lock() {
            Ok(()) if is_named(&lock, &name) => return Ok(Some(lock)),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // It is another's now, whoever made it.
                if let Some(made) = made.as_deref_mut() {
                    made.0.clear();
                }
                return Err(StoreError::InUse(path.display().to_string()));
            }
            Err(TryLockError::Error(error)) => return Err(fail(&error)),
        }
    }
    Err(StoreError::InUse(path.display().to_string()))
}

#[cfg(unix)]
fn is_named(file: &File, name: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |found: std::fs::Metadata| (found.dev(), found.ino());
    match (file.metadata(), std::fs::metadata(name)) {
        (Ok(held), Ok(named)) => identity(held) == identity(named),
        _ => false,
    }
}

/// An open file cannot lose its name there.
#[cfg(not(unix))]
fn is_named(_file: &File, _name: &Path) -> bool {
    true
}

/// Opens the file, or makes it for its owner's eyes only: it will hold names, places and calls. SQLite gives its side files the same mode.
fn open_file(file: &Path, made: &mut Made) -> Result<File, String> {
    match files::private(File::options().read(true).write(true).create_new(true)).open(file) {
        Ok(opened) => {
            made.0.extend(["", "-wal", "-shm"].map(|suffix| files::beside(file, suffix)));
            Ok(opened)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            File::options().read(true).write(true).open(file).map_err(|error| of_io(&error, "the file"))
        }
        Err(error) => Err(of_io(&error, "the file cannot be made")),
    }
}

/// Locks the file itself. `None` where that cannot be done, or would be in SQLite's way.
#[cfg(target_os = "linux")]
fn lock_itself(file: File, path: &Path) -> Result<Option<File>, StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            // Closing it would take SQLite's locks away if it is this very process that has the file open.
            let _leaked = std::os::fd::IntoRawFd::into_raw_fd(file);
            Err(StoreError::InUse(path.display().to_string()))
        }
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

#[cfg(not(target_os = "linux"))]
fn lock_itself(_file: File, _path: &Path) -> Result<Option<File>, StoreError> {
    Ok(None)
}

/// Whether a database can be made below the nearest folder that exists: by making a file and removing it at once.
fn takes_files(folder: &Path) -> Result<(), String> {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let probe = there.join(format!(".tenfour-check-{:016x}", fastrand::u64(..)));
    let made = files::private(File::options().write(true).create_new(true)).open(&probe);
    std::fs::remove_file(&probe).ok();
    made.map(drop).map_err(|error| of_io(&error, &format!("nothing can be made in the folder {}", there.display())))
}

const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

enum Failure {
    Sqlite(rusqlite::Error),
    Migration(rusqlite_migration::Error),
    Newer(Schema),
    Foreign,
}

/// Numbers of schemas: 0 for an empty file.
#[derive(Clone, Copy)]
struct Schema {
    found: i64,
    known: i64,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn connect(file: &Path, path: &Path) -> Result<Connection, Failure> {
    let mut connection = Connection::open_with_flags(file, FLAGS)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    let Schema { found, known } = schema(&connection)?;
    if found == 0 {
        prepare_new(&connection)?;
    }
    prepare(&connection)?;
    migrations().to_latest(&mut connection).map_err(Failure::Migration)?;
    if (1..known).contains(&found) {
        tracing::info!(database = %path.display(), from = found, to = known, "the database's schema was brought up to date");
    }
    Ok(connection)
}

/// Reads only.
fn schema(connection: &Connection) -> Result<Schema, Failure> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let (tables, ours): (i64, i64) = connection.query_row(
        "SELECT count(*), coalesce(sum(name IN ('meta', 'post')), 0) FROM sqlite_master WHERE type = 'table'",
        (),
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if found < 0 || (ours < 2 && tables > 0) {
        return Err(Failure::Foreign);
    }
    let known = found + i64::from(migrations().pending_migrations(connection).map_err(Failure::Migration)?);
    match found {
        _ if found > known => Err(Failure::Newer(Schema { found, known })),
        0 => {
            if tables == 0 {
                Ok(Schema { found, known })
            } else {
                Err(Failure::Foreign)
            }
        }
        _ => {
            if tables > 0 {
                Ok(Schema { found, known })
            } else {
                Err(Failure::Foreign)
            }
        }
    }
}

fn sqlite(failure: &Failure) -> Option<&rusqlite::Error> {
    match failure {
        Failure::Sqlite(error) => Some(error),
        Failure::Migration(rusqlite_migration::Error::RusqliteError { err, .. }) => Some(err),
        Failure::Migration(_) | Failure::Newer(_) | Failure::Foreign => None,
    }
}

fn busy(failure: &Failure) -> bool {
    let code = sqlite(failure).and_then(rusqlite::Error::sqlite_error_code);
    matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn trouble(path: &Path, failure: Failure) -> StoreError {
    let shown = path.display().to_string();
    let (reason, source) = match failure {
        Failure::Newer(Schema { found, known }) => return StoreError::Newer { path: shown, found, known },
        Failure::Foreign => ("it is the database of another program. Set another DATABASE_URL".to_owned(), None),
        Failure::Sqlite(error) | Failure::Migration(rusqlite_migration::Error::RusqliteError { err: error, .. }) => {
            (of_sqlite(&error), Some(error))
        }
        Failure::Migration(error) => (format!("its schema cannot be brought up to date ({error}). Restore a backup"), None),
    };
    StoreError::Open { path: shown, reason, source: source.map(Into::into) }
}

/// What SQLite says, and what to do, in the words of whoever has to do it.
pub(super) fn of_sqlite(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full. Free some space and start again".into(),
        Some(ErrorCode::NotADatabase) => "it is not an SQLite database. Set another DATABASE_URL, or restore a backup".into(),
        Some(ErrorCode::DatabaseCorrupt) => "it is damaged. Restore a backup".into(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program has locked it. Close that program, such as sqlite3, and start again".into()
        }
        Some(ErrorCode::ReadOnly) => "it cannot be written. Give the bot's user write access to the file and its folder".into(),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "the file, or those beside it, cannot be opened. Give the bot's user read and write access to the file and its folder".into()
        }
        Some(ErrorCode::SystemIoFailure) => format!("the disk does not do what it is asked ({error}). Check the disk and its mount"),
        _ => format!("{error}. Restore a backup if it goes on"),
    }
}

/// What the system says about `what`, and what to do.
pub(super) fn of_io(error: &std::io::Error, what: &str) -> String {
    let fix = match error.kind() {
        ErrorKind::PermissionDenied => "permission denied. Give the bot's user read and write access to it",
        ErrorKind::ReadOnlyFilesystem => "its file system is read-only. Set another DATABASE_URL, or mount it for writing",
        ErrorKind::StorageFull => "the disk is full. Free some space and start again",
        ErrorKind::QuotaExceeded => "the disk quota is used up. Free some space and start again",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "a file is in the way: a part of the path is not a folder. Set another DATABASE_URL"
        }
        ErrorKind::NotFound => "a part of the path does not exist. Check DATABASE_URL",
        ErrorKind::InvalidFilename => "the name is too long or not allowed. Set another DATABASE_URL",
        _ => return format!("{what}: {error}"),
    };
    format!("{what}: {fix}")
}

#[cfg(test)]
mod tests;
