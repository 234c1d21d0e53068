//! The command line: arguments in, exit code out.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::clock::Clock;
use crate::config::{Config, Need, Problems};
use crate::shutdown::stop_asked;
use crate::{app, check, demo, discord, telemetry};

const AFTER: &str = "\
Settings come from the environment or a file named .env in the working directory; .env.example explains them all.

Try it without any account:    tenfour demo
Set it up for real:            copy .env.example to .env, fill it in, then
                               tenfour check      tells what is missing, with the fix
                               tenfour invite     prints the link that adds the bot to your Discord server
                               tenfour            runs it; then type /cad setup in Discord";

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
    /// Ask the running bot on OPS_ADDR whether it lives. For container health checks.
    #[command(hide = true)]
    Health,
}

/// Reads the arguments and does what they say.
#[must_use]
pub fn main() -> ExitCode {
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
            Command::Health => health().await,
        }
    });
    // Every task was stopped already; what blocks a thread must not hold the exit.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    code
}

/// Settings for a command, their warnings logged; the problems printed.
fn settings(need: Need) -> Result<Config, ExitCode> {
    let config = Config::read(need).map_err(|problems| refuse(&problems))?;
    if let Err(error) = telemetry::init(&config.log, config.log_format) {
        return Err(say_error(&format!("{error}")));
    }
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

fn refuse(problems: &Problems) -> ExitCode {
    say_error(&format!("{problems}\nEvery setting is explained in .env.example; `tenfour demo` needs none of them."))
}

#[expect(clippy::print_stderr, reason = "what people see of a command that cannot go on")]
fn say_error(text: &str) -> ExitCode {
    eprintln!("tenfour: {text}");
    ExitCode::FAILURE
}

async fn run() -> ExitCode {
    let config = match settings(Need::Run) {
        Ok(config) => config,
        Err(code) => return code,
    };
    if let Some(file) = &config.record {
        tracing::info!(file = %file.display(), "recording every request to Discord");
    }
    // From the first moment: a signal during the start must end it cleanly too.
    let asked = stop_asked();
    tokio::pin!(asked);
    let starting = app::App::start(config, Clock::system());
    let app = tokio::select! {
        started = starting => match started {
            Ok(app) => app,
            Err(error) => return say_error(&format!("{error:#}")),
        },
        () = &mut asked => return ExitCode::SUCCESS,
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "tenfour runs; Ctrl-C stops it");
    let by_itself = tokio::select! {
        () = &mut asked => false,
        () = app.stopping() => true,
    };
    tracing::info!("stopping");
    // A second request does not wait.
    let stopped = tokio::select! {
        stopped = app.stop() => stopped,
        () = stop_asked() => false,
    };
    if by_itself {
        say_error("a part of the bot failed; the log above says which and why")
    } else {
        tracing::info!(clean = stopped, "stopped");
        ExitCode::SUCCESS
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the answer is the link, and only the link goes to stdout")]
async fn invite() -> ExitCode {
    let config = match Config::read(Need::Invite) {
        Ok(config) => config,
        Err(problems) => return refuse(&problems),
    };
    let me = async {
        let rest = discord::rest::Rest::new(&config.discord.api_url, config.token()?.clone(), crate::metrics::Metrics::new(&[], &[]))?;
        anyhow::Ok(rest.me().await?)
    };
    match me.await {
        Ok(me) => {
            println!("{}", discord::invite_url(me.application));
            eprintln!("Open it, choose your server, keep the permissions as they are. Then type /cad setup there.");
            if me.public {
                eprintln!(
                    "Anybody with this link can add the bot: switch \"Public Bot\" off at https://discord.com/developers/applications (Bot)."
                );
            }
            ExitCode::SUCCESS
        }
        Err(error) => say_error(&format!("{error:#}")),
    }
}

async fn health() -> ExitCode {
    let Ok(config) = Config::read(Need::Demo) else { return say_error("the settings cannot be read") };
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
