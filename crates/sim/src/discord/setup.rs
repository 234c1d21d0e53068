//! Sets up the simulated Discord: guilds, channels, roles, people, and faults. Ids are decimal strings, as on the wire.
//!
//! A method given an id that doesn't exist does nothing, and says so if it returns something.

use serde_json::{Value, json};

use super::fault::{Action, Noise};
use super::handle::DiscordSim;
use super::limits::{Limits, Scope};
use super::messages::{self, Origin};
use super::model::{Channel, Guild, Id, Member, Out, Overwrite, REQUIRE_TAG, Role, User, intent, page_channel};
use super::options::{Bucket, RateLimits};
use super::permissions::EVERYONE;
use super::state::State;
use super::{body, rest};

fn parse(id: &str) -> Id {
    id.parse().unwrap_or(0)
}

impl DiscordSim {
    /// The application's id.
    #[must_use]
    pub fn application_id(&self) -> String {
        self.core().read(|state| state.app.to_string())
    }

    /// The bot user's id.
    #[must_use]
    pub fn bot_id(&self) -> String {
        self.core().read(|state| state.bot.to_string())
    }

    /// Creates a guild with an owner (a person named `Owner`) and the bot in it. Returns the guild's id.
    pub fn add_guild(&self, name: &str) -> String {
        self.core().with(|state| {
            let id = state.new_id();
            let owner = state.new_id();
            let bot_role = state.new_id();
            let now = state.now();
            state.users.insert(owner, User { name: "Owner".to_owned(), bot: false });
            let everyone = Role { id, name: "@everyone".to_owned(), color: 0, permissions: EVERYONE, mentionable: false, managed: false };
            let permissions = state.options.bot_permissions;
            let bots =
                Role { id: bot_role, name: state.options.bot_name.clone(), color: 0, permissions, mentionable: false, managed: true };
            let mut guild =
                Guild { id, name: name.to_owned(), owner, roles: vec![everyone, bots], members: std::collections::BTreeMap::new() };
            guild.members.insert(owner, Member { roles: Vec::new(), extra: 0, joined_ms: now });
            guild.members.insert(state.bot, Member { roles: vec![bot_role], extra: 0, joined_ms: now });
            let created = state.guild_create_json(&guild);
            state.guilds.insert(id, guild);
            state.dispatch("GUILD_CREATE", id, intent::GUILDS, &created);
            id.to_string()
        })
    }

    /// Deletes a guild as far as the bot can see.
    pub fn remove_guild(&self, guild: &str) {
        self.core().with(|state| {
            let id = parse(guild);
            if state.guilds.remove(&id).is_some() {
                state.channels.retain(|_, c| c.guild != id);
                let State { messages, channels, .. } = state;
                messages.retain(|_, m| channels.contains_key(&m.channel));
                state.dispatch("GUILD_DELETE", id, intent::GUILDS, &json!({"id": guild}));
            }
        });
    }

    /// A guild removes the bot; the guild, its channels and their messages stay. The commands that were registered there are gone, and
    /// so is the application's access.
    pub fn kick_bot(&self, guild: &str) {
        self.core().with(|state| {
            let id = parse(guild);
            let Some(mut known) = state.guilds.remove(&id) else { return };
            known.members.remove(&state.bot);
            let here: Vec<Id> = state.channels.values().filter(|channel| channel.guild == id).map(|channel| channel.id).collect();
            let channels = here.iter().filter_map(|channel| state.channels.remove(channel)).collect();
            state.commands.retain(|_, command| command.get("guild_id").and_then(Value::as_str) != Some(guild));
            state.without_bot.insert(id, (known, channels));
            state.dispatch("GUILD_DELETE", id, intent::GUILDS, &json!({"id": guild}));
        });
    }

    /// A guild that removed the bot adds it again.
    pub fn invite_bot(&self, guild: &str) {
        self.core().with(|state| {
            let id = parse(guild);
            let Some((mut known, channels)) = state.without_bot.remove(&id) else { return };
            let joined_ms = state.now();
            let roles = known.roles.iter().filter(|role| role.managed).map(|role| role.id).collect();
            known.members.insert(state.bot, Member { roles, extra: 0, joined_ms });
            state.guilds.insert(id, known);
            state.channels.extend(channels.into_iter().map(|channel| (channel.id, channel)));
            let created = state.guilds.get(&id).map(|known| state.guild_create_json(known)).unwrap_or_default();
            state.dispatch("GUILD_CREATE", id, intent::GUILDS, &created);
        });
    }

    /// Adds an existing person to another guild.
    pub fn join(&self, guild: &str, user: &str, permissions: u64, roles: &[&str]) {
        self.core().with(|state| {
            let now = state.now();
            if let Some(guild) = state.guilds.get_mut(&parse(guild)) {
                let roles = roles.iter().map(|role| parse(role)).collect();
                guild.members.insert(parse(user), Member { roles, extra: permissions, joined_ms: now });
            }
        });
    }

    /// The guild owner's user id.
    #[must_use]
    pub fn owner_id(&self, guild: &str) -> String {
        self.core().read(|state| state.guilds.get(&parse(guild)).map_or_else(String::new, |g| g.owner.to_string()))
    }

    /// Creates a channel: 0 text, 2 voice, 4 category, 5 announcement, 15 forum. Returns its id.
    pub fn add_channel(&self, guild: &str, name: &str, kind: u8) -> String {
        self.add_channel_in(guild, name, kind, None)
    }

    /// Creates a channel below a category. Returns its id.
    pub fn add_channel_in(&self, guild: &str, name: &str, kind: u8, category: Option<&str>) -> String {
        self.core().with(|state| {
            let id = state.new_id();
            let guild = parse(guild);
            let position = state.channels.values().filter(|c| c.guild == guild && !c.is_thread()).count();
            let channel = Channel {
                id,
                guild,
                name: name.to_owned(),
                kind,
                parent: category.map(parse),
                topic: None,
                position,
                overwrites: Vec::new(),
                last_message: None,
                thread: None,
                owner: None,
                applied_tags: json!([]),
                available_tags: json!([]),
                flags: 0,
                sent: 0,
            };
            let (value, page) = (state.channel_json(&channel), page_channel(&channel));
            state.channels.insert(id, channel);
            state.dispatch("CHANNEL_CREATE", guild, intent::GUILDS, &value);
            state.publish(json!({"type": "CHANNEL_CREATE", "channel": page}));
            id.to_string()
        })
    }

    /// Gives a forum tags of these names. Returns their ids.
    pub fn set_tags(&self, forum: &str, names: &[&str]) -> Vec<String> {
        self.core().with(|state| {
            let ids: Vec<String> = names.iter().map(|_| state.new_id().to_string()).collect();
            if let Some(channel) = state.channels.get_mut(&parse(forum)) {
                let tag = |(id, name): (&String, &&str)| json!({"id": id, "name": name, "moderated": false, "emoji_id": null, "emoji_name": null});
                channel.available_tags = ids.iter().zip(names).map(tag).collect();
            }
            ids
        })
    }

    /// Whether every post in a forum needs a tag.
    pub fn require_tags(&self, forum: &str, required: bool) {
        self.core().with(|state| {
            if let Some(channel) = state.channels.get_mut(&parse(forum)) {
                channel.flags = if required { channel.flags | REQUIRE_TAG } else { channel.flags & !REQUIRE_TAG };
            }
        });
    }

    /// How many threads of a guild may be open at once; Discord's own limit is 1,000.
    pub fn limit_threads(&self, most: usize) {
        self.core().with(|state| state.options.most_threads = most);
    }

    /// A moderator archives or opens, locks or unlocks a thread.
    pub fn moderate_thread(&self, thread: &str, archived: bool, locked: bool) {
        self.core().with(|state| {
            let id = parse(thread);
            let Some(known) = state.channels.get_mut(&id) else { return };
            if let Some(Value::Object(thread)) = &mut known.thread {
                thread.insert("archived".into(), json!(archived));
                thread.insert("locked".into(), json!(locked));
            }
            let guild = known.guild;
            let value = state.channels.get(&id).map(|c| state.channel_json(c)).unwrap_or_default();
            state.dispatch("THREAD_UPDATE", guild, intent::GUILDS, &value);
        });
    }

    /// Resets all rate limits.
    pub fn forget_limits(&self) {
        self.core().with(|state| state.limits = Limits::new(&state.options));
    }

    /// Sets a channel's topic.
    pub fn set_topic(&self, channel: &str, topic: &str) {
        self.core().with(|state| {
            if let Some(known) = state.channels.get_mut(&parse(channel)) {
                known.topic = Some(topic.to_owned());
                let page = page_channel(known);
                state.publish(json!({"type": "CHANNEL_UPDATE", "channel": page}));
            }
        });
    }

    /// Removes a channel with its threads and messages, as a person would. False if there was none.
    pub fn delete_channel(&self, channel: &str) -> bool {
        self.core().with(|state| rest::remove_channel(state, parse(channel)))
    }

    /// Creates a role that not everybody may mention. Returns its id.
    pub fn add_role(&self, guild: &str, name: &str, color: u32) -> String {
        self.core().with(|state| {
            let id = state.new_id();
            let role = Role { id, name: name.to_owned(), color, permissions: 0, mentionable: false, managed: false };
            let guild_id = parse(guild);
            let Some(guild) = state.guilds.get_mut(&guild_id) else { return id.to_string() };
            guild.roles.push(role);
            let event =
                guild.roles.last().map(|r| json!({"guild_id": guild_id.to_string(), "role": State::role_json(r, guild.roles.len() - 1)}));
            state.dispatch("GUILD_ROLE_CREATE", guild_id, intent::GUILDS, &event.unwrap_or_default());
            id.to_string()
        })
    }

    /// Removes a role from the guild and from everybody. False if there was none.
    pub fn delete_role(&self, guild: &str, role: &str) -> bool {
        self.core().with(|state| {
            let (guild_id, id) = (parse(guild), parse(role));
            let Some(guild) = state.guilds.get_mut(&guild_id) else { return false };
            let before = guild.roles.len();
            guild.roles.retain(|known| known.id != id);
            if guild.roles.len() == before {
                return false;
            }
            guild.members.values_mut().for_each(|member| member.roles.retain(|known| *known != id));
            let event = json!({"guild_id": guild_id.to_string(), "role_id": role});
            state.dispatch("GUILD_ROLE_DELETE", guild_id, intent::GUILDS, &event);
            true
        })
    }

    /// Sets whether everybody may mention a role.
    pub fn set_mentionable(&self, guild: &str, role: &str, mentionable: bool) {
        self.core().with(|state| {
            let role = parse(role);
            if let Some(known) = state.guilds.get_mut(&parse(guild)).and_then(|g| g.roles.iter_mut().find(|r| r.id == role)) {
                known.mentionable = mentionable;
            }
        });
    }

    /// Creates a person with these permissions (in addition to those of everyone and of the roles). Returns the user's id.
    pub fn add_member(&self, guild: &str, name: &str, permissions: u64, roles: &[&str]) -> String {
        self.core().with(|state| {
            let id = state.new_id();
            let now = state.now();
            state.users.insert(id, User { name: name.to_owned(), bot: false });
            if let Some(guild) = state.guilds.get_mut(&parse(guild)) {
                let roles = roles.iter().map(|r| parse(r)).collect();
                guild.members.insert(id, Member { roles, extra: permissions, joined_ms: now });
            }
            id.to_string()
        })
    }

    /// Denies the bot permission bits in one channel (`1 << 10` see it, `1 << 11` write, `1 << 14` embed links…).
    pub fn deny(&self, channel: &str, bits: u64) {
        self.overwrite(channel, |over| {
            over.deny |= bits;
            over.allow &= !bits;
        });
    }

    /// Grants the bot permission bits in one channel, whatever was denied before.
    pub fn allow(&self, channel: &str, bits: u64) {
        self.overwrite(channel, |over| {
            over.allow |= bits;
            over.deny &= !bits;
        });
    }

    fn overwrite(&self, channel: &str, change: impl FnOnce(&mut Overwrite)) {
        self.core().with(|state| {
            let (bot, id) = (state.bot, parse(channel));
            let Some(known) = state.channels.get_mut(&id) else { return };
            let mut mine =
                known.overwrites.iter().find(|o| o.id == bot).cloned().unwrap_or(Overwrite { id: bot, kind: 1, allow: 0, deny: 0 });
            change(&mut mine);
            known.overwrites.retain(|o| o.id != bot);
            known.overwrites.push(mine);
            let guild = known.guild;
            let value = state.channels.get(&id).map(|c| state.channel_json(c)).unwrap_or_default();
            state.dispatch("CHANNEL_UPDATE", guild, intent::GUILDS, &value);
        });
    }

    /// A person writes a message. Returns its id.
    ///
    /// # Errors
    /// If there is no such channel, or the text is empty or too long.
    pub fn say(&self, channel: &str, user: &str, content: &str) -> Result<String, String> {
        self.core().with(|state| {
            let (channel, user) = (parse(channel), parse(user));
            if !state.channels.get(&channel).is_some_and(Channel::is_text) {
                return Err(format!("there is no channel {channel} to write into"));
            }
            let draft = body::Body { json: json!({"content": content}), files: Vec::new() };
            let made = messages::create(state, channel, user, draft, Origin::default());
            made.map(|id| id.to_string()).map_err(|refusal| refusal.into_value().to_string())
        })
    }

    /// Deletes a message as a moderator would. False if it was not there.
    pub fn delete_message(&self, channel: &str, id: &str) -> bool {
        self.core().with(|state| {
            let (channel, id) = (parse(channel), parse(id));
            state.messages.get(&id).is_some_and(|m| m.channel == channel) && messages::delete(state, id)
        })
    }

    // ---- faults of REST: `method` may be `*`, `path_part` matches anywhere in the path ----

    /// The next `times` matching requests get this status; their work is not done.
    pub fn fail(&self, method: &str, path_part: &str, status: u16, times: u32) {
        self.plan(method, path_part, Action::Status(status, None), times);
    }

    /// As [`DiscordSim::fail`], with a given body.
    pub fn fail_with(&self, method: &str, path_part: &str, status: u16, body: Value, times: u32) {
        self.plan(method, path_part, Action::Status(status, Some(body)), times);
    }

    /// The next `times` requests get a 429 of this scope. A global one doesn't apply to interaction callbacks.
    pub fn rate_limit_next(&self, scope: Scope, retry_after_ms: i64, times: u32) {
        self.rate_limit("*", "/", scope, retry_after_ms, times);
    }

    /// The next `times` matching requests get a 429 of this scope.
    pub fn rate_limit(&self, method: &str, path_part: &str, scope: Scope, retry_after_ms: i64, times: u32) {
        self.plan(method, path_part, Action::RateLimit(scope, retry_after_ms), times);
    }

    /// The next `times` matching requests are never answered; their work is not done.
    pub fn hang(&self, method: &str, path_part: &str, times: u32) {
        self.plan(method, path_part, Action::Hang, times);
    }

    /// The connection of the next `times` matching requests closes without an answer; their work is not done.
    pub fn drop_requests(&self, method: &str, path_part: &str, times: u32) {
        self.plan(method, path_part, Action::Drop, times);
    }

    /// The next `times` matching requests are done, but their answer is lost: the connection closes.
    pub fn do_then_drop(&self, method: &str, path_part: &str, times: u32) {
        self.plan(method, path_part, Action::DoThenDrop, times);
    }

    /// The next `times` matching requests get 200 and a page of HTML; their work is not done.
    pub fn garbage(&self, method: &str, path_part: &str, times: u32) {
        self.plan(method, path_part, Action::Garbage, times);
    }

    /// The next `times` matching requests get this status and an HTML page, as from a proxy in front of Discord; their work is not done.
    pub fn page(&self, method: &str, path_part: &str, status: u16, times: u32) {
        self.plan(method, path_part, Action::Page(status), times);
    }

    /// The next `times` matching requests are done at once and answered `ms` milliseconds later.
    pub fn delay(&self, method: &str, path_part: &str, ms: u64, times: u32) {
        self.plan(method, path_part, Action::Delay(ms), times);
    }

    /// The next `times` matching requests are done `ms` milliseconds later, as if delayed by the network: even if the client has given
    /// up by then, and after later requests.
    pub fn late(&self, method: &str, path_part: &str, ms: u64, times: u32) {
        self.plan(method, path_part, Action::Late(ms), times);
    }

    /// From now on, requests fail at random; planned faults apply first. Of several, the first whose path matches is used.
    pub fn noise(&self, noise: Noise) {
        self.core().with(|state| state.faults.make_noise(noise));
    }

    /// Sets the rate limits, with this bucket for messages, and resets the counts.
    pub fn set_rate_limits(&self, rate_limits: RateLimits, message_bucket: Bucket) {
        self.core().with(|state| {
            state.options.rate_limits = rate_limits;
            state.options.message_bucket = message_bucket;
            state.limits = Limits::new(&state.options);
        });
    }

    /// Ends all planned and random faults.
    pub fn clear_faults(&self) {
        self.core().with(|state| state.faults.clear());
    }

    fn plan(&self, method: &str, path_part: &str, action: Action, times: u32) {
        self.core().with(|state| state.faults.plan(method, path_part, action, times));
    }

    // ---- faults of the gateway ----

    /// Drops every gateway connection without a close frame. Sessions stay and can be resumed. Returns how many were dropped.
    pub fn drop_gateway(&self) -> usize {
        self.core().with(|state| state.send_to_connections(|| Out::Abort))
    }

    /// Closes every gateway connection with this code; `None` sends a close frame without one.
    pub fn close_gateway(&self, code: Option<u16>) -> usize {
        self.core().with(|state| state.send_to_connections(|| Out::Close(code)))
    }

    /// Sends opcode 9 (`d: false`) to every connection and deletes the sessions.
    pub fn invalidate_session(&self) -> usize {
        self.core().with(|state| {
            let notified = state.send_to_connections(|| Out::Invalidate);
            state.sessions.clear();
            notified
        })
    }

    /// Sends opcode 7, "reconnect and resume".
    pub fn opcode7(&self) -> usize {
        self.send_raw(&json!({"op": 7, "s": null, "t": null, "d": null}).to_string())
    }

    /// Sends a text frame to every connection.
    pub fn send_raw(&self, frame: &str) -> usize {
        self.core().with(|state| state.send_to_connections(|| Out::Text(frame.to_owned())))
    }

    /// Whether new gateway connections are accepted; if not, they get 503.
    pub fn gateway_up(&self, up: bool) {
        self.core().with(|state| state.gateway_up = up);
    }

    /// How many session starts are left, of how many a day. Each IDENTIFY uses one.
    pub fn set_session_starts(&self, total: u64, remaining: u64) {
        self.core().with(|state| state.starts = (total, remaining));
    }

    /// Sends bots to another gateway instead of our own.
    pub fn gateway_elsewhere(&self, url: &str) {
        self.core().with(|state| state.gateway_elsewhere = Some(url.to_owned()));
    }

    /// Whether heartbeats are acknowledged.
    pub fn acknowledge_heartbeats(&self, yes: bool) {
        self.core().with(|state| state.ack_heartbeats = yes);
    }
}
