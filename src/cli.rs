//! The command line: arguments in, exit code out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::{Parser, Subcommand};

use crate::clock::Clock;
use crate::config::{Config, RequiredSettings, SettingProblems};
use crate::shutdown::stop_asked;
use crate::store::{StoreError, backup};
use crate::{app, check, demo, discord, files, metrics, output, telemetry};

const AFTER: &str = "\
Settings come from the environment or a file named .env in the working directory; .env.example explains them all.

Try it without any account:    tenfour demo
Set it up for real:            copy .env.example to .env, fill it in, then
                               tenfour check      tells what is missing, with the fix
                               tenfour invite     prints the link that adds the bot to your Discord server
                               tenfour            runs it; then type /cad setup in Discord
Keep a copy:                   tenfour backup FILE    while the bot is running, too";

/// Sonoran CAD's calls, panics and dispatches as live Discord alerts.
#[derive(Debug, Parser)]
#[command(name = "tenfour", version, about, after_help = AFTER)]
pub struct Cli {
    /// What to do; `run` if nothing is said.
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the bot until Ctrl-C (this is the default).
    Run,
    /// Show everything in the browser with a pretend CAD and a pretend Discord: no account needed.
    Demo(demo::Options),
    /// Check settings, database, Discord and the CAD, one line each with its fix. Exit code 0 only if all is well.
    Check,
    /// Print the link that adds the bot to a Discord server, with the least permissions.
    Invite,
    /// Save a consistent copy of the database to a new file, also while the bot is running.
    Backup {
        /// The file to make; one that exists is never overwritten.
        file: PathBuf,
    },
    /// Ask the running bot on OPS_ADDR whether it lives. For container health checks.
    #[command(hide = true)]
    Health,
}

/// Parses the arguments and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    metrics::process_started();
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(8).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return say_error(&format!("cannot start: {error}")),
    };
    let code = runtime.block_on(async {
        match cli.command.unwrap_or(Command::Run) {
            Command::Run => run().await,
            Command::Demo(options) => demo::main(options).await,
            Command::Check => check::main().await,
            Command::Invite => invite().await,
            Command::Backup { file } => save(file).await,
            Command::Health => health().await,
        }
    });
    // Every task was stopped already; a blocked thread must not hold the exit.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    code
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
