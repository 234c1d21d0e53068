//! What the simulated Discord consists of: guilds, channels, members, messages, interactions, gateway sessions. Plain data.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::mpsc;

/// A snowflake as a number. On the wire it is a decimal string.
pub(super) type Id = u64;

/// A post in this forum needs a tag.
pub(super) const REQUIRE_TAG: u64 = 1 << 4;

pub(super) struct User {
    pub(super) name: String,
    pub(super) bot: bool,
}

pub(super) struct Role {
    pub(super) id: Id,
    pub(super) name: String,
    pub(super) color: u32,
    pub(super) permissions: u64,
    pub(super) mentionable: bool,
    pub(super) managed: bool,
}

pub(super) struct Member {
    pub(super) roles: Vec<Id>,
    /// Permissions beyond those of the roles, so that the tests need no role per member.
    pub(super) extra: u64,
    pub(super) joined_ms: i64,
}

pub(super) struct Guild {
    pub(super) id: Id,
    pub(super) name: String,
    pub(super) owner: Id,
    pub(super) roles: Vec<Role>,
    pub(super) members: BTreeMap<Id, Member>,
}

#[derive(Clone)]
pub(super) struct Overwrite {
    pub(super) id: Id,
    /// 0 role, 1 member.
    pub(super) kind: u8,
    pub(super) allow: u64,
    pub(super) deny: u64,
}

pub(super) struct Channel {
    pub(super) id: Id,
    pub(super) guild: Id,
    pub(super) name: String,
    pub(super) kind: u8,
    pub(super) parent: Option<Id>,
    pub(super) topic: Option<String>,
    pub(super) position: usize,
    pub(super) overwrites: Vec<Overwrite>,
    pub(super) last_message: Option<Id>,
    /// Only threads: archived, locked, duration and so on, in Discord's shape.
    pub(super) thread: Option<Value>,
    pub(super) owner: Option<Id>,
    pub(super) applied_tags: Value,
    pub(super) available_tags: Value,
    /// Discord's channel flags: [`REQUIRE_TAG`].
    pub(super) flags: u64,
    pub(super) sent: u64,
}

impl Channel {
    pub(super) fn is_thread(&self) -> bool {
        matches!(self.kind, 10..=12)
    }

    /// Whether messages may be written straight into it.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.kind, 0 | 2 | 5 | 10..=13)
    }

    pub(super) fn thread_flag(&self, name: &str) -> bool {
        self.thread.as_ref().and_then(|t| t.get(name)).and_then(Value::as_bool).unwrap_or(false)
    }
}

pub(super) struct Message {
    pub(super) id: Id,
    pub(super) channel: Id,
    pub(super) author: Id,
    pub(super) created_ms: i64,
    /// In Discord's format.
    pub(super) value: Value,
    /// Who was notified when it was created: `@everyone`, `@here`, `<@user>`, `<@&role>`.
    pub(super) pinged: Vec<String>,
    /// Every earlier version, oldest first.
    pub(super) edits: Vec<Value>,
    pub(super) nonce: Option<String>,
    /// Only this person sees it; it isn't in the channel's history.
    pub(super) ephemeral_for: Option<Id>,
    /// Times of its edits since it is older than an hour (code 30046).
    pub(super) old_edits_ms: VecDeque<i64>,
}

/// A command to the gateway's connection task.
pub(super) enum Out {
    Text(String),
    /// Close frame; `None` sends one without a code.
    Close(Option<u16>),
    /// Drop the TCP connection without a close frame.
    Abort,
    /// Opcode 9; the session is already deleted.
    Invalidate,
}

pub(super) struct Session {
    pub(super) intents: u64,
    pub(super) shard: (u64, u64),
    pub(super) seq: u64,
    pub(super) replay: VecDeque<(u64, String)>,
    /// The connection that owns it, and the channel to that connection's task.
    pub(super) connection: Option<(u64, mpsc::Sender<Out>)>,
}

/// One interaction and its state.
pub(super) struct Interaction {
    pub(super) id: Id,
    pub(super) token: String,
    pub(super) kind: u64,
    pub(super) channel: Id,
    pub(super) user: Id,
    pub(super) created_ms: i64,
    /// Shown in the replies' `interaction_metadata`.
    pub(super) metadata: Value,
    /// The message whose component was used.
    pub(super) source: Option<Id>,
    /// The type of the first callback.
    pub(super) acknowledged: Option<u64>,
    /// The message that `@original` means.
    pub(super) original: Option<Id>,
    /// What the person saw, in order: messages, modals, choices.
    pub(super) visible: Vec<Value>,
    /// The modal that was opened.
    pub(super) modal: Option<Value>,
}

/// Kinds of interaction, by Discord's numbers.
pub(super) mod kind {
    pub(in super::super) const COMMAND: u64 = 2;
    pub(in super::super) const COMPONENT: u64 = 3;
    pub(in super::super) const AUTOCOMPLETE: u64 = 4;
    pub(in super::super) const MODAL: u64 = 5;
}

/// Who gets an event, by intent.
pub(super) mod intent {
    pub(in super::super) const GUILDS: u64 = 1;
    pub(in super::super) const GUILD_MESSAGES: u64 = 1 << 9;
    pub(in super::super) const MESSAGE_CONTENT: u64 = 1 << 15;
    /// Everybody, whatever the intents.
    pub(in super::super) const ALWAYS: u64 = 0;
}

/// A REST request, for measurements.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// When its last byte arrived, before anything was done about it.
    pub at: Instant,
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// HTTP status answered; 0: none was (a planned fault).
    pub status: u16,
    /// The JSON body; null if there was none.
    pub body: Value,
}

/// A channel as the demo's page expects it.
pub(super) fn page_channel(channel: &Channel) -> Value {
    json!({
        "id": channel.id.to_string(), "name": channel.name, "type": channel.kind, "parent_id": channel.parent.map(|p| p.to_string()),
        "topic": channel.topic, "archived": channel.thread_flag("archived")
    })
}
