//! How it looks: facts in, a [`Message`] out.
//!
//! Job: one renderer per event family (files named as in `event`), the card, line and public forms, words and colours of
//! product.md sections 2 and 3, Discord's text limits in UTF-16 units. Never does I/O, never decides who is told, never lets text
//! from the game through unescaped ([`text`] is the only door), never puts a mention into an embed.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMs;
use crate::ids::{RoleId, ServerId};
use crate::world::Server;

/// A message as it should stand on Discord: our own serialisable form, so that restarts and upgrades can read it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// One plain sentence; the pings stand before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// At most 10; all texts together at most 6,000 UTF-16 units.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub embeds: Vec<Embed>,
    /// The only roles that may be pinged, in the order they are named in `content`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleId>,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// Makes no sound (Discord's SUPPRESS_NOTIFICATIONS).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
}

/// One embed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Embed {
    /// At most 80 characters by our own rule (256 by Discord's).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// At most 4,096 UTF-16 units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// 0xRRGGBB.
    pub color: u32,
    /// At most 25, none empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// At most 2,048 UTF-16 units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// When the CAD said it, or when it arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<UnixMs>,
}

/// One field of an embed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// At most 256 UTF-16 units, never empty.
    pub name: String,
    /// At most 1,024 UTF-16 units, never empty.
    pub value: String,
    /// Beside its neighbours, in threes.
    pub inline: bool,
}

/// A file to attach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// Name shown.
    pub name: String,
    /// Content, base64 of the standard alphabet.
    pub base64: String,
    /// Alternative text.
    pub description: String,
}

/// How a route wants its alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// The whole card.
    #[default]
    Card,
    /// Title line and colour only.
    Compact,
    /// One line.
    Log,
    /// Kind, street without house number, state, time: no caller, plate, notes or unit names.
    Public,
}

/// Everything a renderer may look at.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The server's world, with the event already applied.
    pub world: &'a Server,
    /// Its number.
    pub server: ServerId,
    /// The community's words.
    pub labels: &'a Labels,
    /// The form asked for.
    pub style: Style,
    /// Roles to ping, already decided; empty for none.
    pub roles: &'a [RoleId],
    /// A test alert: its title says TEST.
    pub test: bool,
    /// Now.
    pub now: UnixMs,
}

/// The community's words (product.md section 2). US defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Labels {
    /// `911`, `999`, `112`.
    pub emergency: String,
    /// `311` and the like.
    pub civil: String,
    /// Status number → (emoji, name).
    pub statuses: std::collections::BTreeMap<i64, (String, String)>,
    /// Priority number → name, e.g. `P1`.
    pub priorities: std::collections::BTreeMap<i64, String>,
}

impl Default for Labels {
    fn default() -> Self {
        let status = |n: i64, emoji: &str, name: &str| (n, (emoji.to_owned(), name.to_owned()));
        Self {
            emergency: "911".into(),
            civil: "311".into(),
            statuses: [
                status(0, "⚫", "Unavailable"),
                status(1, "🟠", "Busy"),
                status(2, "🟢", "Available"),
                status(3, "🔵", "En route"),
                status(4, "🔴", "On scene"),
                status(100, "⚪", "Offline"),
            ]
            .into(),
            priorities: [(1, "P1".to_owned()), (2, "P2".to_owned()), (3, "P3".to_owned())].into(),
        }
    }
}
