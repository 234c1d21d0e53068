//! What a migration must not change, and what each one adds.

use std::time::Duration;

use tenfour::clock::UnixMs;
use tenfour::ids::CommunityId;
use tenfour::route::Rule;
use tenfour::store::Store;
use tenfour::store::audit::AuditFilter;
use tenfour::store::duty::{Span, Which};
use tenfour::store::settings::Settings;

use super::*;

/// The database after this version has opened and closed it.
async fn upgraded(old: &Old, folder: &Folder) -> Connection {
    old.write(&folder.file());
    let store = Store::open(&folder.file()).await.unwrap();
    assert!(store.close(Duration::from_secs(20)).await);
    Connection::open(folder.file()).unwrap()
}

/// Tables and their columns, as they are in a database.
fn tables(database: &Connection) -> Vec<(String, String)> {
    let names = lines(database, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
    let columns = |table: &str| lines(database, &format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid")).join(", ");
    names.into_iter().map(|table| (table.clone(), columns(&table))).collect()
}

fn schema(database: &Connection) -> Vec<String> {
    lines(database, "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")
}

#[tokio::test]
async fn no_row_of_an_earlier_release_is_lost_or_changed() {
    for old in &RELEASES {
        let (before, after) = (Folder::new(), Folder::new());
        old.write(&before.file());
        let before = Connection::open(before.file()).unwrap();
        let after = upgraded(old, &after).await;
        let mut rows = 0;
        for (table, columns) in tables(&before) {
            let query = format!("SELECT {columns} FROM {table} ORDER BY {columns}");
            let (had, has) = (lines(&before, &query), lines(&after, &query));
            assert_eq!(had, has, "{}: {table}", old.version);
            rows += had.len();
        }
        assert!(rows > 60, "{}: {rows} rows", old.version);
    }
}

#[tokio::test]
async fn an_upgraded_database_is_sound_and_has_the_schema_of_a_new_one() {
    let folder = Folder::new();
    assert!(Store::open(&folder.file()).await.unwrap().close(Duration::from_secs(20)).await);
    let new = Connection::open(folder.file()).unwrap();
    for old in &RELEASES {
        let folder = Folder::new();
        let database = upgraded(old, &folder).await;
        assert_eq!(lines(&database, "PRAGMA integrity_check"), ["ok"], "{}", old.version);
        assert_eq!(lines(&database, "PRAGMA foreign_key_check"), [""; 0], "{}", old.version);
        assert_eq!(schema(&database), schema(&new), "{}", old.version);
        assert_eq!(lines(&database, "PRAGMA user_version"), lines(&new, "PRAGMA user_version"), "{}", old.version);
    }
}

#[tokio::test]
async fn a_guild_that_had_routes_is_linked_since_its_first_one() {
    for old in RELEASES.iter().filter(|old| old.version < "0.5") {
        let folder = Folder::new();
        let database = upgraded(old, &folder).await;
        let guild = old.guild();
        let first = &lines(&database, "SELECT min(created_ms) FROM route")[0];
        assert_eq!(
            lines(&database, "SELECT guild, community, linked_ms, how, linked_by, unlinked_ms, left_ms FROM guild_link"),
            [format!("{guild}|demo|{first}|upgrade|-|-|-")],
            "{}",
            old.version
        );
        assert_eq!(lines(&database, "SELECT guild FROM seen_guild"), [""; 0], "{}", old.version);
    }
}

/// 0.5 added links: later releases wrote them themselves.
#[tokio::test]
async fn a_guild_that_was_linked_stays_linked_in_the_same_way() {
    let old = Old::of("0.6.0");
    let folder = Folder::new();
    let database = upgraded(old, &folder).await;
    let (guild, began) = (old.guild(), 1_795_291_200_080_i64);
    assert_eq!(
        lines(&database, "SELECT guild, community, linked_ms, how, linked_by, unlinked_ms, left_ms FROM guild_link"),
        [format!("{guild}|demo|{began}|setting|-|-|-")]
    );
    assert_eq!(lines(&database, "SELECT guild FROM seen_guild"), [guild.to_string()]);
}

/// Posts of before 0.5 have no obstacles, but people were notified about a channel that Discord refuses: once, with its first waiting post.
#[tokio::test]
async fn only_the_refused_channel_was_reported_to_people() {
    for old in &RELEASES {
        let folder = Folder::new();
        let database = upgraded(old, &folder).await;
        let closed = old.channel("closed");
        assert_eq!(lines(&database, "SELECT channel FROM parked"), [closed.as_str()], "{}", old.version);
        assert_eq!(
            lines(
                &database,
                "SELECT channel, substr(subject, 1, 8), trouble, told, apart FROM post WHERE trouble = 'refused' OR told OR apart"
            ),
            [format!("{closed}|call:501|refused|1|0")],
            "{}",
            old.version
        );
        if old.version < "0.5" {
            let unknown = "SELECT count(*) FROM post WHERE event <> 0 OR (trouble IS NOT NULL AND trouble <> 'refused')";
            assert_eq!(lines(&database, unknown), ["0"], "{}", old.version);
        }
        let waiting = "SELECT count(*) > 1 FROM post WHERE delivered < version AND failed IS NULL AND channel = ";
        assert_eq!(lines(&database, &format!("{waiting}{closed}")), ["1"], "{}: one of several", old.version);
    }
}

#[tokio::test]
async fn what_later_releases_ask_of_a_post_is_filled_in() {
    for old in &RELEASES {
        let folder = Folder::new();
        let database = upgraded(old, &folder).await;
        // 0.2 added places, 0.3 the time since when a post waits.
        if old.version < "0.2" {
            let added = "SELECT DISTINCT place, threads, thread, silent, shown_ms, unpinged FROM post";
            assert_eq!(lines(&database, added), ["channel|off|-|0|-|0"]);
            assert_eq!(lines(&database, "SELECT DISTINCT labels, quiet, acting FROM guild"), ["-|-|-"]);
            assert_eq!(lines(&database, "SELECT DISTINCT rule, forum, pinged_ms FROM route"), ["{}|0|-"]);
        }
        if old.version < "0.3" {
            assert_eq!(lines(&database, "SELECT count(*) FROM post WHERE wished_ms <> created_ms"), ["0"], "{}", old.version);
            assert_eq!(lines(&database, "SELECT DISTINCT pack, slot, solo, doubt_ms FROM post"), ["-|0|0|-"], "{}", old.version);
        }
        if old.version < "0.4" {
            for table in ["duty", "call_fact", "audit", "pending_import", "account"] {
                assert_eq!(lines(&database, &format!("SELECT count(*) FROM {table}")), ["0"], "{}: {table}", old.version);
            }
        }
        // 0.5 added what one press restores.
        let restored = if old.version < "0.5" { "0" } else { "1" };
        assert_eq!(lines(&database, "SELECT count(*) FROM undo"), [restored], "{}", old.version);
    }
}

/// Everything that a guild has set, and what is stored about its people, as this version reads it.
async fn text(old: &Old) -> String {
    let folder = Folder::new();
    old.write(&folder.file());
    let store = Store::open(&folder.file()).await.unwrap();
    let (guild, community) = (old.guild(), CommunityId::new("demo"));
    let routing = store.routing_now();
    let mut said: Vec<String> = Vec::new();
    for route in &routing.routes {
        let role = route.spec.role.map_or_else(String::new, |role| format!(" pinging <@&{role}>"));
        let (forum, on) = (if route.spec.forum { ", a forum" } else { "" }, if route.enabled { "" } else { ", off" });
        said.push(format!(
            "route {}: {} → <#{}>{role} as {:?}{forum}{on}",
            route.id,
            route.spec.event.as_str(),
            route.spec.channel,
            route.spec.style
        ));
        if route.spec.rule != Rule::default() {
            said.push(format!("    {}", serde_json::to_string(&route.spec.rule).unwrap()));
        }
    }
    said.extend(routing.boards.iter().map(|board| format!("board {}: {:?} → <#{}>", board.id, board.kind, board.channel)));
    let Settings { notices, labels, quiet, action_rule, .. } = Settings::of(&routing, guild, old.now());
    said.push(format!("notices {notices:?}\nlabels {}", serde_json::to_string(&labels).unwrap()));
    said.push(format!("quiet {}\nacting {}", serde_json::to_string(&quiet).unwrap(), serde_json::to_string(&action_rule).unwrap()));
    let span = Span { from: UnixMs(0), to: old.now() };
    for session in store.sessions(Which { community: community.clone(), server: None, span }).await.unwrap() {
        let minutes = session.within(span).as_secs() / 60;
        let tenfour::store::duty::DutySession { ident, callsign, name, department, began, joined_late, ended, missed, .. } = session;
        let lasts = if ended.is_none() { ", still on duty" } else { "" };
        said.push(format!("duty {ident} {callsign} {name} {department}: {minutes} min since {}{lasts}, {joined_late} {missed}", began.0));
    }
    for fact in store.call_facts(&community, None, span).await.unwrap() {
        let since = |at: Option<UnixMs>| at.map(|at| at.since(fact.opened).as_secs());
        let (kind, priority) = (if fact.emergency { "911" } else { "dispatch" }, fact.priority.as_deref().unwrap_or("-"));
        said.push(format!(
            "call {kind} {priority} at {}: first unit {:?} s, closed {:?} s, {}",
            fact.opened.0,
            since(fact.first_unit),
            since(fact.closed),
            fact.joined_late
        ));
    }
    for entry in store.all_audited(guild, AuditFilter::default()).await.unwrap() {
        said.push(format!("audit {:?} {} | {} | {} | {}", entry.kind, entry.action, entry.target, entry.detail, entry.outcome));
    }
    for (user, member, asked) in store.members(&community, 100).await.unwrap() {
        said.push(format!("account of <@{user}> asked at {}: {}", asked.0, serde_json::to_string(&member).unwrap()));
    }
    said.push(format!("last event {}", store.of(&community).next_seq() - 1));
    let counts = store.counts().await.unwrap();
    said.push(format!("{} posts wait since {:?}, {} given up", counts.waiting, counts.oldest_waiting.map(|at| at.0), counts.failed));
    assert!(store.close(Duration::from_secs(20)).await);
    said.join("\n")
}

#[tokio::test]
async fn settings_hours_and_audit_read_as_they_were() {
    for old in &RELEASES {
        insta::assert_snapshot!(format!("settings_hours_and_audit_of_{}", old.version), text(old).await);
    }
}
