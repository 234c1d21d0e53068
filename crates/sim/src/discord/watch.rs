//! What tests and the demo's page can see of the simulated Discord.

use std::time::Duration;

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};

use super::handle::DiscordSim;
use super::model::{Arrival, Id};
use super::state::State;
use super::values::{list, text};

impl DiscordSim {
    /// Every request from now on, unbounded. Only the latest caller gets them.
    #[must_use]
    pub fn arrivals(&self) -> mpsc::UnboundedReceiver<Arrival> {
        let (sender, arrivals) = mpsc::unbounded_channel();
        self.core().with(|state| state.arrivals = Some(sender));
        arrivals
    }

    /// The messages of a channel, oldest first, in Discord's format with `pinged`: who was really notified, as `<@user>`, `<@&role>`,
    /// `@everyone`, `@here`.
    #[must_use]
    pub fn messages(&self, channel: &str) -> Vec<Value> {
        let channel = channel.parse::<Id>().unwrap_or(0);
        self.core().read(|state| state.channel_messages(channel))
    }

    /// Waits for the first message of the channel that `fits`.
    ///
    /// # Errors
    /// If none came in time; the error lists what the channel holds.
    pub async fn wait_message(&self, channel: &str, limit: Duration, fits: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let id = channel.parse::<Id>().unwrap_or(0);
        let found = self.core().wait(limit, |state| state.channel_messages(id).into_iter().find(|m| fits(m))).await;
        found.ok_or_else(|| format!("no fitting message in channel {channel}; it holds {}", json!(self.messages(channel))))
    }

    /// A channel or thread in Discord's shape; null if there is none.
    #[must_use]
    pub fn channel(&self, channel: &str) -> Value {
        let id = channel.parse::<Id>().unwrap_or(0);
        self.core().read(|state| state.channels.get(&id).map_or(Value::Null, |channel| state.channel_json(channel)))
    }

    /// Every version of a message, the newest last. Empty if it is not there.
    #[must_use]
    pub fn edits(&self, message: &str) -> Vec<Value> {
        let id = message.parse::<Id>().unwrap_or(0);
        self.core().read(|state| {
            let Some(message) = state.messages.get(&id) else { return Vec::new() };
            message.edits.iter().cloned().chain([message.value.clone()]).collect()
        })
    }

    /// Every REST request so far: `{at_ms, method, path, status, body}`. Status 0: no answer was given (a planned fault).
    #[must_use]
    pub fn requests(&self) -> Vec<Value> {
        self.core().read(|state| state.log.iter().cloned().collect())
    }

    /// Waits until a request `fits`.
    ///
    /// # Errors
    /// If none came in time.
    pub async fn wait_request(&self, limit: Duration, fits: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let found = self.core().wait(limit, |state| state.log.iter().find(|r| fits(r)).cloned()).await;
        found.ok_or_else(|| "no fitting request came".to_owned())
    }

    /// How many 401, 403 and 429 (not of scope `shared`) were answered: Discord bans an address at 10,000 in 10 minutes.
    #[must_use]
    pub fn invalid_requests(&self) -> u64 {
        self.core().read(|state| state.invalid_requests)
    }

    /// The registered commands, global and of guilds, in Discord's shape.
    #[must_use]
    pub fn commands(&self) -> Vec<Value> {
        self.core().read(State::commands_json)
    }

    /// Waits until a command of this name is registered.
    ///
    /// # Errors
    /// If it was not in time.
    pub async fn wait_command(&self, name: &str, limit: Duration) -> Result<Value, String> {
        let found = self.core().wait(limit, |state| state.commands.values().find(|c| text(c, "name") == name).cloned()).await;
        found.ok_or_else(|| format!("command {name} was not registered"))
    }

    /// Waits until a bot is connected and got READY.
    ///
    /// # Errors
    /// If none was in time.
    pub async fn wait_ready(&self, limit: Duration) -> Result<(), String> {
        self.core().wait(limit, |state| (state.connected() > 0).then_some(())).await.ok_or_else(|| "no bot connected".to_owned())
    }

    /// Waits until the gateway has seen at least this many IDENTIFYs and RESUMEs.
    ///
    /// # Errors
    /// If it has not in time.
    pub async fn wait_gateway(&self, identifies: u64, resumes: u64, limit: Duration) -> Result<(), String> {
        let enough = |state: &State| (state.identifies >= identifies && state.resumes >= resumes).then_some(());
        let found = self.core().wait(limit, enough).await;
        found.ok_or_else(|| format!("the gateway saw {}", self.gateway()))
    }

    /// `{connected, identifies, resumes}`.
    #[must_use]
    pub fn gateway(&self) -> Value {
        self.core().read(|state| json!({"connected": state.connected(), "identifies": state.identifies, "resumes": state.resumes}))
    }

    /// The initial snapshot of the page; the stream continues after `seq`.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        self.core().read(State::snapshot)
    }

    /// An uploaded file by the path of its address: type and bytes.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<(String, Bytes)> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        self.core().read(|state| super::messages::file(state, &parts))
    }

    /// Changes from now on, each with `seq` and `type`. A receiver that lags misses items: it should load a new snapshot.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Value> {
        self.owner.stream.subscribe()
    }

    /// The custom ids of a message's components, in order: for tests that click.
    #[must_use]
    pub fn custom_ids(message: &Value) -> Vec<String> {
        let rows = list(message, "components").iter();
        rows.flat_map(|row| list(row, "components")).map(|c| text(c, "custom_id").to_owned()).filter(|id| !id.is_empty()).collect()
    }
}
