//! Checks every command, autocompletion, button, form and message first: in a Discord server that may not use the community's data, people
//! get one answer, how to link it, and no other code runs. Also tracks which servers have the bot.
//!
//! ```text
//! gateway ─▶ Access ─┬─ READY, GUILD_CREATE, GUILD_DELETE ─▶ link the only server, report a new one, register commands again
//!                    ├─ from a server that is not served ─▶ "how to link" (an empty list while typing); nothing goes on
//!                    └─ all else, and `/cad link` ─▶ poise
//! ```
//!
//! The rule itself is [`crate::guild_access`]. What is not known to be allowed is refused: before READY too.

use std::collections::BTreeSet;
use std::time::Duration;

use serenity::all::{
    Client, CommandInteraction, Context, CreateAutocompleteResponse, CreateInteractionResponse, Framework, FullEvent, Interaction, Ready,
};
use serenity::async_trait;

use super::context::CommandContext;
use super::custom_id::CustomId;
use super::data::Data;
use super::errors::NOT_LINKED;
use super::guilds::Guilds;
use super::reply::private_answer;
use crate::community::Community;
use crate::discord::registration::Registration;
use crate::guild_access::Standing;
use crate::ids::{CommunityId, GuildId, UserId};
use crate::ingest::{BotMessage, Request};
use crate::render::notice::{self, Notice};
use crate::render::text;
use crate::shutdown::Tasks;
use crate::store::StoreError;

/// Longest name of a server that is remembered (UTF-16 units).
const NAME: usize = 100;
/// Servers in which commands from another time are looked for at the start.
const LOOKED_THROUGH: usize = 100;
/// Longest pause between attempts to register the commands again.
const MAX_PAUSE: Duration = Duration::from_secs(60);

const DIRECT: &str = "This works in a server only, not in direct messages.";
/// Another server is the only one; what can be done is its operator's.
pub(super) const OTHER_GUILD: &str = "This bot is set up to serve one Discord server, and it isn't this one, so nothing is shown here. Ask whoever runs the bot to change or remove DISCORD_GUILD_ID.";

/// What somebody reads in a server with this standing; `None`: they may go on.
pub(super) fn refusal(standing: Standing) -> Option<&'static str> {
    match standing {
        Standing::Served => None,
        Standing::OtherGuildOnly => Some(OTHER_GUILD),
        Standing::NotLinked => Some(NOT_LINKED),
    }
}

/// The framework behind the check.
pub(super) struct Access<F> {
    pub(super) inner: F,
    pub(super) data: Data,
    pub(super) guilds: Guilds,
    pub(super) registration: Registration,
    pub(super) tasks: Tasks,
    /// One change of who is there at a time: serenity hands each event to a task of its own.
    pub(super) turn: tokio::sync::Mutex<()>,
}

#[async_trait]
impl<F: Framework> Framework for Access<F> {
    async fn init(&mut self, client: &Client) {
        self.inner.init(client).await;
    }

    async fn dispatch(&self, ctx: Context, event: FullEvent) {
        let followed = match &event {
            FullEvent::Ready { data_about_bot } => self.ready(data_about_bot).await,
            FullEvent::GuildCreate { guild, .. } => self.came(GuildId(guild.id.get()), &guild.name).await,
            FullEvent::GuildDelete { incomplete, .. } if !incomplete.unavailable => self.left(GuildId(incomplete.id.get())).await,
            _ => Ok(()),
        };
        if let Err(error) = followed {
            tracing::error!(%error, "which Discord servers have the bot could not be written down");
        }
        match &event {
            FullEvent::InteractionCreate { interaction } => {
                if let Some(answer) = self.turned_away(interaction).await {
                    return respond(&ctx, interaction, answer).await;
                }
            }
            FullEvent::Message { new_message } => {
                let guild = new_message.guild_id.map(|guild| GuildId(guild.get()));
                if !guild.is_some_and(|guild| self.standing(guild) == Standing::Served) {
                    return;
                }
            }
            _ => {}
        }
        self.inner.dispatch(ctx, event).await;
    }
}

impl<F> Access<F> {
    fn standing(&self, guild: GuildId) -> Standing {
        self.data.store.routing_now().access.standing(guild)
    }

    /// The answer to somebody who may not go on; `None`: they may.
    async fn turned_away(&self, interaction: &Interaction) -> Option<&'static str> {
        let (guild, links) = match interaction {
            Interaction::Command(command) => (command.guild_id, links(command)),
            Interaction::Autocomplete(command) => (command.guild_id, false),
            Interaction::Component(component) => (component.guild_id, false),
            Interaction::Modal(modal) => (modal.guild_id, CustomId::parse(&modal.data.custom_id) == Some(CustomId::Link)),
            // A ping, or a kind that does not exist yet: poise answers neither.
            _ => return None,
        };
        let Some(guild) = guild.map(|guild| GuildId(guild.get())) else { return Some(DIRECT) };
        if self.standing(guild) == Standing::NotLinked {
            self.guilds.until_known().await;
        }
        refusal(self.standing(guild)).filter(|_| !links)
    }

    /// A session has begun: Discord says which servers have the bot, also those that it cannot reach now.
    async fn ready(&self, ready: &Ready) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let Data { store, clock, .. } = &self.data;
        let listed: BTreeSet<GuildId> = ready.guilds.iter().map(|guild| GuildId(guild.id.get())).collect();
        // With several shards each lists its own servers only, so that one listed server doesn't mean that the bot has just one.
        let whole = ready.shard.is_none_or(|shard| shard.total <= 1);
        let (again, before) = (*self.guilds.known.borrow(), self.guilds.all());
        {
            let mut present = self.guilds.lock();
            if whole {
                present.retain(|guild, _| listed.contains(guild));
            }
            for guild in &listed {
                present.entry(*guild).or_default();
            }
        }
        let all = self.guilds.all();
        let now = clock.now();
        let new = store.guilds_present(all.clone(), now).await?;
        let linked = match self.data.communities.only().filter(|_| whole) {
            Some(community) => store.link_only_guild(&community.id, listed.clone(), now).await?,
            None => None,
        };
        if let Some(guild) = linked {
            tracing::info!(%guild, "linked the only Discord server that has the bot");
        }
        self.guilds.known.send_replace(true);
        self.tell_who_is_served(&all);
        let unserved: Vec<GuildId> = new.into_iter().filter(|guild| self.standing(*guild) != Standing::Served).collect();
        if !unserved.is_empty() {
            tracing::warn!(
                guilds = %list(&unserved),
                "Discord servers that were not known before have the bot; they see nothing until somebody there proves the API key with /cad link"
            );
            self.tell_owner(&Notice::GuildsFound { guilds: unserved }).await;
        }
        // Somebody may have thrown the bot out and added it again while nobody looked.
        for guild in listed.iter().filter(|guild| again && !before.contains(guild)) {
            self.resume(*guild).await?;
        }
        self.put_commands_right(again, all);
        Ok(())
    }

    /// A server is there: since just now, or after an outage, or as READY announced.
    async fn came(&self, guild: GuildId, name: &str) -> Result<(), StoreError> {
        self.guilds.until_known().await;
        let _turn = self.turn.lock().await;
        let Data { store, clock, communities, .. } = &self.data;
        let name = text::cut(name, NAME);
        let joined = self.guilds.lock().insert(guild, Some(name.clone())).is_none();
        if !joined {
            return Ok(());
        }
        let new = store.guild_came(guild).await?;
        let known = *self.guilds.known.borrow();
        if let Some(community) = communities.only().filter(|_| known)
            && store.link_only_guild(&community.id, self.guilds.all(), clock.now()).await?.is_some()
        {
            tracing::info!(%guild, "linked the only Discord server that has the bot");
        }
        let served = self.standing(guild) == Standing::Served;
        if served {
            tracing::info!(%guild, name, "the bot was added to a linked Discord server");
        } else {
            tracing::warn!(
                %guild, name,
                "the bot was added to a Discord server; it sees nothing there until somebody proves the API key with /cad link"
            );
        }
        if new && !served {
            self.tell_owner(&Notice::GuildJoined { guild, name }).await;
        }
        self.resume(guild).await
    }

    async fn left(&self, guild: GuildId) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        self.guilds.lock().remove(&guild);
        tracing::info!(%guild, "the bot was removed from a Discord server");
        self.data.store.guild_left(guild, self.data.clock.now()).await
    }

    /// A server has the bot again: its commands went with the bot, and what waits for its channels need not wait any longer.
    async fn resume(&self, guild: GuildId) -> Result<(), StoreError> {
        if let Some(community) = self.data.store.routing_now().access.community_of(guild) {
            for channel in self.data.store.reopen_guild(guild).await? {
                self.data.scheduler.notify(channel, community, true);
            }
        }
        if self.registration.guild() == Some(guild) {
            self.register_again();
        }
        Ok(())
    }

    /// Notifies the owner of a bot that serves one community. Of several, none owns the bot: its operator reads the log.
    async fn tell_owner(&self, notice: &Notice) {
        if let Some(community) = self.data.communities.only() {
            notify(&self.data, &community, notice).await;
        }
    }

    fn register_again(&self) {
        let (registration, tasks) = (self.registration.clone(), self.tasks.clone());
        drop(self.tasks.spawn(async move {
            let mut pause = Duration::from_secs(1);
            while !registration.again().await {
                tokio::select! {
                    () = tasks.draining() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = MAX_PAUSE.min(pause * 2);
            }
        }));
    }

    /// Remembers where the commands are, and takes them away where an earlier start, with another `DISCORD_GUILD_ID`, had put them.
    fn put_commands_right(&self, again: bool, present: BTreeSet<GuildId>) {
        let (registration, store, tasks) = (self.registration.clone(), self.data.store.clone(), self.tasks.clone());
        drop(self.tasks.spawn(async move {
            let work = async {
                if again {
                    // Thrown out and added again while the session was away: Discord has removed them.
                    if registration.guild().is_some_and(|guild| present.contains(&guild)) && !registration.is_there().await {
                        registration.again().await;
                    }
                    return;
                }
                if let Err(error) = store.set_commands_in(registration.guild()).await {
                    tracing::warn!(%error, "where the commands are could not be written down");
                }
                registration.clear(None).await;
                for guild in present.into_iter().take(LOOKED_THROUGH) {
                    registration.clear(Some(guild)).await;
                }
            };
            tokio::select! {
                () = tasks.draining() => {}
                () = work => {}
            }
        }));
    }

    /// Into the log: who is served, and on what grounds.
    fn tell_who_is_served(&self, present: &BTreeSet<GuildId>) {
        let routing = self.data.store.routing_now();
        for link in routing.access.served() {
            let here = if present.contains(&link.guild) { "" } else { " (the bot is not in it now)" };
            tracing::info!(guild = %link.guild, how = link.how.as_str(), "serving a Discord server{here}");
        }
        let others = present.iter().filter(|guild| !routing.access.serves(**guild)).count();
        if others > 0 {
            tracing::warn!(others, "other Discord servers have the bot and are not served");
        }
    }
}

/// Into the notices channel of the server that was linked to a community first, if it has one.
async fn notify(data: &Data, community: &Community, notice: &Notice) {
    let (routing, now) = (data.store.routing_now(), data.clock.now());
    let first = routing.access.first(&community.id).and_then(|link| routing.guilds.get(&link.guild));
    let Some((guild, channel)) = first.and_then(|guild| Some((guild.id, guild.notices?))) else { return };
    let message = BotMessage {
        guild,
        channel,
        server: community.first_server(),
        subject: format!("notice:guild:{}:{}", notice.guild_word(), now.0),
        message: notice::message(notice, now),
    };
    community.requests.send(Request::Send(message)).await.ok();
}

/// Reports that a Discord server was linked to a community or unlinked by `user`, unless it is the one that would read it.
pub(super) async fn report_link(context: &CommandContext, community: &CommunityId, guild: GuildId, user: UserId, linked: bool) {
    let (first, now_linked) = {
        let access = &context.store.routing_now().access;
        (access.first(community).map(|link| link.guild), access.served_by(community).len())
    };
    if first != Some(guild)
        && let Some(community) = context.communities.get(community)
    {
        notify(&context.data, &community, &Notice::GuildLink { guild, name: context.guilds.name(guild), user, linked, now_linked }).await;
    }
}

/// `/cad link`: the one command that works before a server is linked. It looks itself who runs it.
fn links(command: &CommandInteraction) -> bool {
    command.data.name == "cad" && command.data.options.first().is_some_and(|option| option.name == "link")
}

fn list(guilds: &[GuildId]) -> String {
    const SOME: usize = 20;
    let mut all: Vec<String> = guilds.iter().take(SOME).map(ToString::to_string).collect();
    if guilds.len() > SOME {
        all.push(format!("and {} more", guilds.len() - SOME));
    }
    all.join(", ")
}

async fn respond(ctx: &Context, interaction: &Interaction, sentence: &'static str) {
    let answered = match interaction {
        Interaction::Command(command) => command.create_response(ctx, private_answer(sentence)).await,
        Interaction::Component(component) => component.create_response(ctx, private_answer(sentence)).await,
        Interaction::Modal(modal) => modal.create_response(ctx, private_answer(sentence)).await,
        Interaction::Autocomplete(typing) => {
            typing.create_response(ctx, CreateInteractionResponse::Autocomplete(CreateAutocompleteResponse::new())).await
        }
        _ => Ok(()),
    };
    if let Err(error) = answered {
        // Usually the person is gone, or Discord gave up waiting. The error may hold the interaction's token.
        let kind = if matches!(error, serenity::Error::Http(_)) { "Discord refused the answer" } else { "no answer was sent" };
        tracing::debug!(kind, "somebody in a Discord server that is not served could not be answered");
    }
}
