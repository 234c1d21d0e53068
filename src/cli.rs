//! The command line: arguments in, exit code out.

mod printed;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::clock::Clock;
use crate::config::{Config, RequiredSettings, SettingProblems};
use crate::shutdown::stop_asked;
use crate::store::{StoreError, backup};
use crate::{app, check, demo, discord, files, metrics, output, telemetry};

const AFTER: &str = "\
Settings come from the environment or from a file named .env in the working directory. .env.example explains each one.

Try it without an account:   tenfour demo
Set it up:                   copy .env.example to .env and fill it in, then run
                             tenfour check         finds what is missing and says how to fix it
                             tenfour invite        prints the link that adds the bot to a server
                             tenfour               runs the bot; then type /cad setup in Discord
Back up the database:        tenfour backup FILE   works while the bot is running";

/// Live Discord alerts for Sonoran CAD's calls, panics, and dispatches.
#[derive(Debug, Parser)]
#[command(name = "tenfour", version, after_help = AFTER, subcommand_value_name = "COMMAND")]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the bot until Ctrl-C (the default).
    Run,
    /// Show the bot in the browser with a simulated CAD and Discord, without any account.
    Demo(demo::Options),
    /// Check the settings, the database, Discord, and the CAD, and print how to fix each problem.
    ///
    /// The exit code is 0 only if the bot will run.
    Check,
    /// Print the link that adds the bot to a Discord server with only the permissions it needs.
    Invite,
    /// Save a consistent copy of the database to a new file, even while the bot is running.
    Backup {
        /// The file to create; an existing file is never overwritten.
        file: PathBuf,
    },
    /// Print a completion script for a shell.
    Completions {
        /// The shell that will load the script.
        shell: Shell,
    },
    /// Print the man page, in roff.
    #[command(hide = true)]
    Man,
    /// Ask the running bot at OPS_ADDR whether it is alive. For container health checks.
    #[command(hide = true)]
    Health,
}

/// Parses the arguments and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    metrics::process_started();
    match Cli::parse().command.unwrap_or(Command::Run) {
        Command::Run => in_runtime(run()),
        Command::Demo(options) => in_runtime(demo::main(options)),
        Command::Check => in_runtime(check::main()),
        Command::Invite => in_runtime(invite()),
        Command::Backup { file } => in_runtime(save(file)),
        Command::Completions { shell } => print(printed::completions(Cli::command(), shell)),
        Command::Man => print(printed::man_page(Cli::command())),
        Command::Health => in_runtime(health()),
    }
}

fn in_runtime(command: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(8).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return say_error(&format!("cannot start: {error}")),
    };
    let code = runtime.block_on(command);
    // Every task was stopped already; a blocked thread must not hold the exit.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    code
}

fn print(text: std::io::Result<String>) -> ExitCode {
    match text {
        Ok(text) => output::code(output::out(text.trim_end())),
        Err(error) => say_error(&error.to_string()),
    }
}

/// Settings for a command, their warnings logged; the problems printed.
fn settings(need: RequiredSettings) -> Result<Config, ExitCode> {
    let config = Config::read(need).map_err(|problems| refuse(&problems))?;
    if let Err(error) = telemetry::init(&config.log, config.log_format) {
        return Err(say_error(&format!("{error}")));
    }
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

fn refuse(problems: &SettingProblems) -> ExitCode {
    say_error(&format!("{problems}\nEvery setting is explained in .env.example; `tenfour demo` needs none of them."))
}

fn say_error(text: &str) -> ExitCode {
    output::err(&format!("tenfour: {}", telemetry::redact(text)));
    ExitCode::FAILURE
}

async fn run() -> ExitCode {
    let config = match settings(RequiredSettings::Run) {
        Ok(config) => config,
        Err(code) => return code,
    };
    for sentence in files::exposed(Path::new(Config::FILE), &config.database, config.record.as_deref()) {
        tracing::warn!("{sentence}");
    }
    if config.record.is_some() {
        tracing::info!("TENFOUR_RECORD: recording every request to Discord");
    }
    // From the first moment: a signal during the start must end it cleanly too.
    let asked = stop_asked();
    tokio::pin!(asked);
    let app = match app::App::start_unless(config, Clock::system(), &mut asked).await {
        Ok(Some(app)) => app,
        Ok(None) => return ExitCode::SUCCESS,
        // The store's message is complete: SQLite's would repeat it.
        Err(error) => {
            return say_error(&error.downcast_ref().map_or_else(|| format!("{error:#}"), StoreError::to_string));
        }
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "tenfour runs; Ctrl-C stops it");
    let by_itself = tokio::select! {
        () = &mut asked => false,
        () = app.stopping() => true,
    };
    let failure = by_itself.then(|| app.failure()).flatten();
    tracing::info!("stopping");
    // A second signal doesn't wait for work in progress, only for the database.
    let store = app.store.clone();
    let stopped = tokio::select! {
        stopped = app.stop() => stopped,
        () = stop_asked() => {
            store.close(app::CLOSE).await;
            false
        }
    };
    if by_itself {
        // The log has the reason, unless it is off.
        if !tracing::enabled!(tracing::Level::ERROR) {
            return say_error(failure.as_deref().unwrap_or("a part of the bot failed"));
        }
        tracing::info!("stopped");
        ExitCode::FAILURE
    } else {
        tracing::info!(clean = stopped, "stopped");
        ExitCode::SUCCESS
    }
}

/// Only the link goes to standard output.
async fn invite() -> ExitCode {
    let config = match Config::read(RequiredSettings::Invite) {
        Ok(config) => config,
        Err(problems) => return refuse(&problems),
    };
    let me = async {
        let rest = discord::rest::Rest::new(&config.discord.api_url, config.token()?.clone(), metrics::Metrics::new(&[], &[]))?;
        anyhow::Ok(rest.me().await?)
    };
    match me.await {
        Ok(me) => {
            let printed = output::out(&discord::invite_url(me.application));
            output::err("Open it, choose your server, keep the permissions as they are. Then type /cad setup there.");
            if me.public {
                output::err(
                    "Anybody with this link can add the bot: switch \"Public Bot\" off at https://discord.com/developers/applications (Bot).",
                );
            }
            output::code(printed)
        }
        Err(error) => say_error(&format!("{error:#}")),
    }
}

async fn save(target: PathBuf) -> ExitCode {
    let config = match Config::read(RequiredSettings::Demo) {
        Ok(config) => config,
        Err(problems) => return refuse(&problems),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let (database, stopping, started) = (config.database, Arc::clone(&stop), Instant::now());
    let (from, to) = (database.display().to_string(), target.display().to_string());
    let saving = tokio::task::spawn_blocking(move || backup::save(&database, &target, Clock::system().now(), &stopping));
    tokio::pin!(saving);
    let saved = tokio::select! {
        saved = &mut saving => saved,
        () = stop_asked() => {
            // It removes its own files.
            stop.store(true, Ordering::SeqCst);
            saving.await
        }
    };
    match saved {
        Ok(Ok(bytes)) => {
            let (bytes, seconds) = (bytes.div_ceil(1024), started.elapsed().as_secs_f32());
            output::code(output::out(&format!("Saved {from} to {to} ({bytes} KiB, {seconds:.1} s). It is complete and was checked.")))
        }
        Ok(Err(error)) => say_error(&error.to_string()),
        Err(error) => say_error(&format!("the backup broke off: {error}")),
    }
}

async fn health() -> ExitCode {
    let Ok(config) = Config::read(RequiredSettings::Demo) else { return say_error("the settings cannot be read") };
    let Some(addr) = config.ops else { return say_error("OPS_ADDR is off") };
    let host = if addr.ip().is_unspecified() { std::net::IpAddr::from([127, 0, 0, 1]) } else { addr.ip() };
    let url = format!("http://{}/healthz", std::net::SocketAddr::new(host, addr.port()));
    let client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(3)).no_proxy().build();
    let asked = match client {
        Ok(client) => client.get(&url).send().await.and_then(reqwest::Response::error_for_status),
        Err(error) => Err(error),
    };
    match asked {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => say_error(&format!("{url}: {error}")),
    }
}
