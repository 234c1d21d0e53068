//! Registers the bot's commands: in the guild that `DISCORD_GUILD_ID` names, or everywhere, and nowhere else.
//!
//! Registering replaces all commands of a place at once, so that none of an earlier version stays. Knows no command: the caller passes
//! them. Never decides who is served; leftover commands only look wrong.

use std::sync::Arc;

use serde_json::Value;
use serenity::all::{CreateCommand, HttpError, LightMethod, Request, Route};

use super::attempt::Attempt;
use super::refusal_cause::{RefusalCause, about_code};
use super::rest::{AskError, Rest, without_address};
use crate::ids::GuildId;
use crate::outbox::Obstacle;

/// The commands, and their place.
#[derive(Clone, Debug)]
pub struct Registration {
    rest: Rest,
    /// Our application's id: commands are registered before READY has it.
    application: u64,
    body: Arc<[u8]>,
    count: usize,
    /// The one guild; `None` = everywhere.
    guild: Option<GuildId>,
    /// They were registered in that guild before: that the bot isn't in it now doesn't mean that the setting is wrong.
    was_there: bool,
}

/// Why commands could not be registered or removed.
enum Failure {
    Token,
    /// 403 or 404: the bot isn't there.
    NotThere,
    /// Worth another attempt.
    Trouble(String),
    Refused(String),
}

impl Registration {
    /// `was_there`: the commands were registered in that guild before.
    ///
    /// # Errors
    /// If the commands cannot be written as JSON.
    pub fn new(
        rest: Rest,
        application: u64,
        commands: &[CreateCommand],
        guild: Option<GuildId>,
        was_there: bool,
    ) -> serde_json::Result<Self> {
        Ok(Self { rest, application, body: serde_json::to_vec(commands)?.into(), count: commands.len(), guild, was_there })
    }

    /// The one guild with commands; `None` = they are everywhere.
    #[must_use]
    pub fn guild(&self) -> Option<GuildId> {
        self.guild
    }

    /// Registers the commands in their place, at the start.
    pub(super) async fn at_start(&self) -> Attempt<()> {
        match (self.put(self.guild, self.body.to_vec()).await, self.guild) {
            (Ok(()), _) => {
                self.notify();
                Attempt::Done(())
            }
            (Err(Failure::Token), _) => Attempt::Never(AskError::Token.into()),
            (Err(Failure::NotThere), Some(guild)) if self.was_there => {
                tracing::warn!(%guild, "the bot was removed from the guild that DISCORD_GUILD_ID names; waiting until somebody adds it again (`tenfour invite`)");
                Attempt::Done(())
            }
            (Err(Failure::NotThere), Some(guild)) => Attempt::Never(anyhow::anyhow!(
                "DISCORD_GUILD_ID: the bot is not in guild {guild}, or may not have commands there. Invite it with `tenfour invite`, or correct the id"
            )),
            (Err(Failure::NotThere), None) => Attempt::Later("Discord does not know the application yet".to_owned(), None),
            (Err(Failure::Trouble(why)), _) => Attempt::Later(why, None),
            (Err(Failure::Refused(why)), _) => Attempt::Never(anyhow::anyhow!("Discord does not take the commands: {why}")),
        }
    }

    /// Registers the commands again: their guild added the bot again, and Discord had removed them. False if it is worth another attempt.
    pub async fn again(&self) -> bool {
        match self.put(self.guild, self.body.to_vec()).await {
            Ok(()) => {
                self.notify();
                true
            }
            Err(Failure::Trouble(why)) => {
                tracing::warn!(%why, "the commands cannot be registered again yet");
                false
            }
            Err(Failure::NotThere | Failure::Token) => true,
            Err(Failure::Refused(why)) => {
                tracing::error!(%why, "Discord does not take the commands");
                true
            }
        }
    }

    /// Whether the place of the commands has any. True if Discord doesn't say.
    pub async fn is_there(&self) -> bool {
        self.any(self.guild).await.unwrap_or(true)
    }

    /// Removes commands from a place where they don't belong: a guild, or everywhere.
    pub async fn clear(&self, place: Option<GuildId>) {
        if place == self.guild || !self.any(place).await.unwrap_or(false) {
            return;
        }
        let place_name = name(place);
        match self.put(place, b"[]".to_vec()).await {
            Ok(()) => tracing::info!(place = place_name, "removed commands that were registered there before"),
            Err(Failure::Trouble(why) | Failure::Refused(why)) => {
                tracing::warn!(place = place_name, %why, "commands that were registered there before could not be removed");
            }
            Err(Failure::NotThere | Failure::Token) => {}
        }
    }

    async fn any(&self, place: Option<GuildId>) -> Option<bool> {
        let path = match place {
            Some(guild) => format!("/applications/{}/guilds/{guild}/commands", self.application),
            None => format!("/applications/{}/commands", self.application),
        };
        let listed = self.rest.ask(&path).await.ok()?;
        Some(listed.as_array().is_some_and(|commands| !commands.is_empty()))
    }

    fn notify(&self) {
        tracing::info!(commands = self.count, place = name(self.guild), "commands are registered");
    }

    async fn put(&self, place: Option<GuildId>, body: Vec<u8>) -> Result<(), Failure> {
        let application_id = self.application.max(1).into();
        let route = match place {
            Some(guild) => Route::GuildCommands { application_id, guild_id: guild.0.max(1).into() },
            None => Route::Commands { application_id },
        };
        // Parsed as any JSON: if Discord sends more about a command than serenity knows, that must not look like a failure.
        let registered = self.rest.serenity().fire::<Value>(Request::new(route, LightMethod::Put).body(Some(body))).await;
        let Err(error) = registered else { return Ok(()) };
        let serenity::Error::Http(HttpError::UnsuccessfulRequest(refusal)) = &error else {
            return Err(Failure::Trouble(format!("no answer from Discord: {}", without_address(error))));
        };
        let status = refusal.status_code.as_u16();
        // -1 is serenity's code for anything but Discord's JSON. Like temporary errors, it says nothing about the commands, the guild or
        // the token.
        let about = i64::try_from(refusal.error.code).ok().filter(|code| *code >= 0).map(|code| about_code(code, status));
        Err(match (status, about) {
            (429 | 500.., _) | (_, None | Some(RefusalCause::Way(Obstacle::Edge | Obstacle::Down | Obstacle::Limit(_)))) => {
                Failure::Trouble(format!("Discord answers HTTP {}", refusal.status_code))
            }
            (401, _) => Failure::Token,
            (403 | 404, _) if place.is_some() => Failure::NotThere,
            _ => Failure::Refused(refusal.error.message.clone()),
        })
    }
}

fn name(place: Option<GuildId>) -> String {
    place.map_or_else(|| "everywhere".to_owned(), |guild| format!("guild {guild}"))
}
