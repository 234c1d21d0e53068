//! Tests sessions by example, and properties that always hold.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::clock::millis;
use crate::event::Event;
use crate::world::tests::{AT, attach, login, restarted, unit};
use crate::world::{ListedUnits, Listing};

const MINUTE: i64 = 60_000;

fn logout(ident: i64) -> Event {
    Event::UnitLogout { idents: vec![Ident(ident)] }
}

fn update(ident: i64) -> Event {
    Event::UnitUpdate { units: vec![unit(ident)] }
}

fn listing(idents: &[i64], complete: bool, asked_at: UnixMs) -> Listing {
    let units = idents.iter().map(|ident| unit(*ident)).collect();
    Listing { asked_at, units: Some(ListedUnits { units, complete }), ..Listing::default() }
}

fn read(world: &mut Server, idents: &[i64], at: UnixMs) -> Vec<DutyEdge> {
    world.reconcile(&listing(idents, true, at), at).applied.duty
}

/// Began, whether late, ended, whether missed.
type Said = (i64, bool, Option<(i64, bool)>);

fn said(edges: &[DutyEdge]) -> Vec<Said> {
    let rel = |at: UnixMs| at.0 - AT.0;
    edges.iter().map(|edge| (rel(edge.began), edge.joined_late, edge.ended.map(|ended| (rel(ended.at), ended.missed)))).collect()
}

#[test]
fn from_login_to_logout() {
    let mut world = Server::default();
    assert_eq!(said(&world.apply(&login(7), AT).duty), [(0, false, None)]);
    assert_eq!(said(&world.apply(&login(7), AT.plus_ms(5)).duty), [], "the same again");
    assert_eq!(said(&world.apply(&update(7), AT.plus_ms(MINUTE)).duty), []);
    assert_eq!(said(&world.apply(&logout(7), AT.plus_ms(2 * MINUTE)).duty), [(0, false, Some((2 * MINUTE, false)))]);
    assert_eq!(said(&world.apply(&logout(7), AT.plus_ms(3 * MINUTE)).duty), [], "gone already");
}

#[test]
fn who_is_there_before_us_joined_late_unless_the_login_comes_a_moment_after() {
    let mut world = Server::default();
    assert_eq!(said(&world.apply(&update(7), AT).duty), [(0, true, None)]);
    assert_eq!(said(&world.apply(&login(7), AT.plus_ms(400)).duty), [(0, false, None)], "overtaken by an update");
    let mut world = Server::default();
    assert_eq!(said(&read(&mut world, &[7], AT)), [(0, true, None)], "the first reading");
    assert_eq!(said(&read(&mut world, &[7, 8], AT.plus_ms(MINUTE))), [(MINUTE, false, None)], "came since the one before");
}

#[test]
fn a_missed_logout_ends_at_the_last_sign_of_life() {
    // An event is the last sign.
    let mut world = Server::default();
    read(&mut world, &[], AT);
    world.apply(&login(7), AT.plus_ms(1));
    world.apply(&attach(1, &[7]), AT.plus_ms(50_000));
    assert_eq!(said(&read(&mut world, &[], AT.plus_ms(MINUTE))), [(1, false, Some((50_000, true)))]);
    // So is a listing.
    let mut world = Server::default();
    world.apply(&login(7), AT);
    read(&mut world, &[7], AT.plus_ms(MINUTE));
    read(&mut world, &[7], AT.plus_ms(5 * MINUTE));
    assert_eq!(said(&read(&mut world, &[], AT.plus_ms(6 * MINUTE))), [(0, false, Some((5 * MINUTE - millis(GRACE), true)))]);
    // An incomplete one is no sign, and removes nobody.
    let mut world = Server::default();
    world.apply(&login(7), AT);
    assert_eq!(said(&world.reconcile(&listing(&[], false, AT.plus_ms(MINUTE)), AT.plus_ms(MINUTE)).applied.duty), []);
    assert_eq!(said(&read(&mut world, &[], AT.plus_ms(2 * MINUTE))), [(0, false, Some((0, true)))]);
}

#[test]
fn a_login_of_who_is_there_ends_one_session_and_begins_another() {
    let mut world = Server::default();
    world.apply(&login(7), AT);
    world.apply(&update(7), AT.plus_ms(MINUTE));
    let again = world.apply(&login(7), AT.plus_ms(60 * MINUTE)).duty;
    assert_eq!(said(&again), [(0, false, Some((MINUTE, true))), (60 * MINUTE, false, None)]);
}

#[test]
fn after_a_short_absence_of_ours_sessions_go_on_after_a_long_one_they_do_not() {
    let mut world = Server::default();
    world.apply(&login(7), AT);
    read(&mut world, &[7], AT.plus_ms(5 * MINUTE));
    let mut soon = restarted(&world);
    assert_eq!(said(&soon.resume_duty(AT.plus_ms(14 * MINUTE)).duty), [(0, false, None)]);
    assert_eq!(said(&read(&mut soon, &[7], AT.plus_ms(14 * MINUTE))), []);
    let mut late = restarted(&world);
    let resumed = late.resume_duty(AT.plus_ms(65 * MINUTE));
    assert_eq!(said(&resumed.duty), [(0, false, None), (0, false, Some((5 * MINUTE - millis(GRACE), true)))]);
    assert!(resumed.touched.contains(&Entity::Unit(Ident(7))));
    let mut again = restarted(&late);
    assert_eq!(said(&again.resume_duty(AT.plus_ms(66 * MINUTE)).duty), [], "it is not known yet whether it is there");
    assert_eq!(said(&read(&mut again, &[7], AT.plus_ms(66 * MINUTE))), [(66 * MINUTE, true, None)]);
}

#[test]
fn rows_of_an_older_version_get_their_sessions() {
    let mut world = Server::default();
    world.apply(&login(7), AT);
    world.apply(&update(8), AT.plus_ms(MINUTE));
    world.units.values_mut().for_each(|state| state.duty = Duty::default());
    assert_eq!(said(&world.resume_duty(AT.plus_ms(2 * MINUTE)).duty), [(0, false, None), (MINUTE, true, None)]);
}

#[test]
fn another_name_is_reported_and_a_forgotten_session_ends() {
    let mut world = Server::default();
    world.apply(&login(7), AT);
    let renamed = Event::UnitUpdate { units: vec![Unit { department: Some("Fire".into()), ..unit(7) }] };
    assert_eq!(said(&world.apply(&renamed, AT.plus_ms(9)).duty), [(0, false, None)]);
    let open = world.duty_open();
    assert_eq!(world.duty_forgotten(&open), []);
    world.units.clear();
    assert_eq!(said(&world.duty_forgotten(&open)), [(0, false, Some((9, true)))]);
}

#[derive(Clone, Debug)]
enum Step {
    Event(Box<Event>),
    Listing(Vec<i64>, bool),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<(Step, i64)>> {
    let ident = || 1..4_i64;
    let event = prop_oneof![
        ident().prop_map(login),
        ident().prop_map(logout),
        ident().prop_map(update),
        (ident(), 0..4_i64).prop_map(|(ident, status)| Event::UnitStatus {
            idents: vec![Ident(ident)],
            status: Some(status),
            units: vec![]
        }),
        ident().prop_map(|ident| attach(1, &[ident])),
    ];
    let step = prop_oneof![
        8 => event.prop_map(|event| Step::Event(Box::new(event))),
        3 => (proptest::collection::btree_set(ident(), 0..4), proptest::bool::weighted(0.8))
            .prop_map(|(idents, complete)| Step::Listing(idents.into_iter().collect(), complete)),
        1 => Just(Step::Restart),
    ];
    // A moment, a while, a long absence, and the clock set back.
    let pause = prop_oneof![4 => 0..5_000_i64, 4 => 0..300_000_i64, 1 => 700_000..4_000_000_i64, 1 => -100_000..0_i64];
    proptest::collection::vec((step, pause), 1..60)
}

/// The idents that an event names.
fn named(event: &Event) -> Vec<Ident> {
    match event {
        Event::UnitLogin { units } | Event::UnitUpdate { units } => units.iter().map(|unit| unit.ident).collect(),
        Event::UnitLogout { idents } | Event::UnitStatus { idents, .. } | Event::UnitAttach { idents, .. } => idents.clone(),
        _ => Vec::new(),
    }
}

#[derive(Default)]
struct Told {
    open: Option<UnixMs>,
    ended: Option<UnixMs>,
}

proptest! {
    #[test]
    fn sessions_never_overlap_nor_outlast_what_was_seen(steps in steps()) {
        let mut world = Server::default();
        let mut told: BTreeMap<Ident, Told> = BTreeMap::new();
        // The latest moment at which each unit was named or listed, before this step.
        let mut seen: BTreeMap<Ident, UnixMs> = BTreeMap::new();
        let mut at = AT;
        for (step, pause) in steps {
            at = at.plus_ms(pause);
            let mut now: Vec<Ident> = Vec::new();
            let edges = match step {
                Step::Event(event) => {
                    now = named(&event);
                    world.apply(&event, at).duty
                }
                Step::Listing(idents, complete) => {
                    now = idents.iter().copied().map(Ident).collect();
                    world.reconcile(&listing(&idents, complete, at), at).applied.duty
                }
                Step::Restart => {
                    world = restarted(&world);
                    world.resume_duty(at).duty
                }
            };
            for edge in edges {
                let told = told.entry(edge.ident).or_default();
                match (told.open, edge.ended) {
                    (None, None) => {
                        prop_assert!(told.ended.is_none_or(|ended| ended <= edge.began), "overlaps: {edge:?}");
                        told.open = Some(edge.began);
                    }
                    (Some(began), None) => prop_assert_eq!(began, edge.began, "two at once"),
                    (Some(began), Some(ended)) => {
                        prop_assert_eq!(began, edge.began);
                        prop_assert!(ended.at >= began);
                        let seen = seen.get(&edge.ident).copied().unwrap_or_default();
                        prop_assert!(!ended.missed || ended.at <= seen.max(began), "{edge:?} outlasts {seen:?}");
                        (told.open, told.ended) = (None, Some(ended.at));
                    }
                    (None, Some(_)) => prop_assert!(false, "ends without having begun: {edge:?}"),
                }
            }
            for ident in now {
                let seen = seen.entry(ident).or_default();
                *seen = at.max(*seen);
            }
            for (ident, state) in &world.units {
                prop_assert_eq!(told.get(ident).and_then(|told| told.open), state.duty.began);
                prop_assert!(state.on_duty || state.duty.began.is_none());
            }
        }
    }
}
