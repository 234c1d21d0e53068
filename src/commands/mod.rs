//! Slash commands and the buttons under their answers: people in, changes of routes out.
//!
//! Job: one file per command, in the folder of its top-level command; say yes only to what will work (permissions are checked before a route
//! is made), and every no in one sentence with its fix. Never sends alerts (tests and confirmations go through `ingest`), never keeps a
//! person's half-done work in memory: a wizard's state stands in its custom ids, so that a press survives a restart.
//!
//! ```text
//! gateway ─▶ access ─▶ framework ─┬─ slash ─▶ alerts/, board/, cad/, duty/ ─────┬─▶ store, ingest's requests
//!                                 ├─ typing ─▶ autocomplete, choices            ├─▶ checks (Discord), names (Discord and CAD, remembered for a minute)
//!                                 ├─ presses, forms ─▶ components ─▶ wizard, tests, words, cards, forms, settings/buttons
//!                                 ├─ slash, menu ─▶ unit/, call/, lookup/, emergency, menu ─▶ acting
//!                                 └─ messages, if they may be read ─▶ threads ─▶ acting
//! ```
//!
//! Servers that are not linked get no further than `access`. What changed a setting is written down around every command (`recorded`), not in it.
//!
//! Answers are private unless a person shares a report; every command is for people with Manage Server (`/duty`: Timeout Members) unless a
//! guild's own settings say otherwise. Whoever was let run a command may finish it (`components`).

mod access;
mod acts;
mod alerts;
mod autocomplete;
mod board;
mod cad;
mod call;
mod calls;
mod cards;
mod checks;
mod choices;
// Open to the fuzz target of `fuzz/`.
#[doc(hidden)]
pub mod components;
mod csv;
mod duty;
mod emergency;
mod errors;
mod forms;
pub mod framework;
mod layout;
mod lookup;
mod make;
mod menu;
mod names;
mod options;
mod recorded;
mod reply;
mod rules;
mod settings;
mod threads;
mod unit;
mod waiting;
mod wizard;

use std::net::SocketAddr;

use tenfour_chart::Painter;
use tokio::sync::mpsc;

use crate::actions::{Acting, Actor, Refused};
use crate::cad::rest::CadRest;
use crate::clock::Clock;
use crate::discord::rest::{Me, Rest};
use crate::gate::Gate;
use crate::ids::{ChannelId, CommunityId, GuildId, RoleId, ServerId, UserId};
use crate::ingest::Request;
use crate::metrics::Metrics;
use crate::status::Status;
use crate::store::{Store, StoreError};

use access::Guilds;
use cad::labels::Openings;
use cad::link::Tries;
use errors::Error;
use names::Names;
use threads::Tellings;

/// Everything the commands need from outside.
#[derive(Clone, Debug)]
pub struct Data {
    /// Routes and posts.
    pub store: Store,
    pub clock: Clock,
    pub status: Status,
    pub metrics: Metrics,
    /// Discord.
    pub rest: Rest,
    /// Rung when something may be sent again.
    pub gate: Gate,
    /// Who acts in the CAD for members; `None` without a CAD to act in.
    pub acting: Option<Acting>,
    /// The CAD; `None` if it cannot be asked.
    pub cad: Option<CadRest>,
    pub requests: mpsc::Sender<Request>,
    /// What never changes while the bot runs.
    pub facts: Facts,
}

impl Data {
    /// Opens a channel that Discord had refused: what waits for it goes out now. True if it was closed.
    async fn open_again(&self, channel: ChannelId) -> Result<bool, StoreError> {
        let closed = self.store.reopen(channel).await?;
        self.gate.ring(channel, true);
        Ok(closed)
    }
}

/// What never changes while the bot runs.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Whose CAD: the environment's community.
    pub community: CommunityId,
    /// `SONORAN_SERVER_IDS`: at least one.
    pub servers: Vec<ServerId>,
    /// `SONORAN_HUB`.
    pub hub: bool,
    /// Where push events are accepted.
    pub listen: Vec<SocketAddr>,
    /// Who we are on Discord.
    pub bot: Me,
    /// `DISCORD_MESSAGE_CONTENT`: what people write is read.
    pub message_content: bool,
}

impl Facts {
    /// The first configured server: where a question is about none in particular.
    fn first_server(&self) -> ServerId {
        self.servers.first().copied().unwrap_or(ServerId(1))
    }
}

/// What a command finds at hand.
#[derive(Debug)]
struct Desk {
    data: Data,
    names: Names,
    tellings: Tellings,
    openings: Openings,
    /// Tries of `/cad link`.
    tries: Tries,
    /// Which servers have the bot.
    guilds: Guilds,
    painter: Painter,
}

impl std::ops::Deref for Desk {
    type Target = Data;

    fn deref(&self) -> &Data {
        &self.data
    }
}

type Context<'a> = poise::ApplicationContext<'a, Desk, Error>;

impl Desk {
    /// Who acts in the CAD.
    fn acting(&self) -> Result<&Acting, Refused> {
        self.data.acting.as_ref().ok_or(Refused::NoCad)
    }
}

/// Who wants to act in the CAD.
fn actor(guild: GuildId, user: UserId, member: Option<&serenity::all::Member>) -> Actor {
    let roles = member.map(|member| member.roles.iter().map(|role| RoleId(role.get())).collect()).unwrap_or_default();
    Actor { guild, user, roles }
}

/// The guild a command came from.
fn guild_of(ctx: Context<'_>) -> Result<GuildId, Error> {
    let guild = ctx.interaction.guild_id.ok_or_else(|| Error::refused("This works in a server only, not in direct messages."))?;
    Ok(GuildId(guild.get()))
}

/// Who gave a command, and from where.
fn asker(ctx: Context<'_>) -> Result<make::Asker, Error> {
    let interaction = ctx.interaction;
    Ok(make::Asker {
        guild: guild_of(ctx)?,
        user: UserId(interaction.user.id.get()),
        here: interaction.app_permissions.map(|permissions| (ChannelId(interaction.channel_id.get()), permissions)),
    })
}
