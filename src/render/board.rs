//! The board: one message that shows who is on duty and which calls are open, rendered again whenever that changes.
//!
//! The same world gives the same message, whenever it is rendered: ages are Discord's relative timestamps, and no embed has a time. If
//! space runs out, entries at the end are left out, but panics and calls of the highest priority stay longest.
//!
//! ```text
//! server ─┬▶ units: dispatchers, departments ─┐
//!         └▶ calls: open, then waiting 911s  ─┴▶ sections of lines ─▶ fill (urgent first, sections alike) ─▶ embeds
//! ```

mod calls;
mod section;
#[cfg(test)]
mod tests;
mod units;

use serde::{Deserialize, Serialize};

use self::calls::{calls, is_first, is_open};
use self::section::{Section, fill};
use self::units::units;
use super::text::{SafeText, safe};
use super::{Labels, Message, Style, View, limits};
use crate::clock::UnixMs;
use crate::ids::{BoardId, ServerId};
use crate::world::Server;

/// What a board shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BoardKind {
    /// Units on duty.
    Units,
    /// Open calls and waiting 911s.
    Calls,
    Both,
}

impl BoardKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Units, Self::Calls, Self::Both];

    /// The word in commands.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Units => "units",
            Self::Calls => "calls",
            Self::Both => "both",
        }
    }

    /// What it shows, in words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Units => "units on duty",
            Self::Calls => "open calls",
            Self::Both => "units on duty and open calls",
        }
    }

    /// Parses the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Board `number` (shown in its footer, where people and the delivery find it) of one kind, a section for each server. Without a server
/// it says that no server is known.
#[must_use]
pub fn board(number: BoardId, kind: BoardKind, servers: &[(ServerId, &Server)], labels: &Labels) -> Message {
    let nobody = Server::default();
    let nowhere = [(ServerId(0), &nobody)];
    let several = servers.len() > 1;
    let per_server = if kind == BoardKind::Both { 2 } else { 1 };
    let (shown, left_out) = most_urgent(if servers.is_empty() { &nowhere } else { servers }, limits::EMBEDS / per_server);
    let mut sections = Vec::new();
    for (server, world) in shown {
        let view = View { world, server, labels, style: Style::Card, roles: &[], test: false, buttons: false, now: UnixMs(0) };
        let whose = if several { safe!("Server {} · ", server) } else { SafeText::default() };
        let footer = if server == ServerId(0) { safe!("Board #{}", number) } else { safe!("Board #{} · Server {}", number, server) };
        if kind != BoardKind::Calls {
            sections.push(units(&view, &whose, footer.clone()));
        }
        if kind != BoardKind::Units {
            sections.push(calls(&view, &whose, footer));
        }
    }
    if left_out > 0
        && let Some(last) = sections.last_mut()
    {
        last.footer = safe!("{} · and {} more servers", last.footer, left_out);
    }
    fill(&mut sections);
    limits::fit(Message { embeds: sections.into_iter().map(Section::embed).collect(), ..Message::default() })
}

/// Limited to `most` servers, those with a panic or a call of the highest priority before others, and how many are left out.
fn most_urgent<'a>(servers: &[(ServerId, &'a Server)], most: usize) -> (Vec<(ServerId, &'a Server)>, usize) {
    let urgent =
        |world: &Server| world.panics.values().any(|p| p.over_at.is_none()) || world.dispatches.values().any(|d| is_open(d) && is_first(d));
    let mut ranked: Vec<(bool, ServerId, &Server)> = servers.iter().map(|(id, world)| (!urgent(world), *id, *world)).collect();
    ranked.sort_by_key(|(calm, id, _)| (*calm, *id));
    let left_out = ranked.len().saturating_sub(most);
    ranked.truncate(most);
    let mut shown: Vec<(ServerId, &Server)> = ranked.into_iter().map(|(_, id, world)| (id, world)).collect();
    shown.sort_by_key(|(id, _)| *id);
    (shown, left_out)
}
