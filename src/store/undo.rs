//! Puts routes back as they were before a command changed them: exactly, once, within a day, and only if nobody changed them since.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, audit, guilds, rows};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, GuildId, RoleId, RouteId, ServerId};
use crate::render::Style;
use crate::route::{Route, RouteSpec, Rule};

/// How long a change can be put back.
pub const UNDO_WAITS: Duration = Duration::from_secs(86_400);
/// Most changes of one guild that can be put back; the oldest goes.
const MAX_UNDOS_PER_GUILD: u32 = 50;

/// A route as it was or is, without whose it is.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    id: RouteId,
    event: String,
    channel: ChannelId,
    server: Option<ServerId>,
    role: Option<RoleId>,
    style: Style,
    enabled: bool,
    forum: bool,
    rule: Rule,
}

impl Kept {
    fn of(route: &Route) -> Self {
        // Taken apart, so that what is added to a route is not forgotten here.
        let Route { id, guild: _, community: _, enabled, spec } = route;
        let RouteSpec { event, channel, server, role, style, forum, rule } = spec;
        Self {
            id: *id,
            event: event.as_str().to_owned(),
            channel: *channel,
            server: *server,
            role: *role,
            style: *style,
            enabled: *enabled,
            forum: *forum,
            rule: rule.clone(),
        }
    }
}

/// What came of putting something back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// Each route as it was a moment ago, and as it is again.
    Done(Vec<(Route, Route)>),
    /// It was put back already, or is too old.
    Gone,
    /// Nothing changed: these routes were changed or removed since.
    Moved(Vec<RouteId>),
}

impl Store {
    /// Remembers what a command changed of routes of this guild: each before and after. Returns the number to put it back by.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_undo(&self, guild: GuildId, changed: &[(Route, Route)], now: UnixMs) -> Result<i64, StoreError> {
        let kept: Vec<(Kept, Kept)> = changed.iter().map(|(was, is)| (Kept::of(was), Kept::of(is))).collect();
        self.writer
            .run(move |connection| {
                let flake = rows::flake(guild.0);
                connection
                    .execute("INSERT INTO undo (guild, body, created_ms) VALUES (?1,?2,?3)", (flake, rows::to_json(&kept)?, now.0))?;
                let id = connection.last_insert_rowid();
                connection.execute(
                    "DELETE FROM undo WHERE guild = ?1 AND id NOT IN (SELECT id FROM undo WHERE guild = ?1 ORDER BY id DESC LIMIT ?2)",
                    (flake, MAX_UNDOS_PER_GUILD),
                )?;
                Ok(id)
            })
            .await
    }

    /// Puts routes of this guild back, in one transaction with the audit's entry, which names them: all of them or none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn undo(&self, guild: GuildId, id: i64, entry: audit::AuditEntry, now: UnixMs) -> Result<Undone, StoreError> {
        self.change(move |connection| {
            let body: Option<String> = connection
                .query_row(
                    "SELECT body FROM undo WHERE id = ?1 AND guild = ?2 AND created_ms > ?3",
                    (id, rows::flake(guild.0), now.minus(UNDO_WAITS).0),
                    |row| row.get(0),
                )
                .optional()?;
            // A row of another version of the bot is as good as none.
            let kept: Option<Vec<(Kept, Kept)>> = body.and_then(|body| serde_json::from_str(&body).ok());
            let Some(kept) = kept else { return Ok(Undone::Gone) };
            let (mut back, mut moved) = (Vec::new(), Vec::new());
            for (was, expected) in kept {
                match guilds::one(connection, guild, expected.id)?.filter(|is| Kept::of(is) == expected) {
                    Some(is) => back.push((is.clone(), restored(is, was))),
                    None => moved.push(expected.id),
                }
            }
            if !moved.is_empty() {
                return Ok(Undone::Moved(moved));
            }
            for (_, route) in &back {
                guilds::write(connection, route)?;
            }
            connection.execute("DELETE FROM undo WHERE id = ?1", [id])?;
            let routes: Vec<String> = back.iter().map(|(_, route)| format!("route #{}", route.id)).collect();
            audit::insert(connection, &audit::AuditEntry { target: routes.join(", "), ..entry })?;
            Ok(Undone::Done(back))
        })
        .await
    }
}

/// A route put back. Event, channel and server are what a command that adds routes finds it by: they are the same.
fn restored(is: Route, was: Kept) -> Route {
    let Kept { id: _, event: _, channel: _, server: _, role, style, enabled, forum, rule } = was;
    Route { enabled, spec: RouteSpec { role, style, forum, rule, ..is.spec }, ..is }
}

/// Forgets what is too old.
pub(super) fn prune(connection: &Connection, now: UnixMs) -> rusqlite::Result<usize> {
    connection.execute("DELETE FROM undo WHERE created_ms <= ?1", [now.minus(UNDO_WAITS).0])
}

#[cfg(test)]
mod tests {
    use super::super::conformance::Folder;
    use super::*;
    use crate::event::Topic;
    use crate::ids::{CommunityId, UserId};
    use crate::route::Listens;
    use crate::store::{AddRoute, StyleIs};

    const GUILD: GuildId = GuildId(1);

    fn entry() -> audit::AuditEntry {
        audit::AuditEntry {
            guild: GUILD,
            at: UnixMs(1),
            user: UserId(9),
            kind: audit::AuditKind::Setting,
            action: "Restore".into(),
            target: "route #1".into(),
            detail: String::new(),
            outcome: "done".into(),
        }
    }

    fn new(role: Option<u64>, style: Style) -> RouteSpec {
        let event = Listens::To(Topic::Emergency);
        RouteSpec { event, channel: ChannelId(5), server: None, role: role.map(RoleId), style, forum: false, rule: Rule::default() }
    }

    /// A store with a route that was changed once, and the number to put it back by.
    async fn changed(folder: &Folder) -> (Store, Route, i64) {
        let store = Store::open(&folder.0.join("tenfour.db")).await.unwrap();
        store.ensure_guild(GUILD, &CommunityId::new("c")).await.unwrap();
        store.serve(&CommunityId::new("c"), Some(GUILD), UnixMs(1)).await.unwrap();
        store.add_route(GUILD, new(Some(3), Style::Log), UserId(9), UnixMs(1)).await.unwrap();
        store.change_rule(GUILD, RouteId(1), |rule| rule.cooldown_s = Some(7)).await.unwrap();
        let before = store.routing_now().routes[0].clone();
        let added = store.add_routes(GUILD, vec![new(Some(4), Style::Card)], StyleIs::Named, UserId(9), UnixMs(2)).await.unwrap();
        assert_eq!(added[0].outcome, AddRoute::Changed(RouteId(1)));
        let pair = (added[0].before.clone().unwrap(), added[0].after.clone().unwrap());
        let id = store.keep_undo(GUILD, &[pair], UnixMs(2)).await.unwrap();
        (store, before, id)
    }

    #[tokio::test]
    async fn a_change_is_put_back_exactly_and_once_even_after_a_restart() {
        let folder = Folder::new();
        let (store, before, id) = changed(&folder).await;
        assert_ne!(store.routing_now().routes[0], before);
        drop(store);
        let store = super::super::conformance::reopen(&folder).await;
        assert_eq!(store.undo(GuildId(2), id, entry(), UnixMs(3)).await.unwrap(), Undone::Gone, "another guild's");
        let Undone::Done(back) = store.undo(GUILD, id, entry(), UnixMs(3)).await.unwrap() else { panic!() };
        assert_eq!((back.len(), &back[0].1), (1, &before));
        assert_eq!(store.routing_now().routes, [before]);
        assert_eq!(store.all_audited(GUILD, audit::AuditFilter::default()).await.unwrap().len(), 1);
        assert_eq!(store.undo(GUILD, id, entry(), UnixMs(4)).await.unwrap(), Undone::Gone);
        assert_eq!(store.all_audited(GUILD, audit::AuditFilter::default()).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_somebody_changed_since_stays() {
        let folder = Folder::new();
        let (store, _, id) = changed(&folder).await;
        store.change_rule(GUILD, RouteId(1), |rule| rule.thread_notes = true).await.unwrap();
        let is = store.routing_now().routes.clone();
        assert_eq!(store.undo(GUILD, id, entry(), UnixMs(3)).await.unwrap(), Undone::Moved(vec![RouteId(1)]));
        assert_eq!(store.routing_now().routes, is);
        store.remove_route(GUILD, RouteId(1)).await.unwrap();
        assert_eq!(store.undo(GUILD, id, entry(), UnixMs(3)).await.unwrap(), Undone::Moved(vec![RouteId(1)]));
        assert!(store.all_audited(GUILD, audit::AuditFilter::default()).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn it_can_be_put_back_for_a_day_and_few_are_kept() {
        let folder = Folder::new();
        let (store, _, id) = changed(&folder).await;
        assert_eq!(store.undo(GUILD, id, entry(), UnixMs(2).plus(UNDO_WAITS)).await.unwrap(), Undone::Gone);
        let last = UnixMs(1).plus(UNDO_WAITS);
        for _ in 0..=MAX_UNDOS_PER_GUILD {
            store.keep_undo(GUILD, &[], UnixMs(2)).await.unwrap();
        }
        assert_eq!(store.undo(GUILD, id, entry(), last).await.unwrap(), Undone::Gone, "the oldest goes");
        let pruned = store.prune(UnixMs(0), UnixMs(0), UnixMs(2).plus(UNDO_WAITS)).await.unwrap();
        assert_eq!(pruned, usize::try_from(MAX_UNDOS_PER_GUILD).unwrap());
    }
}
