use super::super::Batch;
use super::super::conformance::{Folder, own};
use super::*;
use crate::clock::{millis, ms};
use crate::ids::CallId;
use crate::world::Ended;

const HOUR: i64 = 3_600_000;

fn community() -> CommunityId {
    CommunityId::new("c")
}

async fn store(folder: &Folder) -> Store {
    Store::open(&folder.0.join("tenfour.db")).await.unwrap()
}

fn row(ident: i64, began: i64, ended: Option<(i64, bool)>) -> DutyRow {
    let ended = ended.map(|(at, missed)| Ended { at: UnixMs(at), missed });
    let edge = DutyEdge { ident: Ident(ident), began: UnixMs(began), joined_late: false, seen: UnixMs(began + 1), ended };
    let unit = Unit {
        ident: Ident(ident),
        account: (ident < 10).then(|| format!("account-{ident}")),
        callsign: Some(format!("A-{ident}")),
        name: Some(format!("Name {ident}")),
        department: Some(if ident % 2 == 0 { "Fire" } else { "Police" }.into()),
        ..Unit::default()
    };
    DutyRow::new(ServerId(1), edge, Some(&unit))
}

async fn put(store: &Store, duty: Vec<DutyRow>) {
    own(store).ingest(Batch { duty, ..Batch::default() }, Vec::new()).await.unwrap();
}

fn all(from: i64, to: i64) -> Which {
    Which { community: community(), server: None, span: Span { from: UnixMs(from), to: UnixMs(to) } }
}

async fn of(store: &Store, which: Which) -> Vec<(i64, i64, Option<i64>, bool)> {
    let found = store.sessions(which).await.unwrap();
    found.iter().map(|s| (s.ident.0, s.began.0, s.ended.map(|at| at.0), s.missed)).collect()
}

#[tokio::test]
async fn a_unit_has_one_session_at_a_time_with_its_current_names() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![row(1, 100, None)]).await;
    // The same event again: the same session. A department that changed is taken over.
    let mut again = row(1, 100, None);
    again.department = "Sheriff".into();
    put(&store, vec![again]).await;
    assert_eq!(of(&store, all(0, 1_000)).await, [(1, 100, None, false)]);
    assert_eq!(store.sessions(all(0, 1_000)).await.unwrap()[0].department, "Sheriff");
    put(&store, vec![row(1, 100, Some((300, true))), row(1, 400, None)]).await;
    assert_eq!(of(&store, all(0, 1_000)).await, [(1, 400, None, false), (1, 100, Some(300), true)]);
    // An end before the beginning is none: the clock was set back.
    put(&store, vec![row(1, 400, Some((50, false)))]).await;
    assert_eq!(of(&store, all(0, 1_000)).await[0], (1, 400, Some(400), false));
    // Nothing lasts: nothing to end.
    put(&store, vec![row(1, 400, Some((900, false)))]).await;
    assert_eq!(of(&store, all(0, 1_000)).await[0], (1, 400, Some(400), false));
}

#[tokio::test]
async fn sessions_are_found_by_span_and_server_and_members_by_their_latest_name() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![row(1, 100, None), row(2, 200, None), row(11, 300, None), row(1, 100, Some((150, false)))]).await;
    assert_eq!(of(&store, all(150, 1_000)).await, [(11, 300, None, false), (2, 200, None, false)], "ended as the span began");
    assert_eq!(of(&store, all(149, 200)).await, [(1, 100, Some(150), false)], "began as the span ended");
    let which = |change: fn(&mut Which)| {
        let mut which = all(0, 1_000);
        change(&mut which);
        which
    };
    assert_eq!(of(&store, which(|w| w.server = Some(ServerId(2)))).await, []);
    assert_eq!(of(&store, which(|w| w.community = CommunityId::new("d"))).await, []);
    let found = store.sessions(all(0, 1_000)).await.unwrap();
    let members: Vec<DutyMember> = found.iter().map(DutySession::member).collect();
    assert_eq!(
        members,
        [
            DutyMember::Unit("Name 11".into(), "A-11".into()),
            DutyMember::Account("account-2".into()),
            DutyMember::Account("account-1".into())
        ]
    );
    // Of two sessions of one account the later names it.
    let mut renamed = row(1, 400, None);
    renamed.name = "Married".into();
    put(&store, vec![renamed]).await;
    let known = store.duty_members(&community()).await.unwrap();
    let shown: Vec<(&DutyMember, &str)> = known.iter().map(|(member, name, _)| (member, name.as_str())).collect();
    assert_eq!(shown, [(&members[2], "Married"), (&members[0], "Name 11"), (&members[1], "Name 2")]);
    assert_eq!(store.duty_departments(&community()).await.unwrap(), ["Police", "Fire"]);
}

#[test]
fn what_counts_is_what_lies_in_the_span() {
    let session = |began, ended: Option<i64>| DutySession {
        id: 1,
        server: ServerId(1),
        ident: Ident(1),
        account: String::new(),
        callsign: String::new(),
        name: String::new(),
        department: String::new(),
        began: UnixMs(began),
        joined_late: false,
        ended: ended.map(UnixMs),
        missed: false,
    };
    let span = Span { from: UnixMs(100), to: UnixMs(200) };
    for (began, ended, counts) in
        [(110, Some(120), 10), (50, Some(120), 20), (150, Some(900), 50), (150, None, 50), (0, None, 100), (300, None, 0), (0, Some(50), 0)]
    {
        assert_eq!(session(began, ended).within(span), ms(counts), "{began} to {ended:?}");
    }
}

#[tokio::test]
async fn what_the_world_no_longer_knows_of_is_ended() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![row(1, 100, None), row(2, 200, None)]).await;
    let known = vec![(ServerId(1), Ident(1), UnixMs(100)), (ServerId(1), Ident(2), UnixMs(999))];
    assert_eq!(own(&store).end_strays(known.clone()).await.unwrap(), 1);
    assert_eq!(of(&store, all(0, 1_000)).await, [(2, 200, Some(201), true), (1, 100, None, false)]);
    assert_eq!(own(&store).end_strays(known).await.unwrap(), 0);
}

fn call(id: i64, opened: i64, change: impl FnOnce(&mut CallFact)) -> CallRow {
    let mut fact = CallFact {
        emergency: false,
        priority: Some(Priority::Level(1)),
        opened_at: UnixMs(opened),
        joined_late: false,
        first_unit_at: None,
        closed_at: None,
    };
    change(&mut fact);
    CallRow { server: ServerId(1), subject: Subject::Dispatch(CallId(id), UnixMs(opened)), fact }
}

#[tokio::test]
async fn facts_of_calls_follow_their_calls() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let put = async |calls| own(&store).ingest(Batch { calls, ..Batch::default() }, Vec::new()).await.unwrap();
    put(vec![call(1, 100, |_| {}), call(2, 200, |fact| fact.priority = Some(Priority::Word("Code 3".into())))]).await;
    put(vec![call(1, 100, |fact| fact.first_unit_at = Some(UnixMs(130)))]).await;
    put(vec![call(1, 100, |fact| (fact.first_unit_at, fact.closed_at) = (Some(UnixMs(130)), Some(UnixMs(500))))]).await;
    // The number is used again.
    put(vec![call(1, 600, |fact| fact.joined_late = true)]).await;
    let span = |from, to| Span { from: UnixMs(from), to: UnixMs(to) };
    let found = store.call_facts(&community(), None, span(0, 600)).await.unwrap();
    assert_eq!(found.len(), 2, "opened as the span ended");
    assert_eq!(found[0].priority.as_deref(), Some("Code 3"));
    let first = Fact {
        emergency: false,
        priority: Some("1".into()),
        opened: UnixMs(100),
        joined_late: false,
        first_unit: Some(UnixMs(130)),
        closed: Some(UnixMs(500)),
    };
    assert_eq!(found[1], first);
    // Open again.
    put(vec![call(1, 100, |_| {})]).await;
    assert_eq!(store.call_facts(&community(), Some(ServerId(1)), span(100, 101)).await.unwrap()[0].closed, None);
    assert_eq!(store.call_facts(&community(), Some(ServerId(2)), span(0, 900)).await.unwrap(), []);
    assert!(store.call_facts(&community(), None, span(600, 601)).await.unwrap()[0].joined_late);
}

#[tokio::test]
async fn what_ended_90_days_ago_is_forgotten_and_what_lasts_is_not() {
    let folder = Folder::new();
    let store = store(&folder).await;
    put(&store, vec![row(1, 0, None), row(1, 0, Some((HOUR, false))), row(2, 0, None)]).await;
    own(&store).ingest(Batch { calls: vec![call(1, HOUR, |_| {})], ..Batch::default() }, Vec::new()).await.unwrap();
    let prune = async |now| store.prune(UnixMs(0), UnixMs(0), UnixMs(now)).await.unwrap();
    assert_eq!(prune(millis(KEEP) + HOUR).await, 0);
    assert_eq!(prune(millis(KEEP) + HOUR + 1).await, 2);
    assert_eq!(of(&store, all(0, i64::MAX)).await, [(2, 0, None, false)]);
}
