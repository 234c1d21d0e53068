//! Files that contain alerts or secrets: created for their owner only, and reported when other users of the machine can open them.
//!
//! Never changes the mode of an existing file: that is the owner's decision. On Windows the folder's permissions decide, and
//! nothing is reported.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

/// The same options, with mode 0600 for a new file.
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Creates a folder and its missing parents, each with mode 0700.
///
/// # Errors
/// The system's error.
pub fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The file with `suffix` after its whole name: `x.db` and `-wal` are `x.db-wal`.
#[must_use]
pub fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The folder of a file; `.` for a bare name.
#[must_use]
pub fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The bot's files that other users of this machine can open, one sentence each with its fix: settings, the database with the
/// files beside it and its folder, the recording.
#[must_use]
pub fn exposed(settings: &Path, database: &Path, record: Option<&Path>) -> Vec<String> {
    let beside = ["-wal", "-shm", ".lock"].map(|suffix| beside(database, suffix));
    let files = [settings, database].into_iter().chain(beside.iter().map(PathBuf::as_path)).chain(record);
    files.filter_map(exposed_file).chain(exposed_folder(folder(database))).collect()
}

#[cfg(unix)]
fn mode(path: &Path) -> Option<(std::fs::Metadata, u32)> {
    let found = std::fs::metadata(path).ok()?;
    let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions());
    Some((found, mode))
}

#[cfg(not(unix))]
fn mode(_path: &Path) -> Option<(std::fs::Metadata, u32)> {
    None
}

fn exposed_file(path: &Path) -> Option<String> {
    let (found, mode) = mode(path)?;
    if !found.is_file() || mode & 0o077 == 0 {
        return None;
    }
    let can = match (mode & 0o044 != 0, mode & 0o022 != 0) {
        (true, true) => "read and change",
        (false, true) => "change",
        _ => "open",
    };
    let can = if mode & 0o077 == mode & 0o044 { "read" } else { can };
    Some(format!("Other users of this machine can {can} {}. Run: chmod 600 {}", path.display(), quoted(path)))
}

fn exposed_folder(folder: &Path) -> Option<String> {
    let (found, mode) = mode(folder)?;
    if !found.is_dir() || mode & 0o002 == 0 {
        return None;
    }
    let shown = folder.display();
    // In a folder like /tmp nobody can replace the files of others, but anyone can create files beside them.
    if mode & 0o1000 != 0 {
        return Some(format!(
            "Every user of this machine can make files in {shown}, where the database is. Give it a folder of its own: set another DATABASE_URL"
        ));
    }
    Some(format!("Every user of this machine can replace the files in {shown}, where the database is. Run: chmod o-w {}", quoted(folder)))
}

/// A path quoted for a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ':' | '@' | '%' | ',');
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("tenfour-files-{:016x}", fastrand::u64(..)));
            make_folder(&path).unwrap();
            Self(path)
        }

        fn file(&self, name: &str, mode: u32) -> PathBuf {
            let path = self.0.join(name);
            std::fs::write(&path, "x").unwrap();
            self.set(&path, mode);
            path
        }

        fn set(&self, path: &Path, mode: u32) {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }

    #[test]
    fn every_file_that_others_can_open_is_named_with_its_fix() {
        let folder = Folder::new();
        let at = |name: &str| folder.0.join(name);
        let all = || exposed(&at(".env"), &at("t.db"), Some(&at("my record.jsonl")));
        assert_eq!(all(), [""; 0], "nothing is there yet");
        for (name, mode) in [(".env", 0o600), ("t.db", 0o600), ("t.db-wal", 0o600), ("my record.jsonl", 0o400)] {
            folder.file(name, mode);
        }
        assert_eq!(all(), [""; 0]);
        for (name, mode, can) in
            [(".env", 0o640, "read"), ("t.db", 0o666, "read and change"), ("t.db-wal", 0o602, "change"), ("t.db-shm", 0o601, "open")]
        {
            folder.file(name, mode);
            let path = at(name).display().to_string();
            assert_eq!(all(), [format!("Other users of this machine can {can} {path}. Run: chmod 600 {path}")], "{name}");
            folder.file(name, 0o600);
        }
        folder.file("my record.jsonl", 0o644);
        let told = all();
        assert!(told.len() == 1 && told[0].ends_with("my record.jsonl'") && told[0].contains("chmod 600 '/"), "{told:?}");
        folder.file("my record.jsonl", 0o600);

        folder.set(&folder.0, 0o777);
        assert!(all()[0].contains("chmod o-w"), "{:?}", all());
        folder.set(&folder.0, 0o1777);
        assert!(all()[0].contains("DATABASE_URL"), "{:?}", all());
        folder.set(&folder.0, 0o755);
        assert_eq!(all(), [""; 0]);
    }

    #[test]
    fn what_is_made_is_for_its_owner_only() {
        let folder = Folder::new();
        let path = folder.0.join("a/b");
        make_folder(&path).unwrap();
        let file = path.join("f");
        private(OpenOptions::new().create(true).append(true)).open(&file).unwrap();
        for (path, wanted) in [(folder.0.join("a"), 0o700), (path, 0o700), (file, 0o600)] {
            assert_eq!(mode(&path).unwrap().1 & 0o777, wanted, "{}", path.display());
        }
    }
}
