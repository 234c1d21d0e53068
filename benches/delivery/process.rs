//! A program under measurement: a process of its own, so that its CPU time and memory are its own.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// Limit on every wait for a program to start up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of a program's output is kept, in bytes.
const KEPT: usize = 256 * 1024;

/// A running program. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: u32,
    said: watch::Receiver<Said>,
}

#[derive(Debug, Default)]
struct Said {
    text: String,
    ended: bool,
}

/// Resident memory in MiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) now: f64,
    /// At its highest.
    pub(crate) peak: f64,
}

impl Process {
    /// Starts a program that gets this environment and nothing else.
    ///
    /// # Errors
    /// If the system cannot.
    pub(crate) fn start(mut command: Command, variables: &BTreeMap<&str, String>, folder: &Path) -> io::Result<Self> {
        command.env_clear().envs(variables).current_dir(folder).kill_on_drop(true);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other("it ended at once"))?;
        let (sender, said) = watch::channel(Said::default());
        if let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) {
            tokio::spawn(async move {
                tokio::join!(collect(out, &sender), collect(err, &sender));
                sender.send_modify(|said| said.ended = true);
                sender.closed().await;
            });
        }
        Ok(Self { child, pid, said })
    }

    /// Waits for the first line that contains `words`.
    ///
    /// # Errors
    /// If it never comes; the error has the output so far.
    pub(crate) async fn line(&self, words: &str) -> anyhow::Result<String> {
        let mut said = self.said.clone();
        let find = |said: &Said| said.text.lines().find(|line| line.contains(words)).map(str::to_owned);
        tokio::time::timeout(PATIENCE, said.wait_for(|said| said.ended || find(said).is_some())).await.ok();
        let said = self.said.borrow();
        find(&said).with_context(|| format!("{words:?} was never said, but:\n{}", said.text))
    }

    /// Its output, as far as it was kept.
    pub(crate) fn text(&self) -> String {
        self.said.borrow().text.clone()
    }

    /// CPU time spent so far, its own and the system's for it. In steps of 10 ms.
    ///
    /// # Errors
    /// If it has ended.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).context("the program has ended")?;
        // The name may hold blanks; it ends with the last parenthesis. Then: state is field 3, utime 14, stime 15.
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect::<Vec<_>>()).unwrap_or_default();
        let ticks = |at: usize| fields.get(at - 3).and_then(|field| field.parse::<u64>().ok());
        let (Some(user), Some(system)) = (ticks(14), ticks(15)) else { bail!("/proc/{}/stat cannot be read", self.pid) };
        // Linux reports it in hundredths of a second to every program, whatever the kernel's own tick is.
        Ok(Duration::from_millis((user + system) * 10))
    }

    /// Its resident memory.
    ///
    /// # Errors
    /// If it has ended.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).context("the program has ended")?;
        let mib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()).and_then(|kb| kb.parse::<f64>().ok()).map(|kb| kb / 1024.0)
        };
        let (Some(now), Some(peak)) = (mib("VmRSS:"), mib("VmHWM:")) else { bail!("/proc/{}/status cannot be read", self.pid) };
        Ok(Memory { now, peak })
    }

    /// Kills it, and waits for its end.
    ///
    /// # Errors
    /// Of the system.
    pub(crate) async fn kill(mut self) -> io::Result<()> {
        self.child.kill().await
    }
}

async fn collect(stream: impl AsyncRead + Unpin, sender: &watch::Sender<Said>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(1..) = stream.read_until(b'\n', &mut line).await {
        sender.send_if_modified(|said| {
            let available = said.text.len() < KEPT;
            if available {
                said.text.push_str(&String::from_utf8_lossy(&line));
            }
            available
        });
        line.clear();
    }
}
