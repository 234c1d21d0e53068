//! The machine, the disk and the versions: figures mean nothing without them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::numbers::Samples;

/// Where the database is, and how long a durable write takes there.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    /// Folder for the databases of this run.
    pub(crate) folder: PathBuf,
    /// The library that makes fsync take a given time, and that time in µs.
    pub(crate) slowed: Option<(PathBuf, u64)>,
    /// Medians, in ms, of 100 appends of 4 KiB, each with fdatasync: before each scenario, after `latency` and at the end. Disks of virtual
    /// machines change their speed from minute to minute.
    pub(crate) fsync: Vec<f64>,
}

impl Disk {
    /// A folder as it is.
    pub(crate) fn real(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        // The bot starts elsewhere.
        Ok(Self { folder: folder.canonicalize()?, slowed: None, fsync: Vec::new() })
    }

    /// A folder in memory, where fsync and fdatasync take `ms`: a library preloaded before the C library does that.
    pub(crate) fn slowed(build: &Path, ms: f64) -> io::Result<Self> {
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
        Ok(Self { folder, slowed: Some((library, micros)), fsync: Vec::new() })
    }

    /// Measures it as the bot will use it: in its own process, with the library if there is one.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub(crate) fn measure(&mut self) -> io::Result<f64> {
        let mut measuring = Command::new(std::env::current_exe()?);
        let said = measuring.arg("--measure-fsync").arg(&self.folder).envs(self.variables()).output()?;
        let nanos = String::from_utf8_lossy(&said.stdout).trim().parse::<u32>();
        let ms = f64::from(nanos.map_err(|_| io::Error::other("the disk's fdatasync could not be measured"))?) / 1e6;
        self.fsync.push(ms);
        Ok(ms)
    }

    /// What a process needs in its environment to write to this disk.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let Some((library, micros)) = &self.slowed else { return Vec::new() };
        vec![("LD_PRELOAD", library.display().to_string()), ("SLOW_FSYNC_US", micros.to_string())]
    }

    /// The slower of the last two measurements: those around the scenario that has just ended.
    pub(crate) fn lately(&self) -> f64 {
        self.fsync.iter().rev().take(2).copied().fold(0.0, f64::max)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // `cargo clean` doesn't empty memory.
        if self.slowed.is_some() {
            std::fs::remove_dir_all(&self.folder).ok();
        }
    }
}

/// Median time of an append of 4 KiB with fdatasync.
pub(crate) fn fdatasync(folder: &Path) -> io::Result<Duration> {
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

/// Everything above the table.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    memory_mb: u64,
    kernel: String,
    /// How its speed came about.
    disk: String,
    fsync_ms: Vec<f64>,
    date: String,
    commit: String,
    rustc: String,
    node: Option<String>,
    profile: &'static str,
    load: String,
}

impl Machine {
    /// Collects the facts.
    pub(crate) fn here(disk: &Disk, node: Option<String>) -> Self {
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
            fsync_ms: disk.fsync.clone(),
            date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
            commit: if changed { format!("{commit} with changes") } else { commit },
            rustc: said("rustc", &["--version"]).unwrap_or_else(|| "unknown".to_owned()),
            node,
            profile: if cfg!(debug_assertions) { "DEBUG BUILD: no figure counts" } else { "dist build" },
            load: text("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }

    /// Takes over the disk's measurements since.
    pub(crate) fn remember(&mut self, disk: &Disk) {
        self.fsync_ms.clone_from(&disk.fsync);
    }

    fn fsync(&self) -> String {
        let (least, most) = self.fsync_ms.iter().fold((f64::MAX, 0.0), |(least, most), ms| (ms.min(least), ms.max(most)));
        if most - least < 0.1 { format!("{most:.2} ms") } else { format!("{least:.2} to {most:.2} ms") }
    }

    /// One line for people.
    pub(crate) fn sentence(&self) -> String {
        format!(
            "{}, commit {}, {}; {} × {}, {} MB, Linux {}, load {} at the start; fdatasync of 4 KiB {} ({}); {}; {}.",
            self.date,
            self.commit,
            self.profile,
            self.cores,
            self.cpu,
            self.memory_mb,
            self.kernel,
            self.load,
            self.fsync(),
            self.disk,
            self.rustc,
            self.node.as_ref().map_or_else(|| "without Node".to_owned(), |version| format!("Node {version}")),
        )
    }

    /// The same for machines.
    pub(crate) fn json(&self) -> Value {
        json!({
            "cpu": self.cpu, "cores": self.cores, "memory_mb": self.memory_mb, "kernel": self.kernel, "disk": self.disk,
            "fsync_ms": self.fsync_ms, "date": self.date, "commit": self.commit, "rustc": self.rustc, "node": self.node,
            "build": self.profile, "load": self.load
        })
    }
}

/// First line of what a program prints; `None` if it cannot be run or fails.
pub(crate) fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}
