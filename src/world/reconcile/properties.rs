//! Property tests: after a listing the world matches it, whatever happened before, and nobody is pinged twice about one thing.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::clock::millis;
use crate::event::{Event, Note, Priority};
use crate::world::Change;
use crate::world::tests::{AT, call_911, dispatch, restarted, unit};

/// Few numbers, so that random scenarios reuse them; below 1 are those without one.
fn id() -> impl Strategy<Value = i64> {
    prop_oneof![6 => 1..5_i64, 1 => Just(-1_i64)]
}

fn idents() -> impl Strategy<Value = Vec<Ident>> {
    proptest::collection::btree_set((1..5_i64).prop_map(Ident), 0..3).prop_map(|set| set.into_iter().collect())
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![Just("Fire".to_owned()), Just("Flood".to_owned()), Just("Theft".to_owned())]
}

fn note() -> impl Strategy<Value = Note> {
    (word(), proptest::bool::ANY).prop_map(|(content, iso)| Note {
        time: Some(if iso { "2026-04-08T12:00:00Z" } else { "12:00:00" }.into()),
        label: None,
        kind: "text".into(),
        content,
    })
}

fn said() -> impl Strategy<Value = DispatchCall> {
    let lists = (proptest::option::of(idents()), proptest::option::of(proptest::collection::vec(note(), 0..3)));
    (id(), word(), 1..4_i64, lists, proptest::option::of(1..5_i64), proptest::option::of(1..5_i64)).prop_map(
        |(id, title, priority, (idents, notes), from, primary)| DispatchCall {
            title: Some(title),
            priority: Some(Priority::Level(priority)),
            idents,
            notes,
            from_911: from.map(CallId),
            primary: primary.map(Ident),
            ..dispatch(id)
        },
    )
}

fn whole() -> impl Strategy<Value = Unit> {
    (1..5_i64, 0..5_i64, proptest::bool::ANY, word()).prop_map(|(ident, status, panic, location)| Unit {
        status: Some(status),
        is_panic: Some(panic),
        location: Some(location),
        ..unit(ident)
    })
}

fn event() -> impl Strategy<Value = Event> {
    let ids = || proptest::collection::vec(id().prop_map(CallId), 1..3);
    let call = || id().prop_map(CallId);
    prop_oneof![
        (id(), word()).prop_map(|(id, text)| Event::EmergencyNew(call_911(id, &text))),
        ids().prop_map(|calls| Event::EmergencyRemoved { calls }),
        (idents(), proptest::bool::ANY).prop_map(|(idents, on)| Event::Panic { idents, on }),
        whole().prop_map(|unit| Event::UnitLogin { units: vec![unit] }),
        idents().prop_map(|idents| Event::UnitLogout { idents }),
        whole().prop_map(|unit| Event::UnitUpdate { units: vec![unit] }),
        (idents(), 0..5_i64).prop_map(|(idents, status)| Event::UnitStatus { idents, status: Some(status), units: vec![] }),
        said().prop_map(Event::DispatchNew),
        (said(), 0..3_i64).prop_map(|(said, status)| Event::DispatchEdited(DispatchCall { status: Some(status), ..said })),
        ids().prop_map(|calls| Event::DispatchClosed { by: None, calls }),
        (call(), note()).prop_map(|(call, note)| Event::DispatchNote { call, note }),
        (call(), idents()).prop_map(|(call, idents)| Event::UnitAttach { by: None, idents, call }),
        (call(), idents()).prop_map(|(call, idents)| Event::UnitDetach { by: None, idents, call }),
    ]
}

/// All numbers are usable here: calls without one are in `tests.rs`.
fn listing() -> impl Strategy<Value = (ListedCalls, Vec<Unit>)> {
    let said = || said().prop_map(|said| DispatchCall { id: said.id.map(|id| CallId(id.0.max(1))), ..said });
    let of = |said: Vec<DispatchCall>| said.into_iter().map(|said| (said.id, said)).collect::<BTreeMap<_, _>>();
    let dispatches = (proptest::collection::vec(said(), 0..5), proptest::collection::vec(said(), 0..3)).prop_map(move |(open, closed)| {
        let open = of(open);
        let closed: Vec<_> = of(closed).into_values().filter(|said| !open.contains_key(&said.id)).collect();
        let idents = |said: DispatchCall| DispatchCall { idents: Some(said.idents.unwrap_or_default()), ..said };
        (open.into_values().map(idents).collect::<Vec<_>>(), closed)
    });
    let emergencies = proptest::collection::btree_map(1..5_i64, word(), 0..5)
        .prop_map(|calls| calls.into_iter().map(|(id, text)| call_911(id, &text)).collect::<Vec<_>>());
    let units = proptest::collection::vec(whole(), 0..5)
        .prop_map(|units| units.into_iter().map(|unit| (unit.ident, unit)).collect::<BTreeMap<_, _>>().into_values().collect::<Vec<_>>());
    (dispatches, emergencies, units).prop_map(|((dispatches, closed), emergencies, units)| {
        (ListedCalls { dispatches, emergencies, closed, ..ListedCalls::default() }, units)
    })
}

#[derive(Clone, Debug)]
enum Step {
    Event(Box<Event>),
    Listing(ListedCalls, Vec<Unit>),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => event().prop_map(|event| Step::Event(Box::new(event))),
        2 => listing().prop_map(|(calls, units)| Step::Listing(calls, units)),
        1 => Just(Step::Restart),
    ]
}

fn listing_of(calls: &ListedCalls, units: &[Unit], asked_at: UnixMs) -> Listing {
    let units = ListedUnits { units: units.to_vec(), complete: true };
    Listing { asked_at, calls: Some(calls.clone()), units: Some(units), ..Listing::default() }
}

/// Fails if people were pinged about one of the subjects before.
fn nobody_twice(called: &mut BTreeSet<Subject>, applied: &Applied) -> Result<(), TestCaseError> {
    for change in &applied.changes {
        if let Change::Card { subject, change: CardChange::Created, .. } = change {
            prop_assert!(called.insert(*subject), "called twice to {subject}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_a_listing_the_world_is_what_it_says(
        steps in proptest::collection::vec((step(), 0..4_000_i64), 0..40),
        (calls, units) in listing(),
        pause in (millis(GRACE) + 1)..20_000,
    ) {
        let (mut world, mut at, mut called) = (Server::default(), AT, BTreeSet::new());
        for (step, wait) in steps {
            at = at.plus_ms(wait);
            match step {
                Step::Event(event) => nobody_twice(&mut called, &world.apply(&event, at))?,
                Step::Listing(calls, units) => nobody_twice(&mut called, &world.reconcile(&listing_of(&calls, &units, at), at).applied)?,
                Step::Restart => world = restarted(&world),
            }
        }
        let at = at.plus_ms(pause);
        let before = world.clone();
        let found = world.reconcile(&listing_of(&calls, &units, at), at);
        prop_assert_eq!(found.skipped, 0);
        nobody_twice(&mut called, &found.applied)?;

        let number = |key: &CallId, other: Option<CallId>| numbered(Some(*key)).or(other);
        let open: BTreeMap<_, _> = (world.dispatches.iter())
            .filter(|(_, call)| call.closed_at.is_none())
            .map(|(key, call)| (number(key, call.listed_as), (call.title.clone(), call.priority.clone(), call.units.clone(), call.primary)))
            .collect();
        let expected: BTreeMap<_, _> = (calls.dispatches.iter())
            .map(|said| (said.id, (said.title.clone(), said.priority.clone(), said.idents.clone().unwrap(), said.primary)))
            .collect();
        prop_assert_eq!(open, expected);

        // A listed 911 waits, unless a dispatch call came from it.
        let mut taken: BTreeSet<CallId> = calls.dispatches.iter().chain(&calls.closed).filter_map(|said| said.from_911).collect();
        // Fields that the CAD no longer sends stay known.
        taken.extend(world.dispatches.values().filter(|call| call.closed_at.is_none()).filter_map(|call| call.from_911));
        // A call that came without its number keeps its own key: another may have come with its number since.
        let renumbered = |id: &CallId| before.emergencies.get(id).is_some_and(|other| other.became.is_none());
        let became = before.emergencies.iter().filter(|(_, known)| known.became.is_some());
        taken.extend(became.filter_map(|(key, known)| number(key, known.call.id)).filter(|id| !renumbered(id)));
        let waiting: BTreeMap<_, _> = (world.emergencies.iter())
            .filter(|(key, known)| !world.is_over(Subject::Emergency(**key, known.opened_at)))
            .map(|(key, known)| (number(key, known.call.id), known.call.description.clone()))
            .collect();
        let expected: BTreeMap<_, _> = (calls.emergencies.iter())
            .filter(|call| !taken.contains(&call.id.unwrap()))
            .map(|call| (call.id, call.description.clone()))
            .collect();
        prop_assert_eq!(waiting, expected);

        let on_duty: BTreeMap<_, _> = (world.units.iter())
            .filter(|(_, state)| state.on_duty)
            .map(|(ident, state)| (*ident, (state.unit.status, state.unit.location.clone(), state.unit.is_panic)))
            .collect();
        let expected: BTreeMap<_, _> =
            units.iter().map(|unit| (unit.ident, (unit.status, unit.location.clone(), unit.is_panic))).collect();
        prop_assert_eq!(on_duty, expected);
        let panics: BTreeSet<_> = world.panics.values().filter(|panic| panic.over_at.is_none()).map(|panic| panic.ident).collect();
        let expected: BTreeSet<_> = units.iter().filter(|unit| unit.is_panic == Some(true)).map(|unit| unit.ident).collect();
        prop_assert_eq!(panics, expected);

        // The rows contain all of it, and the same listing again changes nothing.
        let after = world.clone();
        prop_assert_eq!(&restarted(&world), &after);
        let again = world.reconcile(&listing_of(&calls, &units, at), at.plus_ms(60_000));
        prop_assert_eq!((again.applied.changes, again.caught_up, again.skipped), (vec![], 0, 0));
        prop_assert_eq!(world, after);
    }

    /// The rows to write are all that changed: memory and disk never differ.
    #[test]
    fn what_changed_is_touched(steps in proptest::collection::vec((step(), 0..4_000_i64), 0..40)) {
        let (mut world, mut at, mut disk) = (Server::default(), AT, Server::default());
        for (step, wait) in steps {
            at = at.plus_ms(wait);
            let applied = match step {
                Step::Event(event) => world.apply(&event, at),
                Step::Listing(calls, units) => world.reconcile(&listing_of(&calls, &units, at), at).applied,
                Step::Restart => continue,
            };
            for entity in applied.touched {
                let (kind, id) = entity.key();
                disk.load(kind, id, &world.row(entity).unwrap()).unwrap();
            }
            prop_assert_eq!(&disk, &world);
        }
    }
}
