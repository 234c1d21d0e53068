//! Scenarios and the resulting world.

use super::CardChange::{Created, Updated};
use super::CardPhase::{Open, Over};
use super::memory::LATE;
use super::*;
use crate::clock::{UnixMs, ms};
use crate::event::{DispatchCall, EmergencyCall, Event, Note, Priority, Unit};
use crate::ids::{CallId, Ident};

pub(super) const AT: UnixMs = UnixMs(1_000_000);

pub(super) fn unit(ident: i64) -> Unit {
    Unit { ident: Ident(ident), callsign: Some(format!("A-{ident}")), name: Some(format!("Name {ident}")), ..Unit::default() }
}

pub(super) fn login(ident: i64) -> Event {
    Event::UnitLogin { units: vec![unit(ident)] }
}

pub(super) fn panic(ident: i64, on: bool) -> Event {
    Event::Panic { idents: vec![Ident(ident)], on }
}

pub(super) fn call_911(id: i64, description: &str) -> EmergencyCall {
    EmergencyCall { id: Some(CallId(id)), is_emergency: true, description: Some(description.into()), ..EmergencyCall::default() }
}

pub(super) fn dispatch(id: i64) -> DispatchCall {
    DispatchCall {
        id: Some(CallId(id)),
        status: Some(1),
        priority: Some(Priority::Level(3)),
        title: Some("Burglary".into()),
        ..DispatchCall::default()
    }
}

pub(super) fn attach(call: i64, idents: &[i64]) -> Event {
    Event::UnitAttach { by: None, idents: idents.iter().copied().map(Ident).collect(), call: CallId(call) }
}

pub(super) fn cards(applied: &Applied) -> Vec<(Subject, CardChange, CardPhase)> {
    let card = |change: &Change| match change {
        Change::Card { subject, change, phase } => Some((*subject, *change, *phase)),
        _ => None,
    };
    applied.changes.iter().filter_map(card).collect()
}

#[test]
fn one_alarm_per_edge_from_any_source() {
    let mut world = Server::default();
    let first = world.apply(&panic(7, true), AT);
    assert_eq!(cards(&first), [(Subject::Panic(Ident(7), AT), Created, Open)]);
    // The same again, and the same by a whole unit: no second alarm.
    let again = Event::UnitUpdate { units: vec![Unit { is_panic: Some(true), ..unit(7) }] };
    for event in [&panic(7, true), &again] {
        let applied = world.apply(event, AT.plus_ms(5));
        assert!(cards(&applied).iter().all(|(_, change, phase)| (*change, *phase) == (Updated, Open)), "{applied:?}");
    }
    assert_eq!(cards(&world.apply(&panic(7, false), AT.plus_ms(10))), [(Subject::Panic(Ident(7), AT), Updated, Over)]);
    assert_eq!(cards(&world.apply(&panic(7, false), AT.plus_ms(11))), []);
    // Off and on again is a new panic.
    assert_eq!(cards(&world.apply(&panic(7, true), AT.plus_ms(20))), [(Subject::Panic(Ident(7), AT.plus_ms(20)), Created, Open)]);
}

#[test]
fn a_panic_flag_of_a_whole_unit_is_a_panic() {
    let mut world = Server::default();
    let applied =
        world.apply(&Event::UnitStatus { idents: vec![], status: None, units: vec![Unit { is_panic: Some(true), ..unit(7) }] }, AT);
    assert_eq!(cards(&applied), [(Subject::Panic(Ident(7), AT), Created, Open)]);
}

#[test]
fn a_name_that_comes_later_redraws_the_panic() {
    let mut world = Server::default();
    world.apply(&panic(7, true), AT);
    let applied = world.apply(&login(7), AT.plus_ms(5));
    assert!(cards(&applied).contains(&(Subject::Panic(Ident(7), AT), Updated, Open)), "{applied:?}");
}

#[test]
fn the_911_that_the_game_makes_of_a_panic_is_linked_in_either_order() {
    for panic_first in [true, false] {
        let mut world = Server::default();
        world.apply(&login(7), AT);
        let mut call = call_911(302, "Unit A-7 has pressed their panic button!");
        call.caller = Some("Name 7".into());
        let (first, second) = (panic(7, true), Event::EmergencyNew(call));
        let order = if panic_first { [&first, &second] } else { [&second, &first] };
        world.apply(order[0], AT.plus_ms(1));
        world.apply(order[1], AT.plus_ms(2));
        assert_eq!(world.panics[&Ident(7)].linked_911, Some(CallId(302)), "{panic_first}");
        assert_eq!(world.emergencies[&CallId(302)].panic_of, Some(Ident(7)));
    }
}

#[test]
fn a_911_waits_goes_and_its_number_may_be_used_again() {
    let mut world = Server::default();
    let subject = Subject::Emergency(CallId(302), AT);
    assert_eq!(cards(&world.apply(&Event::EmergencyNew(call_911(302, "Fire")), AT)), [(subject, Created, Open)]);
    assert_eq!(cards(&world.apply(&Event::EmergencyNew(call_911(302, "Fire")), AT.plus_ms(1))), [], "the same again is nothing");
    assert_eq!(cards(&world.apply(&Event::EmergencyNew(call_911(302, "Big fire")), AT.plus_ms(2))), [(subject, Updated, Open)]);
    let removed = Event::EmergencyRemoved { calls: vec![CallId(302), CallId(999)] };
    assert_eq!(cards(&world.apply(&removed, AT.plus_ms(3))), [(subject, Updated, Over)]);
    assert_eq!(cards(&world.apply(&removed, AT.plus_ms(4))), []);
    let again = world.apply(&Event::EmergencyNew(call_911(302, "Another")), AT.plus_ms(9));
    assert_eq!(cards(&again), [(Subject::Emergency(CallId(302), AT.plus_ms(9)), Created, Open)]);
}

#[test]
fn a_call_without_a_usable_number_is_shown_and_two_of_them_stay_two() {
    let mut world = Server::default();
    let unnumbered = EmergencyCall { id: None, ..call_911(0, "Help") };
    let one = cards(&world.apply(&Event::EmergencyNew(unnumbered.clone()), AT));
    let two = cards(&world.apply(&Event::EmergencyNew(EmergencyCall { id: Some(CallId(-1)), ..unnumbered }), AT.plus_ms(1)));
    assert!((one[0].1, two[0].1) == (Created, Created) && one[0].0 != two[0].0);
}

#[test]
fn a_911_becomes_a_dispatch_in_either_order() {
    let made = DispatchCall { from_911: Some(CallId(302)), ..dispatch(501) };
    let mut world = Server::default();
    world.apply(&Event::EmergencyNew(call_911(302, "Fire")), AT);
    let applied = world.apply(&Event::DispatchNew(made.clone()), AT.plus_ms(5));
    assert_eq!(
        cards(&applied),
        [(Subject::Dispatch(CallId(501), AT.plus_ms(5)), Created, Open), (Subject::Emergency(CallId(302), AT), Updated, Over)]
    );
    assert_eq!(world.emergencies[&CallId(302)].became, Some(CallId(501)));
    assert_eq!(world.dispatches[&CallId(501)].timeline[0], TimelineEntry::new(AT, MomentKind::Called));

    let mut late = Server::default();
    late.apply(&Event::DispatchNew(made), AT);
    late.apply(&Event::EmergencyNew(call_911(302, "Fire")), AT.plus_ms(1));
    assert_eq!(late.emergencies[&CallId(302)].became, Some(CallId(501)));
}

#[test]
fn an_edit_names_what_changed_and_the_same_again_is_nothing() {
    let mut world = Server::default();
    let subject = Subject::Dispatch(CallId(501), AT);
    world.apply(&Event::DispatchNew(dispatch(501)), AT);
    let edited = DispatchCall { priority: Some(Priority::Level(1)), address: Some("Alta St".into()), ..dispatch(501) };
    assert_eq!(cards(&world.apply(&Event::DispatchEdited(edited.clone()), AT.plus_ms(5))), [(subject, Updated, Open)]);
    let call = &world.dispatches[&CallId(501)];
    assert_eq!(call.edited, ["priority", "address"]);
    let kinds: Vec<_> = call.timeline.iter().map(|m| m.what.clone()).collect();
    let raised = MomentKind::Priority { from: Some(Priority::Level(3)), to: Some(Priority::Level(1)) };
    assert_eq!(kinds, [MomentKind::Dispatched, raised, MomentKind::Edited(vec!["address".into()])]);

    let before = world.clone();
    world.apply(&Event::DispatchEdited(edited), AT.plus_ms(6));
    assert_eq!(world.dispatches[&CallId(501)].timeline, before.dispatches[&CallId(501)].timeline);
}

#[test]
fn an_edit_before_creation_makes_the_call_and_its_creation_makes_it_news() {
    let mut world = Server::default();
    let applied = world.apply(&Event::DispatchEdited(dispatch(501)), AT);
    assert_eq!(cards(&applied), [(Subject::Dispatch(CallId(501), AT), Updated, Open)]);
    // Its creation comes after all: still one call, and news only now. Once.
    let applied = world.apply(&Event::DispatchNew(dispatch(501)), AT.plus_ms(1));
    assert_eq!(cards(&applied), [(Subject::Dispatch(CallId(501), AT), Created, Open)]);
    assert_eq!(cards(&world.apply(&Event::DispatchNew(dispatch(501)), AT.plus_ms(2))), []);
    // Long after, it is no news any more.
    world.apply(&Event::DispatchEdited(dispatch(502)), AT);
    assert_eq!(cards(&world.apply(&Event::DispatchNew(dispatch(502)), AT.plus_ms(10_001))), []);
}

#[test]
fn attaching_detaching_and_a_list_in_an_edit_agree() {
    let mut world = Server::default();
    world.apply(&Event::DispatchNew(DispatchCall { idents: Some(vec![Ident(1)]), primary: Some(Ident(1)), ..dispatch(501) }), AT);
    assert_eq!(world.dispatches[&CallId(501)].first_unit_at, Some(AT));
    world.apply(&attach(501, &[1, 2]), AT.plus_ms(5));
    assert_eq!(world.dispatches[&CallId(501)].units, [Ident(1), Ident(2)]);
    let detach = |ident| Event::UnitDetach { by: None, idents: vec![Ident(ident)], call: CallId(501) };
    assert_eq!(cards(&world.apply(&detach(9), AT.plus_ms(6))), [], "nobody else leaves because a stranger does");
    world.apply(&detach(1), AT.plus_ms(7));
    assert_eq!((&world.dispatches[&CallId(501)].units[..], world.dispatches[&CallId(501)].primary), (&[Ident(2)][..], None));
    world.apply(&Event::DispatchEdited(DispatchCall { idents: Some(vec![Ident(3)]), ..dispatch(501) }), AT.plus_ms(8));
    let kinds: Vec<_> = world.dispatches[&CallId(501)].timeline.iter().map(|m| m.what.clone()).collect();
    let (on, off) = (MomentKind::Attached, MomentKind::Detached);
    assert_eq!(kinds, [MomentKind::Dispatched, on(Ident(1)), on(Ident(2)), off(Ident(1)), on(Ident(3)), off(Ident(2))]);
}

#[test]
fn a_detach_from_an_unknown_call_makes_no_call() {
    let mut world = Server::default();
    world.apply(&Event::UnitDetach { by: None, idents: vec![Ident(1)], call: CallId(501) }, AT);
    assert!(world.dispatches.is_empty());
}

#[test]
fn closing_takes_every_number_and_only_known_open_ones() {
    let mut world = Server::default();
    world.apply(&Event::DispatchNew(dispatch(501)), AT);
    world.apply(&Event::DispatchNew(dispatch(503)), AT);
    let closed = Event::DispatchClosed { by: None, calls: vec![CallId(501), CallId(502), CallId(503)] };
    let applied = world.apply(&closed, AT.plus_ms(5));
    assert_eq!(cards(&applied).len(), 2);
    assert!(cards(&applied).iter().all(|(_, _, phase)| *phase == Over));
    assert_eq!(world.apply(&closed, AT.plus_ms(6)), Applied::default());
}

#[test]
fn status_2_in_an_edit_closes_and_another_edit_opens_again() {
    let mut world = Server::default();
    world.apply(&Event::DispatchNew(dispatch(501)), AT);
    let subject = Subject::Dispatch(CallId(501), AT);
    let applied = world.apply(&Event::DispatchEdited(DispatchCall { status: Some(2), ..dispatch(501) }), AT.plus_ms(5));
    assert_eq!(cards(&applied), [(subject, Updated, Over)]);
    assert!(world.is_over(subject));
    assert_eq!(cards(&world.apply(&Event::DispatchEdited(dispatch(501)), AT.plus_ms(6).plus(LATE))), [(subject, Updated, Open)]);
    assert!(!world.is_over(subject));
}

#[test]
fn an_edit_that_its_end_overtook_opens_nothing_again() {
    let mut world = Server::default();
    world.apply(&Event::DispatchNew(dispatch(501)), AT);
    let subject = Subject::Dispatch(CallId(501), AT);
    world.apply(&Event::DispatchClosed { by: None, calls: vec![CallId(501)] }, AT.plus_ms(60_000));
    let late = Event::DispatchEdited(DispatchCall { title: Some("Fire at last".into()), status: Some(1), ..dispatch(501) });
    assert_eq!(cards(&world.apply(&late, AT.plus_ms(60_000).plus(LATE))), [(subject, Updated, Over)], "what it says is shown");
    let known = &world.dispatches[&CallId(501)];
    assert_eq!((known.closed_at, known.status), (Some(AT.plus_ms(60_000)), Some(2)));
    assert_eq!(known.title.as_deref(), Some("Fire at last"));
    assert_eq!(cards(&world.apply(&late, AT.plus_ms(60_000).plus(LATE))), []);
    // Reads know better.
    let calls = Some(ListedCalls { dispatches: vec![dispatch(501)], ..ListedCalls::default() });
    world.reconcile(&Listing { asked_at: AT.plus_ms(90_000), calls, ..Listing::default() }, AT.plus_ms(90_000));
    assert!(!world.is_over(subject));
}

#[test]
fn a_closed_number_that_is_created_again_is_another_call() {
    let mut world = Server::default();
    world.apply(&Event::DispatchNew(dispatch(501)), AT);
    world.apply(&Event::DispatchClosed { by: None, calls: vec![CallId(501)] }, AT.plus_ms(5));
    let other = DispatchCall { title: Some("Fire".into()), ..dispatch(501) };
    let applied = world.apply(&Event::DispatchNew(other), AT.plus_ms(9));
    assert_eq!(cards(&applied), [(Subject::Dispatch(CallId(501), AT.plus_ms(9)), Created, Open)]);
}

#[test]
fn a_call_that_was_closed_before_we_knew_it_is_not_shown() {
    let mut world = Server::default();
    assert_eq!(world.apply(&Event::DispatchNew(DispatchCall { status: Some(2), ..dispatch(501) }), AT), Applied::default());
    assert!(world.dispatches.is_empty());
}

#[test]
fn notes_are_kept_in_order_bounded_and_an_empty_list_takes_none_away() {
    let mut world = Server::default();
    let note = |n: usize| Note { time: None, label: None, kind: "text".into(), content: n.to_string() };
    world.apply(&Event::DispatchNew(dispatch(501)), AT);
    for n in 0..MAX_NOTES + 10 {
        world.apply(&Event::DispatchNote { call: CallId(501), note: note(n) }, AT.plus_ms(1));
    }
    world.apply(&Event::DispatchEdited(DispatchCall { notes: Some(Vec::new()), ..dispatch(501) }), AT.plus_ms(2));
    let notes = &world.dispatches[&CallId(501)].notes;
    assert_eq!((notes.len(), notes[0].content.as_str()), (MAX_NOTES, "10"));
    assert!(world.dispatches[&CallId(501)].timeline.len() <= MAX_MOMENTS);
}

#[test]
fn duty_on_once_off_with_its_length_and_the_panic_ends_with_it() {
    let mut world = Server::default();
    let applied = world.apply(&login(7), AT);
    assert_eq!(applied.changes, [Change::Duty { ident: Ident(7), on: true, after: None }]);
    assert_eq!(world.apply(&login(7), AT.plus_ms(1)).changes, []);
    world.apply(&panic(7, true), AT.plus_ms(2));
    let off = Event::UnitLogout { idents: vec![Ident(7)] };
    let applied = world.apply(&off, AT.plus_ms(60_000));
    assert!(applied.changes.contains(&Change::Duty { ident: Ident(7), on: false, after: Some(ms(60_000)) }));
    assert!(applied.changes.contains(&Change::Card { subject: Subject::Panic(Ident(7), AT.plus_ms(2)), change: Updated, phase: Over }));
    assert_eq!(world.apply(&off, AT.plus_ms(60_001)).changes, [], "gone is gone");
}

#[test]
fn a_status_is_reported_once_and_redraws_the_calls_of_its_unit() {
    let mut world = Server::default();
    world.apply(&login(7), AT);
    world.apply(&Event::DispatchNew(DispatchCall { idents: Some(vec![Ident(7)]), ..dispatch(501) }), AT);
    let status = Event::UnitStatus { idents: vec![Ident(7)], status: Some(3), units: vec![] };
    let applied = world.apply(&status, AT.plus_ms(1));
    assert!(applied.changes.contains(&Change::Status { ident: Ident(7), from: None, to: 3 }));
    assert_eq!(cards(&applied), [(Subject::Dispatch(CallId(501), AT), Updated, Open)]);
    assert_eq!(world.apply(&status, AT.plus_ms(2)).changes, []);
}

#[test]
fn what_is_absent_in_a_short_unit_keeps_what_is_known() {
    let mut world = Server::default();
    world.apply(&login(7), AT);
    let short = Unit { ident: Ident(7), status: Some(4), ..Unit::default() };
    world.apply(&Event::UnitUpdate { units: vec![short] }, AT.plus_ms(1));
    assert_eq!((world.units[&Ident(7)].unit.callsign.as_deref(), world.units[&Ident(7)].unit.status), (Some("A-7"), Some(4)));
}

#[test]
fn the_world_stays_small_and_forgets_what_is_over_first() {
    let mut world = Server::default();
    for id in 1..=(row::MAX_PER_KIND as i64 + 5) {
        world.apply(&Event::EmergencyNew(call_911(id, "x")), AT.plus_ms(id));
    }
    world.apply(&Event::EmergencyRemoved { calls: vec![CallId(2_000)] }, AT.plus_ms(9_000));
    let gone = world.forget(AT.plus_ms(10_000), ms(3_600_000));
    assert_eq!((world.emergencies.len(), gone.len()), (row::MAX_PER_KIND, 5));
    assert!(gone.contains(&Entity::Emergency(CallId(2_000))) && gone.contains(&Entity::Emergency(CallId(1))));
    world.apply(&Event::EmergencyRemoved { calls: vec![CallId(100)] }, AT.plus_ms(10_000));
    assert_eq!(world.forget(AT.plus_ms(10_000 + 3_600_001), ms(3_600_000)), [Entity::Emergency(CallId(100))]);
}

#[test]
fn every_row_comes_back_as_it_was() {
    let mut world = Server::default();
    let mut touched = std::collections::BTreeSet::new();
    for event in [
        login(7),
        panic(7, true),
        Event::EmergencyNew(call_911(302, "Fire")),
        Event::DispatchNew(DispatchCall { from_911: Some(CallId(302)), idents: Some(vec![Ident(7)]), ..dispatch(501) }),
        Event::DispatchEdited(DispatchCall { priority: Some(Priority::Word("Immediate".into())), ..dispatch(501) }),
        Event::DispatchNote { call: CallId(501), note: Note { time: None, label: None, kind: "text".into(), content: "n".into() } },
        Event::DispatchClosed { by: None, calls: vec![CallId(501)] },
    ] {
        touched.extend(world.apply(&event, AT).touched);
    }
    let mut back = Server::default();
    for entity in touched {
        let (kind, id) = entity.key();
        back.load(kind, id, &world.row(entity).unwrap()).unwrap();
    }
    assert_eq!(back, world);
}

#[test]
fn a_late_copy_of_a_creation_wakes_nothing() {
    let mut world = Server::default();
    let made = DispatchCall { notes: None, idents: Some(vec![Ident(1)]), ..dispatch(501) };
    world.apply(&Event::DispatchNew(made.clone()), AT);
    world.apply(&Event::EmergencyNew(call_911(302, "Fire")), AT);
    // While they are open the copy doesn't undo later events.
    let edited = DispatchCall { priority: Some(Priority::Level(1)), ..made.clone() };
    world.apply(&Event::DispatchEdited(edited), AT.plus_ms(1));
    assert_eq!(world.apply(&Event::DispatchNew(made.clone()), AT.plus_ms(2)).changes, []);
    assert_eq!(world.dispatches[&CallId(501)].priority, Some(Priority::Level(1)));
    // After their end it doesn't reopen them, even after a restart: with other notes, units and times it is still the same creation.
    world.apply(&Event::DispatchClosed { by: None, calls: vec![CallId(501)] }, AT.plus_ms(5));
    world.apply(&Event::EmergencyRemoved { calls: vec![CallId(302)] }, AT.plus_ms(5));
    let mut world = restarted(&world);
    let copy = DispatchCall { idents: None, by: Some(Ident(9)), updated: Some(AT), ..made.clone() };
    let copy_911 = EmergencyCall { updated: Some(AT), ..call_911(302, "Fire") };
    for event in [Event::DispatchNew(made), Event::DispatchNew(copy), Event::EmergencyNew(copy_911)] {
        assert_eq!(world.apply(&event, AT.plus_ms(600_000)), Applied::default(), "{event:?}");
    }
    assert!(world.apply(&Event::EmergencyNew(call_911(302, "Flood")), AT.plus_ms(600_000)).changes.len() == 1);
}

#[test]
fn a_row_of_before_has_no_fingerprint_and_its_number_may_be_used_again() {
    let mut world = Server::default();
    world.apply(&Event::EmergencyNew(call_911(302, "Fire")), AT);
    let mut row: serde_json::Value = serde_json::from_str(&world.row(Entity::Emergency(CallId(302))).unwrap()).unwrap();
    assert!(row.as_object_mut().unwrap().remove("made_of").is_some());
    world.load("911", 302, &row.to_string()).unwrap();
    assert_eq!(world.emergencies[&CallId(302)].content_fingerprint, None);
}

#[test]
fn an_end_that_overtook_its_creation_leaves_nothing_open() {
    let mut world = Server::default();
    world.apply(&Event::DispatchClosed { by: None, calls: vec![CallId(501)] }, AT);
    world.apply(&Event::EmergencyRemoved { calls: vec![CallId(302)] }, AT);
    let note = Note { time: None, label: None, kind: "text".into(), content: "n".into() };
    for event in [
        Event::DispatchNew(dispatch(501)),
        Event::DispatchEdited(dispatch(501)),
        attach(501, &[1]),
        Event::DispatchNote { call: CallId(501), note },
        Event::EmergencyNew(call_911(302, "Fire")),
    ] {
        assert_eq!(cards(&world.apply(&event, AT.plus_ms(9_000))), [], "{event:?}");
    }
    assert!(world.dispatches.is_empty() && world.emergencies.is_empty());
    // Later it is another one.
    assert_eq!(cards(&world.apply(&Event::DispatchNew(dispatch(501)), AT.plus_ms(10_001))).len(), 1);
}

#[test]
fn an_edit_that_overtook_the_creation_knows_better() {
    let mut world = Server::default();
    world.apply(&Event::DispatchEdited(DispatchCall { priority: Some(Priority::Level(1)), ..dispatch(501) }), AT);
    world.apply(&Event::DispatchNew(dispatch(501)), AT.plus_ms(1));
    assert_eq!(world.dispatches[&CallId(501)].priority, Some(Priority::Level(1)));
    // Fields that a call added by an attachment alone doesn't have yet.
    world.apply(&attach(503, &[1]), AT);
    world.apply(&Event::DispatchNew(dispatch(503)), AT.plus_ms(1));
    assert_eq!(world.dispatches[&CallId(503)].title.as_deref(), Some("Burglary"));
}

#[test]
fn late_events_leave_a_closed_call_closed() {
    let mut world = Server::default();
    world.apply(&Event::DispatchNew(dispatch(501)), AT);
    world.apply(&Event::DispatchClosed { by: None, calls: vec![CallId(501)] }, AT.plus_ms(1));
    let note = Note { time: None, label: None, kind: "text".into(), content: "n".into() };
    for event in [Event::DispatchNote { call: CallId(501), note }, attach(501, &[1])] {
        let cards = cards(&world.apply(&event, AT.plus_ms(2)));
        assert_eq!(cards, [(Subject::Dispatch(CallId(501), AT), Updated, Over)]);
    }
}

#[test]
fn what_comes_just_after_a_logout_was_said_before_it() {
    let mut world = Server::default();
    world.apply(&login(7), AT);
    world.apply(&panic(7, true), AT.plus_ms(1));
    world.apply(&Event::UnitLogout { idents: vec![Ident(7)] }, AT.plus_ms(2));
    let late = Unit { status: Some(3), is_panic: Some(true), ..unit(7) };
    let late = [
        Event::UnitUpdate { units: vec![late.clone()] },
        Event::UnitStatus { idents: vec![], status: None, units: vec![late] },
        Event::UnitStatus { idents: vec![Ident(7)], status: Some(3), units: vec![] },
    ];
    for event in &late {
        assert_eq!(world.apply(event, AT.plus_ms(10_002)).changes, [], "{event:?}");
        assert!(!world.units[&Ident(7)].on_duty);
    }
    // Later it is on duty again, whatever happened to its login; a unit that says it is offline isn't.
    let offline = Event::UnitUpdate { units: vec![Unit { status: Some(100), ..unit(7) }] };
    world.apply(&offline, AT.plus_ms(10_003));
    assert!(!world.units[&Ident(7)].on_duty);
    world.apply(&late[0], AT.plus_ms(10_003));
    assert!(world.units[&Ident(7)].on_duty && world.panics[&Ident(7)].over_at.is_none());
    // A login is trusted at once.
    world.apply(&Event::UnitLogout { idents: vec![Ident(7)] }, AT.plus_ms(20_000));
    assert!(world.apply(&login(7), AT.plus_ms(20_001)).changes.contains(&Change::Duty { ident: Ident(7), on: true, after: None }));
}

#[test]
fn dispatches_without_a_usable_number_stay_two_and_are_found_only_if_alone() {
    let mut world = Server::default();
    let unnumbered = |title: &str| DispatchCall { title: Some(title.into()), ..dispatch(-1) };
    let one = cards(&world.apply(&Event::DispatchNew(unnumbered("A")), AT));
    // If it is the only one, it must be meant.
    world.apply(&attach(-1, &[7]), AT.plus_ms(1));
    assert_eq!(world.dispatches.values().next().unwrap().units, [Ident(7)]);
    let two = cards(&world.apply(&Event::DispatchNew(unnumbered("B")), AT.plus_ms(2)));
    let same_moment = cards(&world.apply(&Event::DispatchNew(unnumbered("C")), AT.plus_ms(2)));
    assert!([&one, &two, &same_moment].iter().all(|cards| cards[0].1 == Created) && one[0].0 != two[0].0 && two[0].0 != same_moment[0].0);
    let before = world.clone();
    for event in [
        Event::DispatchEdited(unnumbered("D")),
        Event::DispatchClosed { by: None, calls: vec![CallId(-1)] },
        Event::UnitAttach { by: None, idents: vec![Ident(7)], call: CallId(-1) },
    ] {
        assert_eq!(cards(&world.apply(&event, AT.plus_ms(3))), [], "{event:?}");
    }
    assert_eq!(world.dispatches, before.dispatches);
    // The same for 911s of one moment.
    let anonymous = |text: &str| Event::EmergencyNew(EmergencyCall { id: None, ..call_911(0, text) });
    world.apply(&anonymous("A"), AT);
    world.apply(&anonymous("B"), AT);
    assert_eq!(world.emergencies.len(), 2);
}

#[test]
fn two_panics_of_one_moment_are_two_subjects() {
    let mut world = Server::default();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        seen.insert(cards(&world.apply(&panic(7, true), AT))[0].0);
        world.apply(&panic(7, false), AT);
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn the_same_edit_twice_keeps_its_stars() {
    let mut world = Server::default();
    world.apply(&Event::DispatchNew(dispatch(501)), AT);
    let edited = Event::DispatchEdited(DispatchCall { address: Some("Alta St".into()), ..dispatch(501) });
    world.apply(&edited, AT.plus_ms(1));
    assert_eq!(world.apply(&edited, AT.plus_ms(2)).changes, []);
    assert_eq!(world.dispatches[&CallId(501)].edited, ["address"]);
}

#[test]
fn notes_and_attachments_are_reported_one_by_one_even_those_of_a_new_call() {
    let mut world = Server::default();
    let note = |content: &str| Note { time: Some("12:00:00".into()), label: None, kind: "text".into(), content: content.into() };
    let made = DispatchCall { idents: Some(vec![Ident(1)]), notes: Some(vec![note("a")]), ..dispatch(501) };
    let subject = Subject::Dispatch(CallId(501), AT);
    let attached = |ident, on| Change::Attach { subject, ident: Ident(ident), on };
    let noted = |content| Change::Note { subject, note: note(content) };
    let card = Change::Card { subject, change: Created, phase: Open };
    assert_eq!(world.apply(&Event::DispatchNew(made.clone()), AT).changes, [card, attached(1, true), noted("a")]);
    assert_eq!(world.apply(&Event::DispatchNew(made), AT).changes, [], "once");
    assert_eq!(world.apply(&attach(501, &[1]), AT).changes, [], "attached already");
    let applied = world.apply(&attach(501, &[1, 2, 2, 3]), AT.plus_ms(1));
    assert_eq!(applied.changes[1..], [attached(2, true), attached(3, true)]);
    let applied = world.apply(&Event::UnitDetach { by: None, idents: vec![Ident(1), Ident(9)], call: CallId(501) }, AT.plus_ms(2));
    assert_eq!(applied.changes[1..], [attached(1, false)]);
    let applied = world.apply(&Event::DispatchNote { call: CallId(501), note: note("b") }, AT.plus_ms(3));
    assert_eq!(applied.changes[1..], [noted("b")]);
    let notes = Some(vec![note("a"), note("b"), note("c")]);
    let edited = DispatchCall { idents: Some(vec![Ident(2), Ident(4)]), notes, ..dispatch(501) };
    let applied = world.apply(&Event::DispatchEdited(edited), AT.plus_ms(4));
    assert_eq!(applied.changes[1..], [attached(4, true), attached(3, false), noted("c")]);
}

/// The world as another process restores it.
pub(super) fn restarted(world: &Server) -> Server {
    let entities = (world.units.keys().map(|id| Entity::Unit(*id)))
        .chain(world.emergencies.keys().map(|id| Entity::Emergency(*id)))
        .chain(world.dispatches.keys().map(|id| Entity::Dispatch(*id)))
        .chain(world.panics.keys().map(|id| Entity::Panic(*id)))
        .chain([Entity::Listed]);
    let mut back = Server::default();
    for entity in entities {
        let (kind, id) = entity.key();
        back.load(kind, id, &world.row(entity).unwrap()).unwrap();
    }
    back
}

#[test]
fn what_a_silent_reading_found_is_news_when_its_event_comes() {
    let mut world = Server::default();
    let unit = |on| Unit { ident: Ident(7), is_panic: Some(on), ..Unit::default() };
    let listing = Listing {
        asked_at: AT,
        calls: Some(ListedCalls { dispatches: vec![dispatch(501)], ..ListedCalls::default() }),
        units: Some(ListedUnits { units: vec![unit(true)], complete: true }),
        ..Listing::default()
    };
    let found = world.reconcile(&listing, AT);
    assert!(cards(&found.applied).iter().all(|(_, change, _)| *change == Updated), "joined late");
    let panic = Event::Panic { idents: vec![Ident(7)], on: true };
    assert_eq!(cards(&world.apply(&panic, AT.plus_ms(1_000))), [(Subject::Panic(Ident(7), AT), Created, Open)]);
    assert_eq!(
        cards(&world.apply(&Event::DispatchNew(dispatch(501)), AT.plus_ms(1_000))),
        [(Subject::Dispatch(CallId(501), AT), Created, Open)]
    );
    assert_eq!(cards(&world.apply(&panic, AT.plus_ms(2_000))), [], "once");
}

#[test]
fn a_late_copy_of_a_login_does_not_end_a_panic() {
    let mut world = Server::default();
    let login = Event::UnitLogin { units: vec![Unit { ident: Ident(7), is_panic: Some(false), ..Unit::default() }] };
    world.apply(&login, AT);
    world.apply(&Event::Panic { idents: vec![Ident(7)], on: true }, AT.plus_ms(1));
    assert_eq!(cards(&world.apply(&login, AT.plus_ms(2))), []);
    assert!(world.panics[&Ident(7)].over_at.is_none());
    // A unit that was seen by number only: it may have come again, and may still be in panic.
    let mut world = Server::default();
    flag_read(&mut world, false, AT);
    let on = AT.plus_ms(30_000);
    world.apply(&panic(8, true), on);
    let login = Event::UnitLogin { units: vec![Unit { ident: Ident(8), is_panic: Some(false), ..Unit::default() }] };
    assert_eq!(cards(&world.apply(&login, on.plus_ms(14_000))), [(Subject::Panic(Ident(8), on), Updated, Over)]);
    let units = Some(ListedUnits { units: vec![Unit { ident: Ident(8), is_panic: Some(true), ..Unit::default() }], complete: true });
    let read = world.reconcile(&Listing { asked_at: on.plus_ms(40_000), units, ..Listing::default() }, on.plus_ms(40_000));
    assert_eq!(cards(&read.applied), [(Subject::Panic(Ident(8), on), Updated, Open)], "never over");
}

#[test]
fn a_flag_that_is_older_than_the_panic_does_not_make_two_of_it() {
    let mut world = Server::default();
    let panic = |on| Event::Panic { idents: vec![Ident(7)], on };
    let unit = |on| Event::UnitUpdate { units: vec![Unit { ident: Ident(7), is_panic: Some(on), ..Unit::default() }] };
    world.apply(&panic(true), AT);
    assert_eq!(cards(&world.apply(&unit(false), AT.plus_ms(1_000))), [(Subject::Panic(Ident(7), AT), Updated, Over)]);
    assert_eq!(cards(&world.apply(&unit(true), AT.plus_ms(2_000))), [(Subject::Panic(Ident(7), AT), Updated, Open)], "never over");
    // Ended by its own event, so the next one is another panic.
    world.apply(&panic(false), AT.plus_ms(3_000));
    let again = Subject::Panic(Ident(7), AT.plus_ms(4_000));
    assert_eq!(cards(&world.apply(&panic(true), AT.plus_ms(4_000))), [(again, Created, Open)]);
    // And a flag that is old itself ends it for good.
    world.apply(&unit(false), AT.plus_ms(5_000));
    let last = Subject::Panic(Ident(7), AT.plus_ms(70_000));
    assert_eq!(cards(&world.apply(&panic(true), AT.plus_ms(70_000))), [(last, Created, Open)]);
}

fn flag(on: bool) -> Event {
    Event::UnitUpdate { units: vec![Unit { is_panic: Some(on), ..unit(7) }] }
}

fn flag_read(world: &mut Server, on: bool, at: UnixMs) -> Applied {
    let units = Some(ListedUnits { units: vec![Unit { is_panic: Some(on), ..unit(7) }], complete: true });
    world.reconcile(&Listing { asked_at: at, units, ..Listing::default() }, at).applied
}

fn raised(applied: &Applied, at: UnixMs) -> bool {
    cards(applied) == [(Subject::Panic(Ident(7), at), Created, Open)]
}

#[test]
fn every_edge_of_a_units_flag_is_an_alarm_once_its_end_is_newer_than_its_start() {
    let sources: [fn(&mut Server, bool, UnixMs) -> Applied; 2] = [|world, on, at| world.apply(&flag(on), at), flag_read];
    for first in sources {
        for end in sources {
            for then in sources {
                let mut world = Server::default();
                flag_read(&mut world, false, AT);
                let on = AT.plus_ms(60_000);
                assert!(raised(&first(&mut world, true, on), on));
                let over = on.plus(LATE).plus_ms(1);
                assert_eq!(cards(&end(&mut world, false, over)), [(Subject::Panic(Ident(7), on), Updated, Over)]);
                let again = over.plus_ms(15_000);
                assert!(raised(&then(&mut world, true, again), again));
            }
        }
    }
}

#[test]
fn an_end_within_seconds_is_in_doubt_until_somebody_says_it_again() {
    let said_again: [fn(&mut Server, UnixMs) -> Applied; 4] = [
        |world, at| flag_read(world, false, at),
        |world, at| world.apply(&flag(false), at),
        |world, at| world.apply(&panic(7, false), at.plus_ms(-24_000)),
        |world, at| {
            world.apply(&Event::UnitLogout { idents: vec![Ident(7)] }, at);
            world.apply(&Event::UnitLogin { units: vec![unit(7)] }, at.plus_ms(1))
        },
    ];
    for again in said_again.map(Some).into_iter().chain([None]) {
        let mut world = Server::default();
        flag_read(&mut world, false, AT);
        let on = AT.plus_ms(60_000);
        world.apply(&panic(7, true), on);
        // Perhaps the flag was sent before.
        world.apply(&flag(false), on.plus_ms(5_000));
        if let Some(again) = again {
            again(&mut world, on.plus_ms(30_000));
        }
        let when = on.plus_ms(120_000);
        assert_eq!(raised(&flag_read(&mut world.clone(), true, when), when), again.is_some());
        assert_eq!(raised(&world.apply(&flag(true), when), when), again.is_some());
        assert_eq!(world.panics[&Ident(7)].over_at, None);
    }
}

#[test]
fn an_old_flag_between_a_reading_and_its_event_hides_no_news() {
    let mut world = Server::default();
    flag_read(&mut world, true, AT);
    world.apply(&flag(false), AT.plus_ms(1_000));
    assert_eq!(cards(&world.apply(&panic(7, true), AT.plus_ms(2_000))), [(Subject::Panic(Ident(7), AT), Created, Open)]);
    assert!(!world.panics[&Ident(7)].joined_late);
}

#[test]
fn a_rise_that_a_late_reading_finds_is_marked_as_no_news() {
    let rise = DispatchCall { priority: Some(Priority::Level(1)), ..dispatch(501) };
    for (away, late) in [(60_000, false), (3 * 3_600_000, true)] {
        let mut world = Server::default();
        let read = |world: &mut Server, call: &DispatchCall, at: UnixMs| {
            let calls = Some(ListedCalls { dispatches: vec![call.clone()], ..ListedCalls::default() });
            world.reconcile(&Listing { asked_at: at, calls, ..Listing::default() }, at);
        };
        read(&mut world, &dispatch(501), AT);
        read(&mut world, &rise, AT.plus_ms(away));
        let last = world.dispatches[&CallId(501)].timeline.last().unwrap();
        assert!(matches!(last.what, MomentKind::Priority { .. }));
        assert_eq!(last.found_late, late);
    }
    let mut world = Server::default();
    world.apply(&Event::DispatchNew(dispatch(501)), AT);
    world.apply(&Event::DispatchEdited(rise), AT.plus_ms(3 * 3_600_000));
    assert!(world.dispatches[&CallId(501)].timeline.iter().all(|moment| !moment.found_late), "an event is news");
}

#[test]
fn when_a_911_became_a_call_is_kept_and_it_is_found_by_its_number_whatever_its_key() {
    let mut world = Server::default();
    world.apply(&Event::EmergencyNew(EmergencyCall { id: None, ..call_911(302, "fire") }), AT);
    let key = *world.emergencies.keys().next().unwrap();
    let calls = Some(ListedCalls { emergencies: vec![call_911(302, "fire")], ..ListedCalls::default() });
    world.reconcile(&Listing { asked_at: AT.plus_ms(30_000), calls, ..Listing::default() }, AT.plus_ms(30_000));
    assert_eq!(world.emergency_called(CallId(302)), Some(Subject::Emergency(key, AT)));
    assert_eq!(world.emergency_called(CallId(303)), None);
    world.apply(&Event::DispatchNew(DispatchCall { from_911: Some(CallId(302)), ..dispatch(501) }), AT.plus_ms(40_000));
    assert_eq!(world.emergencies[&key].ended_at(), Some(AT.plus_ms(40_000)));
    world.apply(&Event::EmergencyRemoved { calls: vec![CallId(302)] }, AT.plus_ms(50_000));
    assert_eq!(world.emergencies[&key].ended_at(), Some(AT.plus_ms(40_000)));
}
