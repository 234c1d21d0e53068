//! The state of the simulated Discord, changed by `rest`, `gateway` and `interaction` under the lock in `shared.rs`. Nothing here waits or sends.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};

use super::fault::Faults;
use super::limits::Limits;
use super::model::{Arrival, Channel, Guild, Id, Interaction, Member, Message, Out, Role, Session, User, intent, page_channel};
use super::options::{DiscordOptions, TimeSource};
use super::permissions;
use super::values::{list, text, timestamp};

/// First millisecond of 2015, from which snowflakes count.
const DISCORD_EPOCH_MS: i64 = 1_420_070_400_000;

/// Messages kept over all channels; the oldest are dropped first. A demo may run for days.
const MAX_MESSAGES: usize = 20_000;
/// Requests kept in the log.
const MAX_LOG: usize = 20_000;
/// Interactions kept; their tokens live 15 minutes, so no valid one is dropped below this number.
const MAX_INTERACTIONS: usize = 5_000;
/// Events kept per gateway session for RESUME.
const MAX_REPLAY: usize = 2_048;
/// Gateway sessions kept, connected or not.
const MAX_SESSIONS: usize = 64;
/// Attachment bytes kept, all together; beyond it, the oldest files return 404.
const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;

/// The simulator's time: the given source plus what `advance` added.
#[derive(Clone)]
pub(super) struct Time {
    source: TimeSource,
    ahead_ms: Arc<AtomicI64>,
}

impl Time {
    pub(super) fn new(source: TimeSource) -> Self {
        Self { source, ahead_ms: Arc::default() }
    }

    /// Milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        (self.source)().saturating_add(self.ahead_ms.load(Ordering::SeqCst))
    }

    pub(super) fn advance(&self, ms: i64) {
        self.ahead_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

pub(super) struct State {
    pub(super) options: DiscordOptions,
    pub(super) time: Time,
    /// `http://127.0.0.1:PORT`
    pub(super) base: String,
    last_id: Id,
    stream_seq: u64,
    stream: broadcast::Sender<Value>,
    pub(super) app: Id,
    pub(super) bot: Id,
    pub(super) users: BTreeMap<Id, User>,
    pub(super) guilds: BTreeMap<Id, Guild>,
    /// Guilds that removed the bot, with their channels.
    pub(super) without_bot: BTreeMap<Id, (Guild, Vec<Channel>)>,
    pub(super) channels: BTreeMap<Id, Channel>,
    pub(super) messages: BTreeMap<Id, Message>,
    pub(super) commands: BTreeMap<Id, Value>,
    pub(super) interactions: BTreeMap<Id, Interaction>,
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) next_connection: u64,
    pub(super) gateway_up: bool,
    pub(super) ack_heartbeats: bool,
    pub(super) identifies: u64,
    /// Session starts granted in a day, and left.
    pub(super) starts: (u64, u64),
    /// The gateway that bots are sent to instead of our own.
    pub(super) gateway_elsewhere: Option<String>,
    pub(super) resumes: u64,
    pub(super) limits: Limits,
    pub(super) faults: Faults,
    pub(super) log: VecDeque<Value>,
    /// 401, 403 and 429 answers (not those of scope `shared`): Discord bans an address at 10,000 in 10 minutes.
    pub(super) invalid_requests: u64,
    files: VecDeque<(Id, String, hyper::body::Bytes)>,
    /// The latest message of each (channel, author, nonce): checked at every create.
    nonces: HashMap<(Id, Id, String), Id>,
    /// Receives each request, if somebody measures.
    pub(super) arrivals: Option<mpsc::UnboundedSender<Arrival>>,
}

impl State {
    pub(super) fn new(options: DiscordOptions, base: String, stream: broadcast::Sender<Value>) -> Self {
        let time = Time::new(Arc::clone(&options.now));
        let limits = Limits::new(&options);
        let mut state = Self {
            options,
            time,
            base,
            last_id: 0,
            stream_seq: 0,
            stream,
            app: 0,
            bot: 0,
            users: BTreeMap::new(),
            guilds: BTreeMap::new(),
            without_bot: BTreeMap::new(),
            channels: BTreeMap::new(),
            messages: BTreeMap::new(),
            commands: BTreeMap::new(),
            interactions: BTreeMap::new(),
            sessions: BTreeMap::new(),
            next_connection: 0,
            gateway_up: true,
            ack_heartbeats: true,
            identifies: 0,
            starts: (1_000, 1_000),
            gateway_elsewhere: None,
            resumes: 0,
            limits,
            faults: Faults::default(),
            log: VecDeque::new(),
            invalid_requests: 0,
            files: VecDeque::new(),
            nonces: HashMap::new(),
            arrivals: None,
        };
        // The application and its bot user share one id, as with every application made since 2016.
        let app = state.new_id();
        state.app = app;
        state.bot = app;
        let name = state.options.bot_name.clone();
        state.users.insert(app, User { name, bot: true });
        state
    }

    pub(super) fn now(&self) -> i64 {
        self.time.now()
    }

    /// A snowflake of this moment, larger than all earlier ones.
    pub(super) fn new_id(&mut self) -> Id {
        let ms = u64::try_from(self.now().saturating_sub(DISCORD_EPOCH_MS)).unwrap_or(0);
        self.last_id = (ms << 22).max(self.last_id.saturating_add(1));
        self.last_id
    }

    /// Notifies the demo's page, if it is open.
    pub(super) fn publish(&mut self, mut item: Value) {
        self.stream_seq += 1;
        if let Some(map) = item.as_object_mut() {
            map.insert("seq".into(), json!(self.stream_seq));
        }
        self.stream.send(item).ok();
    }

    /// Sends a gateway event to every session that asked for it and owns the guild.
    pub(super) fn dispatch(&mut self, name: &str, guild: Id, needs: u64, data: &Value) {
        let names: Vec<String> = self
            .sessions
            .iter()
            .filter(|(_, s)| (needs == intent::ALWAYS || s.intents & needs != 0) && (guild >> 22) % s.shard.1.max(1) == s.shard.0)
            .map(|(id, _)| id.clone())
            .collect();
        for id in names {
            let hide = needs == intent::GUILD_MESSAGES && self.must_hide_content(&id, data);
            if hide {
                let mut bare = data.clone();
                if let Some(map) = bare.as_object_mut() {
                    map.insert("content".into(), json!(""));
                    for key in ["embeds", "attachments", "components"] {
                        map.insert(key.into(), json!([]));
                    }
                }
                self.push(&id, name, &bare);
            } else {
                self.push(&id, name, data);
            }
        }
    }

    /// Without the MESSAGE_CONTENT intent, other people's messages have no content unless they mention the bot.
    fn must_hide_content(&self, session: &str, message: &Value) -> bool {
        let bot = self.bot.to_string();
        let has = self.sessions.get(session).is_some_and(|s| s.intents & intent::MESSAGE_CONTENT != 0);
        let own = message.pointer("/author/id").and_then(Value::as_str) == Some(bot.as_str());
        let mentioned = list(message, "mentions").iter().any(|u| text(u, "id") == bot);
        message.get("content").is_some() && !has && !own && !mentioned
    }

    /// Numbers an event for one session, keeps it for RESUME and queues it for the connection. A connection that doesn't keep up is
    /// dropped: the session can be resumed, so nothing is lost silently.
    pub(super) fn push(&mut self, session: &str, name: &str, data: &Value) {
        let Some(session) = self.sessions.get_mut(session) else { return };
        session.seq += 1;
        let payload = json!({"op": 0, "s": session.seq, "t": name, "d": data}).to_string();
        session.replay.push_back((session.seq, payload.clone()));
        if session.replay.len() > MAX_REPLAY {
            session.replay.pop_front();
        }
        if let Some((_, way)) = &session.connection
            && way.try_send(Out::Text(payload)).is_err()
        {
            session.connection = None;
        }
    }

    /// Sends one payload to every connected session.
    pub(super) fn send_to_connections(&mut self, mut make: impl FnMut() -> Out) -> usize {
        let mut notified = 0;
        for session in self.sessions.values_mut() {
            if let Some((_, way)) = &session.connection
                && way.try_send(make()).is_ok()
            {
                notified += 1;
            }
        }
        notified
    }

    pub(super) fn add_session(&mut self, id: String, session: Session) {
        if self.sessions.len() >= MAX_SESSIONS {
            let idle = self.sessions.iter().find(|(_, s)| s.connection.is_none()).map(|(id, _)| id.clone());
            if let Some(old) = idle.or_else(|| self.sessions.keys().next().cloned()) {
                self.sessions.remove(&old);
            }
        }
        self.sessions.insert(id, session);
    }

    pub(super) fn connected(&self) -> usize {
        self.sessions.values().filter(|s| s.connection.as_ref().is_some_and(|(_, way)| !way.is_closed())).count()
    }

    pub(super) fn add_interaction(&mut self, interaction: Interaction) {
        while self.interactions.len() >= MAX_INTERACTIONS {
            self.interactions.pop_first();
        }
        self.interactions.insert(interaction.id, interaction);
    }

    pub(super) fn insert_message(&mut self, message: Message) {
        while let Some(oldest) = (self.messages.len() >= MAX_MESSAGES).then(|| self.messages.keys().next().copied()).flatten() {
            self.remove_message(oldest);
        }
        if let Some(nonce) = &message.nonce {
            self.nonces.insert((message.channel, message.author, nonce.clone()), message.id);
        }
        self.messages.insert(message.id, message);
    }

    pub(super) fn remove_message(&mut self, id: Id) -> Option<Message> {
        let message = self.messages.remove(&id)?;
        if let Some(nonce) = &message.nonce {
            let key = (message.channel, message.author, nonce.clone());
            if self.nonces.get(&key) == Some(&id) {
                self.nonces.remove(&key);
            }
        }
        Some(message)
    }

    /// The message that was created with this nonce, if it still exists and isn't too old.
    pub(super) fn by_nonce(&self, channel: Id, author: Id, nonce: &str) -> Option<Id> {
        let oldest = self.now().saturating_sub(self.options.nonce_window_ms);
        let id = self.nonces.get(&(channel, author, nonce.to_owned()))?;
        self.messages.get(id).filter(|message| message.created_ms >= oldest).map(|message| message.id)
    }

    pub(super) fn log_request(&mut self, entry: Value) {
        if self.log.len() >= MAX_LOG {
            self.log.pop_front();
        }
        self.log.push_back(entry);
    }

    pub(super) fn keep_file(&mut self, id: Id, kind: String, bytes: hyper::body::Bytes) {
        self.files.push_back((id, kind, bytes));
        let mut total: usize = self.files.iter().map(|(_, _, b)| b.len()).sum();
        while total > MAX_FILE_BYTES {
            let Some((_, _, gone)) = self.files.pop_front() else { break };
            total -= gone.len();
        }
    }

    pub(super) fn file(&self, id: Id) -> Option<(String, hyper::body::Bytes)> {
        self.files.iter().find(|(known, ..)| *known == id).map(|(_, kind, bytes)| (kind.clone(), bytes.clone()))
    }

    /// The channel whose permissions apply: a thread uses its parent's.
    pub(super) fn home(&self, channel: &Channel) -> Id {
        if channel.is_thread() { channel.parent.unwrap_or(channel.id) } else { channel.id }
    }

    /// A member's permission bits in a channel, by Discord's algorithm; none for nonmembers.
    pub(super) fn permissions(&self, user: Id, channel: Id) -> u64 {
        let Some(place) = self.channels.get(&channel).and_then(|c| self.channels.get(&self.home(c))) else { return 0 };
        let Some(guild) = self.guilds.get(&place.guild) else { return 0 };
        permissions::in_channel(guild, place, user)
    }

    // ---- JSON shapes ----

    pub(super) fn user_json(&self, id: Id) -> Value {
        let (name, bot) = self.users.get(&id).map_or(("Deleted User", false), |u| (u.name.as_str(), u.bot));
        // Usernames are lower case without spaces; the display name keeps what was given.
        let handle: String = name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        json!({
            "id": id.to_string(), "username": handle, "global_name": if bot { Value::Null } else { json!(name) },
            "discriminator": if bot { "0001" } else { "0" }, "avatar": null, "bot": bot, "public_flags": 0, "flags": 0,
            "banner": null, "accent_color": null, "avatar_decoration_data": null, "collectibles": null, "primary_guild": null
        })
    }

    pub(super) fn member_json(&self, guild: Id, user: Id) -> Option<Value> {
        let member = self.guilds.get(&guild)?.members.get(&user)?;
        let mut value = bare_member(member);
        if let Some(map) = value.as_object_mut() {
            map.insert("user".into(), self.user_json(user));
        }
        Some(value)
    }

    pub(super) fn role_json(role: &Role, position: usize) -> Value {
        json!({
            "id": role.id.to_string(), "name": role.name, "color": role.color,
            "colors": {"primary_color": role.color, "secondary_color": null, "tertiary_color": null},
            "hoist": false, "icon": null, "unicode_emoji": null, "position": position, "permissions": role.permissions.to_string(),
            "managed": role.managed, "mentionable": role.mentionable, "flags": 0, "description": null
        })
    }

    pub(super) fn roles_json(guild: &Guild) -> Vec<Value> {
        guild.roles.iter().enumerate().map(|(at, role)| Self::role_json(role, at)).collect()
    }

    pub(super) fn channel_json(&self, channel: &Channel) -> Value {
        let mut value = json!({
            "id": channel.id.to_string(), "type": channel.kind, "guild_id": channel.guild.to_string(), "name": channel.name,
            "parent_id": channel.parent.map(|p| p.to_string()), "flags": channel.flags, "rate_limit_per_user": 0,
            "last_message_id": channel.last_message.map(|m| m.to_string()),
        });
        let Some(map) = value.as_object_mut() else { return value };
        if let Some(thread) = &channel.thread {
            map.insert("thread_metadata".into(), thread.clone());
            map.insert("owner_id".into(), json!(channel.owner.map(|o| o.to_string())));
            map.insert("message_count".into(), json!(channel.sent));
            map.insert("total_message_sent".into(), json!(channel.sent));
            map.insert("member_count".into(), json!(1));
            map.insert("applied_tags".into(), channel.applied_tags.clone());
        } else {
            map.insert("position".into(), json!(channel.position));
            map.insert("nsfw".into(), json!(false));
            map.insert("topic".into(), json!(channel.topic));
            let overwrites: Vec<Value> = channel
                .overwrites
                .iter()
                .map(|o| json!({"id": o.id.to_string(), "type": o.kind, "allow": o.allow.to_string(), "deny": o.deny.to_string()}))
                .collect();
            map.insert("permission_overwrites".into(), json!(overwrites));
            if matches!(channel.kind, 15 | 16) {
                map.insert("available_tags".into(), channel.available_tags.clone());
                map.insert("default_reaction_emoji".into(), Value::Null);
                map.insert("default_sort_order".into(), Value::Null);
                map.insert("default_forum_layout".into(), json!(0));
            }
        }
        value
    }

    /// The guild as REST shows it.
    pub(super) fn guild_json(guild: &Guild) -> Value {
        json!({
            "id": guild.id.to_string(), "name": guild.name, "icon": null, "splash": null, "discovery_splash": null, "banner": null,
            "owner_id": guild.owner.to_string(), "afk_channel_id": null, "afk_timeout": 300, "verification_level": 1,
            "default_message_notifications": 1, "explicit_content_filter": 0, "roles": Self::roles_json(guild), "emojis": [],
            "features": [], "mfa_level": 0, "application_id": null, "system_channel_id": null, "system_channel_flags": 0,
            "rules_channel_id": null, "vanity_url_code": null, "description": null, "premium_tier": 0, "preferred_locale": "en-US",
            "public_updates_channel_id": null, "nsfw": false, "nsfw_level": 0, "stickers": [], "premium_progress_bar_enabled": false,
            "safety_alerts_channel_id": null, "max_members": 500_000, "max_video_channel_users": 25, "region": "deprecated",
            "incidents_data": null, "widget_enabled": false, "widget_channel_id": null, "premium_subscription_count": 0
        })
    }

    /// The guild as GUILD_CREATE shows it. serenity rejects the whole event if one of its many required fields is missing.
    pub(super) fn guild_create_json(&self, guild: &Guild) -> Value {
        let mut value = Self::guild_json(guild);
        let of = |threads: bool| -> Vec<Value> {
            let here = self.channels.values().filter(|c| c.guild == guild.id && c.is_thread() == threads);
            here.filter(|c| self.permissions(self.bot, c.id) & permissions::VIEW_CHANNEL != 0 || !threads)
                .filter(|c| !threads || !c.thread_flag("archived"))
                .map(|c| self.channel_json(c))
                .collect()
        };
        let members: Vec<Value> = guild.members.keys().filter_map(|user| self.member_json(guild.id, *user)).collect();
        let joined = guild.members.get(&self.bot).map_or(0, |m| m.joined_ms);
        if let Some(map) = value.as_object_mut() {
            map.insert("joined_at".into(), json!(timestamp(joined)));
            map.insert("large".into(), json!(false));
            map.insert("unavailable".into(), json!(false));
            map.insert("member_count".into(), json!(members.len()));
            map.insert("members".into(), json!(members));
            map.insert("channels".into(), json!(of(false)));
            map.insert("threads".into(), json!(of(true)));
            for key in ["voice_states", "presences", "stage_instances", "guild_scheduled_events", "soundboard_sounds"] {
                map.insert(key.into(), json!([]));
            }
        }
        value
    }

    /// A message as MESSAGE_CREATE shows it: REST's fields plus guild and member.
    pub(super) fn message_event(&self, message: &Message) -> Value {
        let mut value = message.value.clone();
        let guild = self.channels.get(&message.channel).map(|c| c.guild);
        if let (Some(map), Some(guild)) = (value.as_object_mut(), guild) {
            map.insert("guild_id".into(), json!(guild.to_string()));
            if let Some(member) = self.guilds.get(&guild).and_then(|g| g.members.get(&message.author)) {
                map.insert("member".into(), bare_member(member));
            }
        }
        value
    }

    /// A message with `pinged`, as the observers get it.
    pub(super) fn observed(message: &Message) -> Value {
        let mut value = message.value.clone();
        if let Some(map) = value.as_object_mut() {
            map.insert("pinged".into(), json!(message.pinged));
        }
        value
    }

    /// A message as REST returns it; null if there is none.
    pub(super) fn message_value(&self, id: Id) -> Value {
        self.messages.get(&id).map(|m| m.value.clone()).unwrap_or_default()
    }

    pub(super) fn channel_messages(&self, channel: Id) -> Vec<Value> {
        self.messages.values().filter(|m| m.channel == channel && m.ephemeral_for.is_none()).map(Self::observed).collect()
    }

    pub(super) fn commands_json(&self) -> Vec<Value> {
        self.commands.values().cloned().collect()
    }

    pub(super) fn snapshot(&self) -> Value {
        let first = self.guilds.values().next();
        let messages: serde_json::Map<String, Value> =
            self.channels.keys().map(|id| (id.to_string(), json!(self.channel_messages(*id)))).collect();
        let roles: Vec<Value> = first
            .map_or_else(Vec::new, |g| g.roles.iter().map(|r| json!({"id": r.id.to_string(), "name": r.name, "color": r.color})).collect());
        let users: Vec<Value> = self
            .users
            .iter()
            .map(|(id, user)| {
                let roles: Vec<String> =
                    first.and_then(|g| g.members.get(id)).map_or_else(Vec::new, |m| m.roles.iter().map(ToString::to_string).collect());
                json!({"id": id.to_string(), "name": user.name, "bot": user.bot, "roles": roles})
            })
            .collect();
        json!({
            "seq": self.stream_seq,
            "guild": first.map(|g| json!({"id": g.id.to_string(), "name": g.name})),
            "channels": self.channels.values().map(page_channel).collect::<Vec<_>>(),
            "roles": roles, "users": users, "messages": messages, "commands": self.commands_json(),
        })
    }
}

fn bare_member(member: &Member) -> Value {
    json!({
        "roles": member.roles.iter().map(ToString::to_string).collect::<Vec<_>>(), "joined_at": timestamp(member.joined_ms),
        "nick": null, "avatar": null, "banner": null, "premium_since": null, "deaf": false, "mute": false, "flags": 0, "pending": false,
        "communication_disabled_until": null, "unusual_dm_activity_until": null
    })
}
