//! The benchmark of delivery: whole runs of the binary between both simulators, beside plain peers on Node. `BENCHMARKS.md` says what
//! each figure means.
//!
//! ```text
//!            ┌──────────── this process ─────────────┐
//! events ──▶ │ pretend CAD (hub) or client (HTTP) ───┼──▶ Tenfour, or a peer: a process of its own ─┐
//! figures ◀─ │ pretend Discord: notes each arrival ◀─┼──────────────────────────────────────────────┘
//!            └───────────────────────────────────────┘
//! ```
//!
//! One at a time: parallel runs would take each other's CPU.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program for the terminal, with tasks of its own"
)]

mod acceptance;
mod burst;
mod client;
mod events;
mod latency;
mod machine;
mod memory;
mod numbers;
mod process;
mod pure;
mod report;
mod restart;
mod stage;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::{Parser, ValueEnum};

use machine::{Disk, Machine};
use report::{Report, Row};
use stage::Who;

const AFTER: &str = "\
Examples:
  cargo bench --locked                                   everything, about ten minutes
  cargo bench --locked -- latency burst                  two scenarios
  cargo bench --locked -- --quick                        everything in about two minutes: rough, to see that it works
  cargo bench --locked -- --fsync-ms 0.4                 as on a disk whose fsync takes 0.4 ms (needs cc and /dev/shm)
  cargo bench --locked -- --update BENCHMARKS.md         writes the table there

Nothing else should run meanwhile. The peers need Node 20 and, once: cd tests/official && npm ci";

/// Measures how Tenfour delivers, beside plain Node programs that store nothing.
#[derive(Debug, Parser)]
#[command(name = "delivery", bin_name = "cargo bench --locked --", after_help = AFTER)]
struct Options {
    /// What to measure; everything if nothing is named.
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    /// Few and short measurements: to check that all of it works.
    #[arg(long)]
    quick: bool,
    /// The peer too where it takes minutes: its burst of 500.
    #[arg(long)]
    long: bool,
    /// Write the result here too; it is always in target/bench/latest.json.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Print the table in Markdown.
    #[arg(long)]
    markdown: bool,
    /// Replace the table between the two marks of this document.
    #[arg(long, value_name = "FILE")]
    update: Option<PathBuf>,
    /// Leave the peers out.
    #[arg(long)]
    without_node: bool,
    /// Where the databases are created: its disk is what is measured. Default: target/tmp.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Keep the databases in memory, where fsync takes so many milliseconds and does nothing.
    #[arg(long, value_name = "MS", conflicts_with = "dir")]
    fsync_ms: Option<f64>,
    /// Cargo's own.
    #[arg(long, hide = true)]
    bench: bool,
    /// What a child of ours is asked.
    #[arg(long, hide = true, value_name = "FOLDER")]
    measure_fsync: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Event → request at Discord, by hub and HTTP, at 1, 20 and 200 a second.
    Latency,
    /// HTTP requests taken per second, and a thousand events at once.
    Acceptance,
    /// 50 and 500 new cards within a second under Discord's limits, a panic among them.
    Burst,
    /// Memory, idle and after 100,000 events; CPU per event.
    Memory,
    /// Killed with 10,000 posts waiting: how soon it sends again.
    Restart,
    /// Decoding, routing and rendering alone.
    Pure,
}

/// One run.
struct Bench {
    options: Options,
    disk: Disk,
    /// Node's version, if the peers can run.
    node: Option<String>,
    rows: Vec<Row>,
    began: Instant,
}

impl Bench {
    /// Who posts: Tenfour, and the peer if it can run.
    fn bots(&self) -> Vec<Who> {
        let mut all = vec![Who::Tenfour];
        all.extend(self.node.is_some().then_some(Who::NodeBot));
        all
    }

    fn progress(&self, words: fmt::Arguments<'_>) {
        eprintln!("{:>5} s  {words}", self.began.elapsed().as_secs());
    }
}

fn main() -> ExitCode {
    // `cargo test --all-targets` runs this too; it is not a test.
    if std::env::args_os().len() < 2 {
        println!("This measures; run it by: cargo bench --locked -- --help");
        return ExitCode::SUCCESS;
    }
    match start(Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(options: Options) -> anyhow::Result<ExitCode> {
    if let Some(folder) = &options.measure_fsync {
        println!("{}", machine::fdatasync(folder)?.as_nanos());
        return Ok(ExitCode::SUCCESS);
    }
    // Cargo starts it in the package's folder; so paths of the command line are relative to that.
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let results = temporary.parent().unwrap_or(temporary).join("bench");
    let disk = match options.fsync_ms {
        Some(ms) => Disk::slowed(&results, ms)?,
        None => Disk::real(options.dir.as_deref().unwrap_or(temporary))?,
    };
    let mut skipped = Vec::new();
    let node = match peers(&options) {
        Ok(version) => Some(version),
        Err(why) => {
            skipped.push(why);
            None
        }
    };
    let mut machine = Machine::here(&disk, node.clone());
    let mut bench = Bench { options, disk, node, rows: Vec::new(), began: Instant::now() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut failed = false;
    for scenario in chosen(&bench.options) {
        if let Err(error) = runtime.block_on(one(&mut bench, scenario)) {
            eprintln!("{scenario:?}: {error:#}");
            skipped.push(format!("{scenario:?} went wrong: {}", error.to_string().lines().next().unwrap_or_default()));
            failed = true;
        }
    }
    bench.disk.measure()?;
    machine.remember(&bench.disk);
    let report = Report { machine, rows: std::mem::take(&mut bench.rows), skipped };
    println!("{}", if bench.options.markdown { report.markdown() } else { report.text() });
    std::fs::create_dir_all(&results)?;
    let json = format!("{:#}\n", report.json());
    for file in std::iter::once(&results.join("latest.json")).chain(&bench.options.json) {
        std::fs::write(file, &json).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    if let Some(file) = &bench.options.update {
        let document = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let document = report.inserted(&document).map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
        std::fs::write(file, document)?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn chosen(options: &Options) -> Vec<Scenario> {
    let all = Scenario::value_variants();
    all.iter().copied().filter(|scenario| options.scenarios.is_empty() || options.scenarios.contains(scenario)).collect()
}

async fn one(bench: &mut Bench, scenario: Scenario) -> anyhow::Result<()> {
    let ms = bench.disk.measure()?;
    bench.progress(format_args!("{scenario:?} begins; fdatasync takes {ms:.2} ms"));
    match scenario {
        Scenario::Latency => latency::run(bench).await,
        Scenario::Acceptance => acceptance::run(bench).await,
        Scenario::Burst => burst::run(bench).await,
        Scenario::Memory => memory::run(bench).await,
        Scenario::Restart => restart::run(bench).await,
        Scenario::Pure => {
            pure::run(bench);
            Ok(())
        }
    }
}

/// Node's version, or why the peers are left out.
fn peers(options: &Options) -> Result<String, String> {
    if options.without_node {
        return Err("the peers (--without-node)".to_owned());
    }
    let version = machine::said("node", &["--version"]).ok_or("the peers: there is no Node here")?;
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/official/node_modules");
    if ["discord.js", "@microsoft/signalr"].iter().any(|name| !packages.join(name).is_dir()) {
        return Err("the peers: run npm ci in tests/official".to_owned());
    }
    Ok(version)
}
