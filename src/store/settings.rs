//! All settings of a guild as one value: read for `/cad export`, replaced in one transaction by `/cad import`, and compared to tell
//! whether a command changed anything.
//!
//! A setting that is added to routes, boards or guilds is added here too (and to the file's form in `commands`), or exports lose it.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Routing, Store, StoreError, audit, boards, routing, rows};
use crate::authorization::ActionRule;
use crate::clock::UnixMs;
use crate::ids::{ChannelId, CommunityId, GuildId, RouteId, ServerId, UserId};
use crate::render::Labels;
use crate::route::{Board, BoardKind, Escalation, EscalationStep, Quiet, Route, RouteSpec, Rule};

use super::posts::Posts;

/// How long an import waits for its button.
pub const IMPORT_WAITS: Duration = Duration::from_secs(900);
pub use super::routing::MOST_ROUTES;
/// Most boards of one guild.
pub const MAX_BOARDS: usize = boards::MAX_BOARDS;

/// A route without its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSetting {
    /// Switched on.
    pub enabled: bool,
    pub spec: RouteSpec,
}

/// What identifies a route within its guild.
pub type RouteKey = (&'static str, ChannelId, Option<ServerId>);

impl RouteSetting {
    /// At most one route of a guild has it.
    #[must_use]
    pub fn key(&self) -> RouteKey {
        (self.spec.event.as_str(), self.spec.channel, self.spec.server)
    }

    /// As a route of that number.
    #[must_use]
    pub fn numbered(self, id: RouteId, guild: GuildId, community: CommunityId) -> Route {
        let Self { enabled, spec } = self;
        Route { id, guild, community, enabled, spec }
    }

    /// A route as it is at `now`: a mute that is over is none.
    #[must_use]
    pub fn of(route: &Route, now: UnixMs) -> Self {
        let mut spec = route.spec.clone();
        // A mute that has run out says nothing any more.
        spec.rule.mute = spec.rule.mute.filter(|mute| mute.covers(now));
        spec.rule.escalation = spec.rule.escalation.timeless();
        Self { enabled: route.enabled, spec }
    }
}

/// A board without its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoardSetting {
    /// What it shows.
    pub kind: BoardKind,
    pub channel: ChannelId,
    /// Only this server.
    pub server: Option<ServerId>,
}

impl BoardSetting {
    /// At most one board of a guild has it.
    #[must_use]
    pub fn key(&self) -> RouteKey {
        (self.kind.as_str(), self.channel, self.server)
    }
}

/// Everything that a guild has set. Routes and boards are in the order of their keys, so that equal settings are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// At most [`MOST_ROUTES`].
    pub routes: Vec<RouteSetting>,
    /// At most [`MAX_BOARDS`].
    pub boards: Vec<BoardSetting>,
    /// Where the bot posts problems.
    pub notices: Option<ChannelId>,
    /// The guild's labels.
    pub labels: Labels,
    /// Its quiet hours.
    pub quiet: Option<Quiet>,
    /// How members may act in the CAD.
    pub action_rule: ActionRule,
}

impl Settings {
    /// A guild's settings as they are at `now`: a mute that is over is none. Those of a guild that is not known are the defaults.
    #[must_use]
    pub fn of(routing: &Routing, guild: GuildId, now: UnixMs) -> Self {
        let known = routing.guilds.get(&guild);
        let routes = routing.routes.iter().filter(|route| route.guild == guild).map(|route| RouteSetting::of(route, now));
        let boards = routing.boards.iter().filter(|board| board.guild == guild);
        Self {
            routes: routes.collect(),
            boards: boards.map(|&Board { kind, channel, server, .. }| BoardSetting { kind, channel, server }).collect(),
            notices: known.and_then(|known| known.notices),
            labels: known.map(|known| (*known.labels).clone()).unwrap_or_default(),
            quiet: known.and_then(|known| known.quiet.clone()),
            action_rule: known.map(|known| known.action_rule.clone()).unwrap_or_default(),
        }
        .in_order()
    }

    /// The same, routes and boards in the order of their keys.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.routes.sort_by_key(RouteSetting::key);
        self.boards.sort_by_key(BoardSetting::key);
        self
    }
}

/// An import that waits for its button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldImport {
    /// Its number, which the button carries.
    pub id: i64,
    pub guild: GuildId,
    pub user: UserId,
    /// The file's text.
    pub body: String,
    /// The difference as it was shown.
    pub shown: String,
    pub since: UnixMs,
}

impl HeldImport {
    /// Whether it has waited too long.
    #[must_use]
    pub fn is_over(&self, now: UnixMs) -> bool {
        now.since(self.since) >= IMPORT_WAITS
    }
}

/// What an import asks for.
#[derive(Clone, Debug)]
pub struct Replacing {
    /// The import that waited; it is used up.
    pub import: i64,
    /// Whose settings.
    pub guild: GuildId,
    /// Whose CAD, if the guild is new.
    pub community: CommunityId,
    /// Who wants it.
    pub user: UserId,
    /// What is believed to be set.
    pub before: Settings,
    /// What is to be.
    pub after: Settings,
    /// Written down with it.
    pub entry: audit::AuditEntry,
    pub now: UnixMs,
}

/// What came of replacing settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// They are as asked. The boards that went: their posts stay until [`Store::forget_board_post`].
    Done(Vec<Board>),
    /// Nothing changed: the import does not wait any more.
    Gone,
    /// Nothing changed: somebody changed a setting meanwhile.
    Moved,
}

impl Store {
    /// Keeps an import until its button is pressed; an older one of the same person is forgotten. Returns its number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hold_import(&self, guild: GuildId, user: UserId, body: String, shown: String, now: UnixMs) -> Result<i64, StoreError> {
        self.writer
            .run(move |connection| {
                connection.execute(
                    "INSERT OR REPLACE INTO pending_import (guild, user, body, shown, created_ms) VALUES (?1,?2,?3,?4,?5)",
                    params![rows::flake(guild.0), rows::flake(user.0), body, shown, now.0],
                )?;
                Ok(connection.last_insert_rowid())
            })
            .await
    }

    /// An import that waits, or did lately.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn held_import(&self, id: i64) -> Result<Option<HeldImport>, StoreError> {
        self.reader
            .run(move |connection| {
                connection
                    .query_row("SELECT id, guild, user, body, shown, created_ms FROM pending_import WHERE id = ?1", [id], |row| {
                        Ok(HeldImport {
                            id: row.get("id")?,
                            guild: rows::guild(row, "guild")?,
                            user: rows::user(row, "user")?,
                            body: row.get("body")?,
                            shown: row.get("shown")?,
                            since: UnixMs(row.get("created_ms")?),
                        })
                    })
                    .optional()
            })
            .await
    }

    /// Forgets an import. False if it did not wait.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drop_import(&self, id: i64) -> Result<bool, StoreError> {
        self.writer.run(move |connection| forget(connection, id)).await
    }

    /// Replaces all settings of a guild, in one transaction with the audit's entry and the end of the import: all of it or nothing, and
    /// once. What is as asked already is not touched: routes and boards keep their numbers, and with them when they last called and the
    /// messages that stand. The settings asked for must be possible (numbers, duplicates, forums): that is checked before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn replace_settings(&self, asked: Replacing) -> Result<Replaced, StoreError> {
        self.change_with_posts(move |connection, posts| {
            let routing = routing::load(connection)?;
            let owner: Option<i64> =
                connection.query_row("SELECT user FROM pending_import WHERE id = ?1", [asked.import], |row| row.get(0)).optional()?;
            if owner != Some(rows::flake(asked.user.0)) {
                return Ok(Replaced::Gone);
            }
            if Settings::of(&routing, asked.guild, asked.now) != asked.before {
                return Ok(Replaced::Moved);
            }
            forget(connection, asked.import)?;
            let gone = replace(connection, posts, &routing, &asked)?;
            audit::insert(connection, &asked.entry)?;
            Ok(Replaced::Done(gone))
        })
        .await
    }
}

/// Forgets imports that nobody confirmed.
pub(super) fn prune(connection: &Connection, now: UnixMs) -> rusqlite::Result<usize> {
    connection.execute("DELETE FROM pending_import WHERE created_ms < ?1", [now.minus(IMPORT_WAITS).0])
}

fn forget(connection: &Connection, id: i64) -> rusqlite::Result<bool> {
    Ok(connection.execute("DELETE FROM pending_import WHERE id = ?1", [id])? > 0)
}

fn replace(connection: &Connection, posts: &mut Posts, routing: &Routing, asked: &Replacing) -> rusqlite::Result<Vec<Board>> {
    let Replacing { guild, community, user, after, now, .. } = asked;
    let flake = rows::flake(guild.0);
    connection.execute("INSERT OR IGNORE INTO guild (id, community) VALUES (?1, ?2)", (flake, community.as_str()))?;
    let labels = Some(&after.labels).filter(|labels| **labels != Labels::default()).map(rows::to_json).transpose()?;
    let quiet = after.quiet.as_ref().map(rows::to_json).transpose()?;
    connection.execute(
        "UPDATE guild SET notices_channel = ?2, labels = ?3, quiet = ?4, acting = ?5 WHERE id = ?1",
        params![flake, after.notices.map(|channel| rows::flake(channel.0)), labels, quiet, rows::to_json(&after.action_rule)?],
    )?;

    let mut wanted: HashMap<RouteKey, &RouteSetting> = after.routes.iter().map(|route| (route.key(), route)).collect();
    for route in routing.routes.iter().filter(|route| route.guild == *guild) {
        match wanted.remove(&RouteSetting::of(route, *now).key()) {
            None => {
                connection.execute("DELETE FROM route WHERE id = ?1", [route.id])?;
            }
            Some(same) if RouteSetting::of(route, *now) == *same => {}
            Some(other) => put(connection, asked, other, Some(route))?,
        }
    }
    // In their own order: numbers are shown to people.
    for route in after.routes.iter().filter(|route| wanted.contains_key(&route.key())) {
        put(connection, asked, route, None)?;
    }

    let mut wanted: HashMap<RouteKey, &BoardSetting> = after.boards.iter().map(|board| (board.key(), board)).collect();
    let mut gone = Vec::new();
    for board in routing.boards.iter().filter(|board| board.guild == *guild) {
        let setting = BoardSetting { kind: board.kind, channel: board.channel, server: board.server };
        if wanted.remove(&setting.key()).is_none() {
            boards::delete(connection, posts, board)?;
            gone.push(board.clone());
        }
    }
    for board in after.boards.iter().filter(|board| wanted.contains_key(&board.key())) {
        boards::insert(connection, *guild, board.channel, board.kind, board.server, *user, *now)?;
    }
    Ok(gone)
}

/// Steps with the times when they were set. One that was not there before is set now: it is not for what waited already.
fn set_at(wanted: &Escalation, before: Option<&Route>, now: UnixMs) -> Escalation {
    let known = before.map(|route| route.spec.rule.escalation.steps()).unwrap_or_default();
    let mut steps = Escalation::default();
    for step in wanted.steps() {
        let same = known.iter().find(|known| (known.minutes, known.role) == (step.minutes, step.role));
        // As many as there were, each time once.
        let _fits = steps.set(same.copied().unwrap_or(EscalationStep { since: now, ..*step }));
    }
    steps
}

/// Writes all of a route: over the one that was there before, or as a new one.
fn put(connection: &Connection, asked: &Replacing, setting: &RouteSetting, before: Option<&Route>) -> rusqlite::Result<()> {
    let RouteSetting { enabled, spec: route } = setting;
    let rule = Rule { escalation: set_at(&route.rule.escalation, before, asked.now), ..route.rule.clone() };
    connection
        .prepare_cached(
            "INSERT INTO route (id, guild, event, channel, server, role, style, enabled, created_by, created_ms, forum, rule)
             VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)
             ON CONFLICT (id) DO UPDATE SET role = excluded.role, style = excluded.style, enabled = excluded.enabled, forum = excluded.forum,
                 rule = excluded.rule",
        )?
        .execute(params![
            before.map(|route| route.id),
            rows::flake(asked.guild.0),
            route.event.as_str(),
            rows::flake(route.channel.0),
            route.server.map(|server| server.0),
            route.role.map(|role| rows::flake(role.0)),
            rows::style_text(route.style),
            enabled,
            rows::flake(asked.user.0),
            asked.now.0,
            route.forum,
            rows::to_json(&rule)?,
        ])
        .map(|_| ())
}
