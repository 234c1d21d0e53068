//! Tests every rule of reconciling by example.

use super::CardChange::{Created, Updated};
use super::CardPhase::{Open, Over};
use super::*;
use crate::clock::ms;
use crate::event::{Event, Note, Priority};
use crate::world::tests::{AT, attach, call_911, cards, dispatch, login, panic, restarted, unit};
use crate::world::{Change, MomentKind, TimelineEntry};

/// A read at `asked`, applied at once.
fn read(world: &mut Server, calls: Option<ListedCalls>, units: Option<Vec<Unit>>, asked: UnixMs) -> Reconciled {
    let units = units.map(|units| ListedUnits { units, complete: true });
    world.reconcile(&Listing { asked_at: asked, calls, units, ..Listing::default() }, asked)
}

fn calls(dispatches: &[DispatchCall], emergencies: &[EmergencyCall]) -> Option<ListedCalls> {
    Some(ListedCalls { dispatches: dispatches.to_vec(), emergencies: emergencies.to_vec(), ..ListedCalls::default() })
}

/// A world that was read at `AT`, with nothing in it.
fn read_before() -> Server {
    let mut world = Server::default();
    read(&mut world, calls(&[], &[]), Some(Vec::new()), AT);
    world
}

fn listed(ident: i64, is_panic: bool) -> Unit {
    Unit { status: Some(2), is_panic: Some(is_panic), ..unit(ident) }
}

fn note(time: &str, content: &str) -> Note {
    Note { time: Some(time.into()), label: Some("A-1".into()), kind: "text".into(), content: content.into() }
}

/// Some time after `AT` and after events just after it.
const LATER: UnixMs = UnixMs(AT.0 + 60_000);

#[test]
fn what_a_reading_finds_is_news_only_if_the_one_before_is_recent() {
    for (last, change) in [
        (None, Updated),
        (Some(AT), Created),
        (Some(AT.plus_ms(60_000).minus(FRESH)), Created),
        (Some(AT.plus_ms(59_999).minus(FRESH)), Updated),
    ] {
        let mut world = Server::default();
        if let Some(last) = last {
            read(&mut world, calls(&[], &[]), None, last);
            // The time of the read survives the process.
            world = restarted(&world);
        }
        let found = read(&mut world, calls(&[dispatch(501)], &[call_911(302, "Fire")]), None, LATER);
        let expected = [(Subject::Dispatch(CallId(501), LATER), change, Open), (Subject::Emergency(CallId(302), LATER), change, Open)];
        assert_eq!((cards(&found.applied), found.caught_up), (expected.to_vec(), 2), "{last:?}");
        assert!(found.applied.touched.contains(&Entity::Listed));
    }
    // Reading the units says nothing about calls.
    let mut world = Server::default();
    read(&mut world, None, Some(Vec::new()), AT);
    assert_eq!(cards(&read(&mut world, calls(&[dispatch(501)], &[]), None, LATER).applied)[0].1, Updated);
}

#[test]
fn a_part_that_was_not_read_changes_nothing() {
    let mut world = read_before();
    world.apply(&login(7), AT);
    world.apply(&Event::DispatchNew(dispatch(501)), AT);
    world.apply(&Event::EmergencyNew(call_911(302, "Fire")), AT);
    let before = world.clone();
    assert_eq!(read(&mut world, None, None, LATER), Reconciled::default());
    assert_eq!(world, before);
}

#[test]
fn a_difference_is_an_edit_with_its_stars_its_timeline_and_its_units() {
    let mut world = read_before();
    world.apply(&Event::DispatchNew(dispatch(501)), AT);
    let said =
        DispatchCall { priority: Some(Priority::Level(1)), address: Some("Alta St".into()), idents: Some(vec![Ident(7)]), ..dispatch(501) };
    let found = read(&mut world, calls(std::slice::from_ref(&said), &[]), None, LATER);
    let subject = Subject::Dispatch(CallId(501), AT);
    assert_eq!(
        found.applied.changes,
        [Change::Card { subject, change: Updated, phase: Open }, Change::Attach { subject, ident: Ident(7), on: true }]
    );
    assert_eq!((found.skipped, found.caught_up), (0, 0));
    let call = &world.dispatches[&CallId(501)];
    assert_eq!((call.edited.clone(), call.first_unit_at), (vec!["priority".to_owned(), "address".to_owned()], Some(LATER)));
    let raised = MomentKind::Priority { from: Some(Priority::Level(3)), to: Some(Priority::Level(1)) };
    let kinds: Vec<_> = call.timeline.iter().map(|m| m.what.clone()).collect();
    assert_eq!(kinds, [MomentKind::Dispatched, raised, MomentKind::Edited(vec!["address".into()]), MomentKind::Attached(Ident(7))]);
    // The same again changes nothing: no card, no row except the time of the read, and the stars stay.
    let again = read(&mut world, calls(&[said], &[]), None, LATER.plus_ms(60_000));
    assert_eq!((again.applied.changes, again.applied.touched), (vec![], [Entity::Listed].into()));
    assert_eq!(world.dispatches[&CallId(501)].edited.len(), 2);
}

#[test]
fn a_primary_that_is_not_attached_does_not_flicker() {
    let mut world = read_before();
    world.apply(&Event::DispatchNew(DispatchCall { idents: Some(vec![Ident(7)]), primary: Some(Ident(7)), ..dispatch(501) }), AT);
    let said = DispatchCall { idents: Some(vec![]), primary: Some(Ident(7)), ..dispatch(501) };
    read(&mut world, calls(std::slice::from_ref(&said), &[]), None, LATER);
    assert_eq!(read(&mut world, calls(&[said], &[]), None, LATER.plus_ms(60_000)).applied.changes, []);
}

#[test]
fn notes_are_reported_once_whatever_form_their_time_has() {
    let mut world = read_before();
    world.apply(&Event::DispatchNew(dispatch(501)), AT);
    world.apply(&Event::DispatchNote { call: CallId(501), note: note("12:00:00", "first") }, AT.plus_ms(1));
    let list = [note("2026-04-08T12:00:00Z", "first"), note("2026-04-08T12:01:00Z", "second"), note("2026-04-08T12:02:00Z", "second")];
    let said = |notes: &[Note]| calls(&[DispatchCall { notes: Some(notes.to_vec()), ..dispatch(501) }], &[]);
    let found = read(&mut world, said(&list), None, LATER);
    let told: Vec<_> = found.applied.changes.iter().filter(|c| matches!(c, Change::Note { .. })).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    let known = world.dispatches[&CallId(501)].notes.clone();
    assert_eq!(known, [note("12:00:00", "first"), list[1].clone(), list[2].clone()]);
    // Another order is no news, unless it is that of their times.
    let turned: Vec<Note> = list.iter().rev().cloned().collect();
    assert_eq!(read(&mut world, said(&turned), None, LATER.plus_ms(1)).applied.changes, []);
    // The events of those two come late: one for one.
    for (content, copy) in [("second", true), ("second", true), ("second", false)] {
        let applied = world.apply(&Event::DispatchNote { call: CallId(501), note: note("12:01:00", content) }, LATER.plus_ms(1_000));
        assert_eq!(applied.changes.is_empty(), copy);
    }
    // An empty list removes nothing, a shorter one does: it is the whole list.
    read(&mut world, said(&[]), None, LATER.plus_ms(60_000));
    assert_eq!(world.dispatches[&CallId(501)].notes.len(), 4);
    let found = read(&mut world, said(&list[..1]), None, LATER.plus_ms(120_000));
    assert_eq!((cards(&found.applied).len(), &world.dispatches[&CallId(501)].notes[..]), (1, &known[..1]));
}

#[test]
fn what_was_over_and_is_listed_as_open_is_open_again_under_the_same_subject() {
    let mut world = read_before();
    world.apply(&Event::DispatchNew(dispatch(501)), AT);
    world.apply(&Event::EmergencyNew(call_911(302, "Fire")), AT);
    world.apply(&Event::DispatchClosed { by: None, calls: vec![CallId(501)] }, AT.plus_ms(1));
    world.apply(&Event::EmergencyRemoved { calls: vec![CallId(302)] }, AT.plus_ms(1));
    let found = read(&mut world, calls(&[dispatch(501)], &[call_911(302, "Fire")]), None, LATER);
    let expected = [(Subject::Dispatch(CallId(501), AT), Updated, Open), (Subject::Emergency(CallId(302), AT), Updated, Open)];
    assert_eq!((cards(&found.applied), found.caught_up), (expected.to_vec(), 2));
    assert!(expected.iter().all(|(subject, ..)| !world.is_over(*subject)));
}

#[test]
fn what_is_not_listed_is_over() {
    let mut world = read_before();
    for id in [501, 502, 503] {
        world.apply(&Event::DispatchNew(dispatch(id)), AT);
    }
    world.apply(&Event::EmergencyNew(call_911(302, "Fire")), AT);
    // For a closed call the last data are used, and its closing time, if plausible.
    let told =
        |id: i64, updated: UnixMs| DispatchCall { status: Some(1), code: Some("10-4".into()), updated: Some(updated), ..dispatch(id) };
    let closed = vec![told(501, AT.plus_ms(30_000)), told(502, LATER.plus_ms(1)), DispatchCall { status: Some(2), ..dispatch(700) }];
    let found = read(&mut world, Some(ListedCalls { closed, ..ListedCalls::default() }), None, LATER);
    assert_eq!(found.caught_up, 4);
    assert!(cards(&found.applied).iter().all(|(_, change, phase)| (*change, *phase) == (Updated, Over)));
    let call = |id: i64| &world.dispatches[&CallId(id)];
    assert_eq!((call(501).status, call(501).code.as_deref(), call(501).edited.len()), (Some(2), Some("10-4"), 0));
    assert_eq!((call(502).closed_at, call(503).closed_at, call(503).code.clone()), (Some(LATER), Some(LATER), None));
    assert_eq!(world.emergencies[&CallId(302)].gone_at, Some(LATER));
    assert!(!world.dispatches.contains_key(&CallId(700)), "what was never shown stays so");
}

#[test]
fn a_closed_call_was_closed_when_the_cad_says_if_nothing_came_after() {
    let mut world = read_before();
    world.apply(&Event::DispatchNew(dispatch(501)), AT);
    let closed = vec![DispatchCall { status: Some(2), updated: Some(AT.plus_ms(30_000)), ..dispatch(501) }];
    read(&mut world, Some(ListedCalls { closed, ..ListedCalls::default() }), None, LATER);
    let call = &world.dispatches[&CallId(501)];
    assert_eq!(
        (call.closed_at, call.timeline.last()),
        (Some(AT.plus_ms(30_000)), Some(&TimelineEntry::new(AT.plus_ms(30_000), MomentKind::Closed)))
    );
}

#[test]
fn a_911_that_a_listed_dispatch_names_was_taken() {
    let taken = DispatchCall { from_911: Some(CallId(302)), ..dispatch(501) };
    // Removed first; removed now; still listed; unknown before; the dispatch closed again since.
    for case in 0..5 {
        let mut world = read_before();
        if case != 3 {
            world.apply(&Event::EmergencyNew(call_911(302, "Fire")), AT);
        }
        if case == 0 {
            world.apply(&Event::EmergencyRemoved { calls: vec![CallId(302)] }, AT.plus_ms(1));
        }
        let waiting = if case == 2 || case == 3 { vec![call_911(302, "Fire")] } else { vec![] };
        let mut list = calls(std::slice::from_ref(&taken), &waiting).unwrap();
        if case == 4 {
            list = ListedCalls { closed: vec![DispatchCall { status: Some(2), ..taken.clone() }], ..ListedCalls::default() };
        }
        let found = read(&mut world, Some(list), None, LATER);
        let known = &world.emergencies[&CallId(302)];
        assert_eq!(known.became, Some(CallId(501)), "{case}");
        let subject = Subject::Emergency(CallId(302), known.opened_at);
        assert!(cards(&found.applied).contains(&(subject, Updated, Over)), "{case}: nobody is called to what was taken");
    }
}

#[test]
fn an_old_911_is_not_the_origin_of_a_new_dispatch() {
    let day = 86_400_000;
    let mut world = read_before();
    world.apply(&Event::EmergencyNew(call_911(302, "Fire")), AT);
    world.apply(&Event::EmergencyNew(call_911(303, "Fire")), AT.plus_ms(day));
    let from = |id: i64, origin: i64| DispatchCall { from_911: Some(CallId(origin)), ..dispatch(id) };
    read(&mut world, calls(&[from(501, 302), from(502, 303)], &[call_911(302, "Fire")]), None, AT.plus_ms(day + 60_000));
    assert_eq!((world.emergencies[&CallId(302)].became, world.emergencies[&CallId(303)].became), (None, Some(CallId(502))));
    // A closed call whose last change is older than the 911 is not its end either.
    world.apply(&Event::EmergencyNew(call_911(304, "Fire")), AT.plus_ms(day));
    let closed = vec![DispatchCall { status: Some(2), updated: Some(AT), ..from(450, 304) }];
    read(&mut world, Some(ListedCalls { closed, ..ListedCalls::default() }), None, AT.plus_ms(day + 120_000));
    assert_eq!(world.emergencies[&CallId(304)].became, None);
}

#[test]
fn calls_without_a_number_are_found_by_what_they_say_and_by_number_from_then_on() {
    let mut world = read_before();
    let unnumbered = |text: &str| EmergencyCall { id: Some(CallId(-1)), ..call_911(0, text) };
    for (n, text) in (0..).zip(["Fire", "Fire", "Flood"]) {
        world.apply(&Event::EmergencyNew(unnumbered(text)), AT.plus_ms(n));
    }
    world.apply(&Event::DispatchNew(DispatchCall { id: Some(CallId(-1)), ..dispatch(0) }), AT);
    // Two equal ones are two; one without a match is removed; a match for none is new.
    let list = || calls(&[dispatch(501)], &[call_911(302, "Fire"), call_911(303, "Fire"), call_911(304, "Theft")]);
    let found = read(&mut world, list(), None, LATER);
    let created: Vec<_> = cards(&found.applied).into_iter().filter(|(_, change, _)| *change == Created).collect();
    assert_eq!(created, [(Subject::Emergency(CallId(304), LATER), Created, Open)]);
    let open: Vec<_> = world.emergencies.values().filter(|e| e.gone_at.is_none()).map(|e| e.call.id.unwrap().0).collect();
    assert_eq!(open, [303, 302, 304]);
    assert_eq!(world.dispatches.len(), 1);
    assert_eq!(read(&mut world, list(), None, LATER.plus_ms(60_000)).applied.changes, []);
    // By number: an edit, the end.
    let edited = DispatchCall { title: Some("Robbery".into()), ..dispatch(501) };
    let subject = Subject::Dispatch(CallId(-AT.0), AT);
    assert_eq!(cards(&world.apply(&Event::DispatchEdited(edited), LATER.plus_ms(70_000))), [(subject, Updated, Open)]);
    let closed = Event::DispatchClosed { by: None, calls: vec![CallId(501)] };
    assert_eq!(cards(&world.apply(&closed, LATER.plus_ms(70_000))), [(subject, Updated, Over)]);
    let removed = world.apply(&Event::EmergencyRemoved { calls: vec![CallId(302), CallId(303)] }, LATER.plus_ms(70_000));
    assert_eq!(cards(&removed).len(), 2);
}

#[test]
fn listed_calls_without_a_number_are_made_once() {
    let mut world = read_before();
    let list = || calls(&[DispatchCall { id: Some(CallId(-1)), ..dispatch(0) }], &[EmergencyCall { id: None, ..call_911(0, "Fire") }]);
    assert_eq!(read(&mut world, list(), None, LATER).caught_up, 2);
    assert_eq!(read(&mut world, list(), None, LATER.plus_ms(60_000)).applied.changes, []);
    assert_eq!(read(&mut world, calls(&[], &[]), None, LATER.plus_ms(120_000)).caught_up, 2);
}

#[test]
fn a_creation_that_a_read_found_first_is_not_reported_again_even_if_it_is_over() {
    for over in [false, true] {
        for numbered in [true, false] {
            let mut world = read_before();
            read(&mut world, calls(&[dispatch(501)], &[call_911(302, "Fire")]), None, LATER);
            if over {
                world.apply(&Event::DispatchClosed { by: None, calls: vec![CallId(501)] }, LATER.plus_ms(1));
                world.apply(&Event::EmergencyRemoved { calls: vec![CallId(302)] }, LATER.plus_ms(1));
            }
            // The read saw it after an edit: its content differs from the creation's. Without a number the words must decide.
            let (id, id_911) = if numbered { (501, 302) } else { (-1, -1) };
            let old = DispatchCall { priority: Some(Priority::Level(2)), ..dispatch(id) };
            let old_911 = EmergencyCall { updated: Some(AT), ..call_911(id_911, "Fire") };
            assert_eq!(world.apply(&Event::DispatchNew(old), LATER.plus_ms(5_000)).changes, [], "{over} {numbered}");
            assert_eq!(world.apply(&Event::EmergencyNew(old_911), LATER.plus_ms(5_000)).changes, [], "{over} {numbered}");
            assert_eq!((world.dispatches.len(), world.emergencies.len()), (1, 1));
        }
    }
}

#[test]
fn units_come_change_and_go_and_people_are_notified_if_it_is_news() {
    for fresh in [true, false] {
        let mut world = if fresh { read_before() } else { Server::default() };
        world.apply(&login(1), AT);
        world.apply(&Event::UnitStatus { idents: vec![Ident(1)], status: Some(3), units: vec![] }, AT);
        world.apply(&login(2), AT);
        let found = read(&mut world, None, Some(vec![listed(1, false), listed(3, false)]), LATER);
        let told = [
            Change::Status { ident: Ident(1), from: Some(3), to: 2 },
            Change::Duty { ident: Ident(3), on: true, after: None },
            Change::Duty { ident: Ident(2), on: false, after: Some(ms(60_000)) },
        ];
        assert_eq!(found.applied.changes, if fresh { told.to_vec() } else { vec![] });
        let on_duty: Vec<_> = world.units.iter().filter(|(_, u)| u.on_duty).map(|(id, u)| (id.0, u.since)).collect();
        assert_eq!(on_duty, [(1, Some(AT)), (3, fresh.then_some(LATER))]);
        assert_eq!(world.units[&Ident(3)].unit.callsign.as_deref(), Some("A-3"));
        let again = read(&mut world, None, Some(vec![listed(1, false), listed(3, false)]), LATER.plus_ms(60_000));
        assert_eq!((again.applied.changes, again.applied.touched), (vec![], [Entity::Listed].into()));
    }
}

#[test]
fn absence_from_a_list_that_may_be_cut_means_nothing_and_an_offline_unit_is_absent() {
    let mut world = read_before();
    world.apply(&login(1), AT);
    let cut = ListedUnits { units: vec![], complete: false };
    let found = world.reconcile(&Listing { asked_at: LATER, units: Some(cut), ..Listing::default() }, LATER);
    assert!(found.applied.changes.is_empty() && world.units[&Ident(1)].on_duty);
    read(&mut world, None, Some(vec![Unit { status: Some(100), ..listed(1, false) }]), LATER.plus_ms(1));
    assert!(!world.units[&Ident(1)].on_duty);
}

#[test]
fn one_alarm_per_edge_from_any_source_and_none_from_before_the_start() {
    // At the first reading ever: a card, but no alarm.
    let mut late = Server::default();
    assert_eq!(cards(&read(&mut late, None, Some(vec![listed(7, true)]), AT).applied), [(Subject::Panic(Ident(7), AT), Updated, Open)]);

    let mut world = read_before();
    let raised = read(&mut world, None, Some(vec![listed(7, true)]), LATER);
    assert_eq!(cards(&raised.applied), [(Subject::Panic(Ident(7), LATER), Created, Open)]);
    assert_eq!(cards(&read(&mut world, None, Some(vec![listed(7, true)]), LATER.plus_ms(30_000)).applied), []);
    assert_eq!(cards(&world.apply(&panic(7, true), LATER.plus_ms(60_000))), [], "an open panic is never raised again");
    let over = read(&mut world, None, Some(vec![listed(7, false)]), LATER.plus_ms(90_000));
    assert_eq!(cards(&over.applied), [(Subject::Panic(Ident(7), LATER), Updated, Over)]);
    // The absence of its unit ends it too, even for a unit that was only seen by number.
    world.apply(&panic(8, true), LATER.plus_ms(100_000));
    let over = read(&mut world, None, Some(vec![]), LATER.plus_ms(120_000));
    assert!(cards(&over.applied).contains(&(Subject::Panic(Ident(8), LATER.plus_ms(100_000)), Updated, Over)));
}

#[test]
fn an_edge_that_a_read_found_first_is_not_repeated_by_its_event_one_for_one() {
    // Off in between, so the next one is another.
    for (off_after, copy) in [(None, true), (None, false), (Some(1_000), false)] {
        let mut world = read_before();
        read(&mut world, None, Some(vec![listed(7, true)]), LATER);
        if let Some(after) = off_after {
            world.apply(&panic(7, false), LATER.plus_ms(after));
        }
        let when = LATER.plus_ms(if copy || off_after.is_some() { 10_000 } else { 10_001 });
        assert_eq!(cards(&world.apply(&panic(7, true), when)).len(), usize::from(off_after.is_some()), "{off_after:?}");
        // The next one is an alarm.
        world.apply(&panic(7, false), when);
        assert_eq!(cards(&world.apply(&panic(7, true), when.plus_ms(1))).len(), 1);
    }
    // Two events of one source are two panics.
    let mut world = read_before();
    for (n, on) in (0..).zip([true, false, true]) {
        assert_eq!(cards(&world.apply(&panic(7, on), LATER.plus_ms(n))).len(), 1);
    }
}

#[test]
fn entities_of_later_events_are_skipped_and_counted_if_the_listing_disagrees() {
    let history = |at: UnixMs| {
        let mut world = read_before();
        for id in [501, 502, 503] {
            world.apply(&Event::DispatchNew(dispatch(id)), AT);
        }
        for id in [302, 303] {
            world.apply(&Event::EmergencyNew(call_911(id, "Fire")), AT);
        }
        world.apply(&login(1), AT);
        // Closed, changed, sent again unchanged; removed; created; the end of an unknown call; a panic, a logout.
        world.apply(&Event::DispatchClosed { by: None, calls: vec![CallId(501), CallId(600)] }, at);
        world.apply(&attach(502, &[9]), at);
        world.apply(&Event::DispatchEdited(dispatch(503)), at);
        world.apply(&Event::EmergencyRemoved { calls: vec![CallId(302), CallId(400)] }, at);
        world.apply(&Event::EmergencyNew(call_911(304, "Theft")), at);
        world.apply(&panic(2, true), at);
        world.apply(&Event::UnitLogout { idents: vec![Ident(1)] }, at);
        world
    };
    let list = || {
        calls(
            &[dispatch(501), DispatchCall { idents: Some(vec![]), ..dispatch(502) }, dispatch(503), dispatch(600)],
            &[call_911(302, "Fire"), call_911(303, "Fire"), call_911(400, "Fire")],
        )
    };
    let units = || Some(vec![listed(1, false), listed(2, false)]);

    let mut world = history(LATER.minus(GRACE));
    let before = world.clone();
    let found = read(&mut world, list(), units(), LATER);
    assert_eq!((found.skipped, found.caught_up, found.applied.changes), (8, 0, vec![]));
    assert_eq!((world.dispatches, world.emergencies, world.panics), (before.dispatches, before.emergencies, before.panics));

    // Events before that are older than the listing.
    let mut world = history(LATER.minus(GRACE).plus_ms(-1));
    let found = read(&mut world, list(), units(), LATER);
    assert_eq!((found.skipped, found.caught_up), (0, 5), "501 and 302 open again, 600 and 400 made, 304 gone");
    // The next process doesn't remember them: the commit of an event before a read is older than the read's start.
    assert_eq!(read(&mut restarted(&history(LATER)), list(), units(), LATER).skipped, 0);
}

#[test]
fn a_listing_larger_than_the_world_makes_no_call_twice() {
    let mut world = read_before();
    let most = i64::try_from(MAX_PER_KIND).unwrap();
    let many: Vec<EmergencyCall> = (1..=most + 10).map(|id| call_911(id, "x")).collect();
    let mut created = 0;
    for round in 0..3 {
        let at = LATER.plus_ms(round * 60_000);
        created += cards(&read(&mut world, calls(&[], &many), None, at).applied).len();
        assert!(world.forget(at, ms(3_600_000)).is_empty());
    }
    assert_eq!(created, MAX_PER_KIND);
}

#[test]
fn where_readings_come_seldom_what_they_find_is_news_all_the_same() {
    let calls = |ids: &[i64]| Some(ListedCalls { dispatches: ids.iter().map(|id| dispatch(*id)).collect(), ..ListedCalls::default() });
    let created = |every: Duration, wait: Duration| {
        let mut world = Server::default();
        let listing = |asked_at, calls| Listing { asked_at, every, calls, ..Listing::default() };
        world.reconcile(&listing(AT, calls(&[])), AT);
        let later = AT.plus(wait);
        let found = world.reconcile(&listing(later, calls(&[501])), later);
        found.applied.changes.iter().any(|change| matches!(change, Change::Card { change: Created, .. }))
    };
    let minutes = |n: u64| ms(n * 60_000);
    assert!(created(minutes(1), minutes(10)) && !created(minutes(1), minutes(11)));
    assert!(created(minutes(20), minutes(60)) && !created(minutes(20), minutes(61)), "twenty servers on one key");
}

#[test]
fn notes_stand_in_the_order_of_their_moments_once_it_is_known() {
    let mut world = read_before();
    world.apply(&Event::DispatchNew(dispatch(501)), AT);
    // The later one came first.
    world.apply(&Event::DispatchNote { call: CallId(501), note: note("12:00:05", "second") }, AT.plus_ms(1));
    world.apply(&Event::DispatchNote { call: CallId(501), note: note("12:00:04", "first") }, AT.plus_ms(2));
    let list = vec![note("2026-04-08T12:00:04Z", "first"), note("2026-04-08T12:00:05Z", "second")];
    let found = read(&mut world, calls(&[DispatchCall { notes: Some(list), ..dispatch(501) }], &[]), None, LATER);
    assert!(found.applied.changes.iter().all(|change| !matches!(change, Change::Note { .. })), "none of them is new");
    let told: Vec<&str> = world.dispatches[&CallId(501)].notes.iter().map(|note| note.content.as_str()).collect();
    assert_eq!(told, ["first", "second"]);
}

#[test]
fn what_could_not_be_read_closes_nothing_of_its_kind() {
    let mut world = read_before();
    let listed = |dispatches: &[DispatchCall], emergencies: &[EmergencyCall]| calls(dispatches, emergencies).unwrap();
    read(&mut world, Some(listed(&[dispatch(501)], &[call_911(302, "fire")])), None, LATER);
    let (call, emergency) = (Subject::Dispatch(CallId(501), LATER), Subject::Emergency(CallId(302), LATER));
    let open = |world: &Server| (!world.is_over(call), !world.is_over(emergency));
    assert_eq!(open(&world), (true, true));
    // Its row has no number this time: still the same call.
    let unread = EmergencyCall { id: None, ..call_911(302, "fire") };
    let part = ListedCalls { dispatches_in_part: true, emergencies_in_part: true, ..listed(&[], &[unread]) };
    assert_eq!(cards(&read(&mut world, Some(part.clone()), None, LATER.plus_ms(60_000)).applied), []);
    assert_eq!((open(&world), world.emergencies.len()), ((true, true), 1));
    // Calls listed as closed are closed all the same.
    let closed = vec![DispatchCall { status: Some(2), ..dispatch(501) }];
    read(&mut world, Some(ListedCalls { closed, ..part }), None, LATER.plus_ms(120_000));
    assert_eq!(open(&world), (false, true));
    read(&mut world, Some(ListedCalls { dispatches_in_part: true, ..listed(&[], &[]) }), None, LATER.plus_ms(180_000));
    assert_eq!(open(&world), (false, false), "each kind by itself");
}

#[test]
fn notes_of_a_found_call_are_reported_once() {
    let mut world = read_before();
    let note = |time: &str| Note { time: Some(time.into()), label: None, kind: "text".into(), content: "armed".into() };
    let found = DispatchCall { notes: Some(vec![note("2026-11-21T20:00:00Z")]), idents: Some(vec![Ident(7)]), ..dispatch(501) };
    let applied = read(&mut world, calls(&[found], &[]), None, LATER).applied;
    let subject = Subject::Dispatch(CallId(501), LATER);
    assert!(applied.changes.contains(&Change::Attach { subject, ident: Ident(7), on: true }));
    assert!(applied.changes.contains(&Change::Note { subject, note: note("2026-11-21T20:00:00Z") }));
    let late = world.apply(&Event::DispatchNote { call: CallId(501), note: note("20:00:00") }, LATER.plus_ms(5_000));
    assert_eq!(late.changes, [], "its event comes late");
}
