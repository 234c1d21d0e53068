//! A renderer's input: the world, the style, and the community's labels.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMs;
use crate::ids::{RoleId, ServerId};
use crate::world::Server;

/// The style of a route's alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// The whole card.
    #[default]
    Card,
    /// Title line and colour only (and the footer, by which the message is found again).
    Compact,
    /// One line; many of them are collected into one message ([`super::gather`]).
    Log,
    /// Kind, street without house number, state, time: no caller, plate, notes or unit names.
    Public,
}

/// The input of every renderer.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The server's world, with the event already applied.
    pub world: &'a Server,
    pub server: ServerId,
    /// The community's labels.
    pub labels: &'a Labels,
    /// The requested style.
    pub style: Style,
    /// Roles to ping, already decided; empty for none.
    pub roles: &'a [RoleId],
    /// A test alert: its title says TEST.
    pub test: bool,
    /// Members may act on it.
    pub buttons: bool,
    pub now: UnixMs,
}

/// The community's labels, with US defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Labels {
    /// `911`, `999`, `112`.
    pub emergency: String,
    /// `311` and the like.
    pub civil: String,
    /// Status number → (emoji, name).
    pub statuses: BTreeMap<i64, (String, String)>,
    /// Priority number → name, e.g. `P1`.
    pub priorities: BTreeMap<i64, String>,
}

impl Labels {
    /// The defaults, for guilds without labels of their own.
    #[must_use]
    pub fn usual() -> &'static Self {
        static USUAL: LazyLock<Labels> = LazyLock::new(Labels::default);
        &USUAL
    }
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
