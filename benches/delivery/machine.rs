//! The machine, the disk and the versions: without them a figure says nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::numbers::Samples;

/// Where the database lies, and how long it takes to be sure of a write there.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Folder for the databases of this run.
    pub folder: PathBuf,
    /// The library that makes fsync take a given time, and that time in µs.
    pub slowed: Option<(PathBuf, u64)>,
    /// Median of 100 appends of 4 KiB, each with fdatasync, as measured (through the library, if there is one).
    pub fsync: Duration,
}

impl Disk {
    /// A folder as it is.
    pub fn real(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), slowed: None, fsync: fdatasync(folder)? })
    }

    /// A folder in memory, where fsync and fdatasync take `ms`: a library before the C library sees to it.
    pub fn slowed(build: &Path, ms: f64) -> io::Result<Self> {
        let memory = Path::new("/dev/shm");
        if !memory.is_dir() {
            return Err(io::Error::other("--fsync-ms needs /dev/shm, which is not there"));
        }
        std::fs::create_dir_all(build)?;
        let library = build.join("slow_fsync.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/slow_fsync.c");
        let built = Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).status()?;
        if !built.success() {
            return Err(io::Error::other("cc did not build benches/slow_fsync.c"));
        }
        let micros = (ms * 1e3).round() as u64;
        let folder = memory.join(format!("tenfour-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let mut disk = Self { folder, slowed: Some((library, micros)), fsync: Duration::ZERO };
        // Measured as the bot will meet it: in a process of its own with the library in place.
        let mut measuring = Command::new(std::env::current_exe()?);
        let said = measuring.arg("--measure-fsync").arg(&disk.folder).envs(disk.variables()).output()?;
        let nanos = String::from_utf8_lossy(&said.stdout).trim().parse::<u64>();
        disk.fsync = Duration::from_nanos(nanos.map_err(|_| io::Error::other("fsync could not be measured"))?);
        Ok(disk)
    }

    /// What a process needs in its environment to write to this disk.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let Some((library, micros)) = &self.slowed else { return Vec::new() };
        vec![("LD_PRELOAD", library.display().to_string()), ("SLOW_FSYNC_US", micros.to_string())]
    }

    /// In milliseconds.
    pub fn fsync_ms(&self) -> f64 {
        self.fsync.as_secs_f64() * 1e3
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Memory is not swept by `cargo clean`.
        if self.slowed.is_some() {
            std::fs::remove_dir_all(&self.folder).ok();
        }
    }
}

/// Median time of an append of 4 KiB with fdatasync.
pub fn fdatasync(folder: &Path) -> io::Result<Duration> {
    let path = folder.join(format!("fsync-{}", std::process::id()));
    let mut file: File = OpenOptions::new().create(true).append(true).open(&path)?;
    let mut times = Vec::new();
    for _ in 0..100 {
        let began = Instant::now();
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    drop(file);
    std::fs::remove_file(&path)?;
    Ok(Samples::new(times).median().unwrap_or_default())
}

/// All that stands above the table.
#[derive(Clone, Debug)]
pub struct Machine {
    cpu: String,
    cores: usize,
    memory_mb: u64,
    kernel: String,
    /// Name of the file system's folder, and how it came by its speed.
    disk: String,
    /// Of the disk in use, in ms.
    pub fsync_ms: f64,
    date: String,
    commit: String,
    rustc: String,
    node: Option<String>,
    profile: &'static str,
    load: String,
}

impl Machine {
    /// Looks around.
    pub fn here(disk: &Disk, node: Option<String>) -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let line = |path: &str, name: &str| -> String {
            let all = text(path);
            let found = all.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
            found.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
        };
        let memory_kb: u64 = line("/proc/meminfo", "MemTotal").split(' ').next().and_then(|kb| kb.parse().ok()).unwrap_or(0);
        let changed = said("git", &["status", "--porcelain", "--untracked-files=no"]).is_none_or(|changes| !changes.is_empty());
        let commit = said("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
        let how = if disk.slowed.is_some() { "emulated: in memory, fsync delayed" } else { "as the disk is" };
        Self {
            cpu: line("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mb: memory_kb / 1024,
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            disk: how.to_owned(),
            fsync_ms: disk.fsync_ms(),
            date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
            commit: if changed { format!("{commit} with changes") } else { commit },
            rustc: said("rustc", &["--version"]).unwrap_or_else(|| "unknown".to_owned()),
            node,
            profile: if cfg!(debug_assertions) { "DEBUG BUILD: no figure counts" } else { "release build" },
            load: text("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }

    /// One line for people.
    pub fn sentence(&self) -> String {
        format!(
            "{}, commit {}, {}; {} × {}, {} MB, Linux {}, load {} at the start; fdatasync of 4 KiB {:.2} ms ({}); {}; {}.",
            self.date,
            self.commit,
            self.profile,
            self.cores,
            self.cpu,
            self.memory_mb,
            self.kernel,
            self.load,
            self.fsync_ms,
            self.disk,
            self.rustc,
            self.node.as_ref().map_or_else(|| "without Node".to_owned(), |version| format!("Node {version}")),
        )
    }

    /// The same for machines.
    pub fn json(&self) -> Value {
        json!({
            "cpu": self.cpu, "cores": self.cores, "memory_mb": self.memory_mb, "kernel": self.kernel, "disk": self.disk,
            "fsync_ms": self.fsync_ms, "date": self.date, "commit": self.commit, "rustc": self.rustc, "node": self.node,
            "build": self.profile, "load": self.load
        })
    }
}

/// First line of what a program prints; `None` if it cannot be run or fails.
pub fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}
