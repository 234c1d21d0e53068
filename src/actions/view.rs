//! Queries of a server's world for actions. Pure.

use serde_json::{Value, json};

use crate::authorization::{Member, Refusal};
use crate::cad::rest::Object;
use crate::event::Priority;
use crate::ids::{CallId, Ident};
use crate::render::text::{self, SafeText, safe};
use crate::world::{Acknowledgement, Dispatch, Server, Subject, UnitState};

/// Limit on a call's units shown in a panel.
const MAX_UNITS_SHOWN: usize = 25;

/// A unit that somebody can act as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnUnit {
    pub(super) ident: Ident,
    /// Callsign and name, as in the CAD.
    pub(super) name: String,
}

/// The current state of a card's subject for a panel of buttons. Texts are safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardState {
    /// `Call #501`.
    pub what: SafeText,
    /// 1 to 3, if it is one of these.
    pub priority: Option<i64>,
    pub postal: Option<String>,
    /// Attached units: number, name, whether it is the primary one.
    pub units: Vec<(Ident, SafeText, bool)>,
    /// Who answers for it.
    pub taken: Option<Acknowledgement>,
}

/// Who somebody is in the CAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhoAmI {
    /// The account; `None` if none is linked.
    pub member: Option<Member>,
    /// The role they lack, if the guild requires one.
    pub role: Option<Refusal>,
    /// Their units on duty, as the CAD names them.
    pub units: Vec<String>,
    /// The calls that these are on.
    pub calls: Vec<CallId>,
}

fn is_account(unit: &UnitState, account: &str) -> bool {
    unit.unit.account.as_deref().is_some_and(|known| known.trim().eq_ignore_ascii_case(account.trim()))
}

fn raw_name(state: &UnitState) -> String {
    let parts = [&state.unit.callsign, &state.unit.name].into_iter().flatten().map(|part| part.trim()).filter(|part| !part.is_empty());
    let name = parts.collect::<Vec<_>>().join(" ");
    if name.is_empty() { format!("Unit {}", state.unit.ident) } else { name }
}

/// An account's units on duty: field units before dispatchers, then the latest login.
pub(super) fn units_of(world: &Server, account: &str) -> Vec<OwnUnit> {
    let mut units: Vec<&UnitState> = world.units.values().filter(|state| state.on_duty && is_account(state, account)).collect();
    units.sort_by_key(|state| (state.unit.is_dispatch == Some(true), std::cmp::Reverse(state.since)));
    units.into_iter().map(|state| OwnUnit { ident: state.unit.ident, name: raw_name(state) }).collect()
}

pub(super) fn accounts_on_duty(world: &Server) -> Vec<String> {
    world.units.values().filter(|state| state.on_duty).filter_map(|state| state.unit.account.clone()).collect()
}

/// The accounts of these units, as far as they are known.
pub(super) fn accounts_of(world: &Server, idents: &[Ident]) -> Vec<String> {
    idents.iter().filter_map(|ident| world.units.get(ident)?.unit.account.clone()).collect()
}

/// A unit's name.
pub(super) fn named(world: &Server, ident: Ident) -> SafeText {
    world.units.get(&ident).map_or_else(|| safe!("Unit {}", ident), |state| text::line(&raw_name(state), 60))
}

/// The open dispatch calls that units are on, the newest first.
pub(super) fn calls_of(world: &Server, idents: &[Ident]) -> Vec<CallId> {
    let on = |call: &&Dispatch| call.closed_at.is_none() && call.units.iter().any(|ident| idents.contains(ident));
    let mut calls: Vec<&Dispatch> = world.dispatches.values().filter(on).collect();
    calls.sort_by_key(|call| std::cmp::Reverse(call.opened_at));
    calls.into_iter().filter_map(Dispatch::cad_number).collect()
}

pub(super) fn is_attached(world: &Server, subject: Subject, ident: Ident) -> bool {
    let Subject::Dispatch(id, _) = subject else { return false };
    world.dispatches.get(&id).is_some_and(|call| call.units.contains(&ident))
}

pub(super) fn in_panic(world: &Server, ident: Ident) -> bool {
    world.panics.get(&ident).is_some_and(|panic| panic.over_at.is_none())
}

/// The CAD's number of an open call; `None` if it is over, unknown, or not a call.
pub(super) fn open_number(world: &Server, subject: Subject) -> Option<CallId> {
    if world.is_over(subject) {
        return None;
    }
    match subject {
        Subject::Emergency(id, _) => world.emergencies.get(&id)?.cad_number(id),
        Subject::Dispatch(id, _) => world.dispatches.get(&id)?.cad_number(),
        Subject::Panic(..) | Subject::Event(..) => None,
    }
}

/// The dispatch call with this number, and its number in the CAD if it is open.
pub(super) fn dispatch_named(world: &Server, call: CallId) -> Option<(Subject, Option<CallId>)> {
    let found = world.dispatches.values().find(|known| known.id == call || known.cad_number() == Some(call))?;
    let subject = Subject::Dispatch(found.id, found.opened_at);
    Some((subject, open_number(world, subject)))
}

/// The 911 with this number, and whether it waits.
pub(super) fn emergency_named(world: &Server, call: CallId) -> Option<(Subject, bool)> {
    let (id, found) = world.emergencies.iter().find(|(id, known)| **id == call || known.cad_number(**id) == Some(call))?;
    let subject = Subject::Emergency(*id, found.opened_at);
    Some((subject, !world.is_over(subject)))
}

/// What a panel needs; `None` if it is over.
pub(super) fn card_state(world: &Server, subject: Subject) -> Option<CardState> {
    if world.is_over(subject) {
        return None;
    }
    let bare =
        |what: SafeText| CardState { what, priority: None, postal: None, units: Vec::new(), taken: world.acknowledgement_of(subject) };
    match subject {
        Subject::Emergency(id, _) => Some(bare(safe!("Call{:#}", id))),
        Subject::Panic(ident, _) => Some(bare(safe!("Panic of {}", named(world, ident)))),
        Subject::Event(..) => Some(bare("Page".into())),
        Subject::Dispatch(id, _) => {
            let call = world.dispatches.get(&id)?;
            let units = call.units.iter().take(MAX_UNITS_SHOWN).map(|ident| (*ident, named(world, *ident), call.primary == Some(*ident)));
            Some(CardState {
                priority: match call.priority {
                    Some(Priority::Level(level)) => Some(level),
                    _ => None,
                },
                postal: call.postal.clone(),
                units: units.collect(),
                ..bare(safe!("Call{:#}", id))
            })
        }
    }
}

/// A listed unit, with the requested account added.
pub(super) fn of_account(mut unit: Object, account: &str) -> Object {
    unit.retain(|name, _| !name.eq_ignore_ascii_case("accId"));
    unit.insert("accId".to_owned(), account.into());
    unit
}

/// The number of a call in the CAD's answer.
pub(super) fn number(call: &Object) -> Option<CallId> {
    call.get("callId").and_then(Value::as_i64).filter(|id| *id > 0).map(CallId)
}

/// A dispatch call as in a whole event of the CAD, with a change. `None` if it is over. Notes are left out: that changes none.
pub(super) fn whole(world: &Server, subject: Subject, change: impl FnOnce(&mut Dispatch)) -> Option<Object> {
    let number = open_number(world, subject)?;
    let Subject::Dispatch(id, _) = subject else { return None };
    let mut call = world.dispatches.get(&id)?.clone();
    change(&mut call);
    let mut meta: Object = call.meta.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    if let Some(from) = call.from_911 {
        meta.insert("origin911".to_owned(), from.to_string().into());
    }
    let priority = call.priority.as_ref().map(|priority| match priority {
        Priority::Level(level) => json!(level),
        Priority::Word(word) => json!(word),
    });
    let whole = json!({
        "callId": number, "origin": call.origin, "status": call.status, "priority": priority, "block": call.block, "address": call.address,
        "postal": call.postal, "title": call.title, "code": call.code, "description": call.description, "idents": call.units,
        "primary": call.primary, "metaData": meta,
    });
    match whole {
        Value::Object(whole) => Some(whole),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;
    use crate::event::{DispatchCall, Envelope, Event, Unit, decode};

    const AT: UnixMs = UnixMs(1_763_700_000_000);

    fn unit(ident: i64, account: &str, is_dispatch: bool) -> Event {
        let unit = Unit {
            ident: Ident(ident),
            account: Some(account.to_owned()),
            callsign: Some(format!("A-{ident}")),
            name: Some("J. *Doe*".into()),
            is_dispatch: Some(is_dispatch),
            ..Unit::default()
        };
        Event::UnitLogin { units: vec![unit] }
    }

    fn world() -> Server {
        let mut world = Server::default();
        for (nth, event) in [unit(1, "ABC", true), unit(2, "abc", false), unit(3, "abc", false), unit(4, "xyz", false)].iter().enumerate() {
            world.apply(event, AT.plus_ms(i64::try_from(nth).unwrap()));
        }
        let call = DispatchCall {
            id: Some(CallId(501)),
            priority: Some(Priority::Level(2)),
            title: Some("Robbery".into()),
            postal: Some("9001".into()),
            from_911: Some(CallId(302)),
            idents: Some(vec![Ident(2), Ident(4)]),
            primary: Some(Ident(2)),
            meta: [("plate".to_owned(), "46EEK".to_owned())].into(),
            ..DispatchCall::default()
        };
        world.apply(&Event::DispatchNew(call), AT);
        world
    }

    #[test]
    fn ones_units_are_those_of_the_account_the_street_first() {
        let world = world();
        let idents = |account: &str| units_of(&world, account).iter().map(|unit| unit.ident.0).collect::<Vec<_>>();
        assert_eq!((idents("abc"), idents("nobody")), (vec![3, 2, 1], vec![]));
        assert_eq!(units_of(&world, "xyz")[0].name, "A-4 J. *Doe*");
        assert_eq!(named(&world, Ident(4)), "A-4 J. \\*Doe\\*");
        assert_eq!(named(&world, Ident(9)), "Unit 9");
        assert_eq!(calls_of(&world, &[Ident(4)]), [CallId(501)]);
        assert_eq!(calls_of(&world, &[Ident(3)]), []);
    }

    #[test]
    fn a_panel_is_for_what_is_open() {
        let mut world = world();
        let subject = Subject::Dispatch(CallId(501), AT);
        let state = card_state(&world, subject).unwrap();
        assert_eq!((state.what.as_str(), state.priority, state.units.len()), ("Call #501", Some(2), 2));
        assert_eq!(dispatch_named(&world, CallId(501)), Some((subject, Some(CallId(501)))));
        world.apply(&Event::DispatchClosed { by: None, calls: vec![CallId(501)] }, AT.plus_ms(9));
        assert_eq!(card_state(&world, subject), None);
        assert_eq!(dispatch_named(&world, CallId(501)), Some((subject, None)));
        assert_eq!(dispatch_named(&world, CallId(7)), None);
        assert_eq!(card_state(&world, Subject::Dispatch(CallId(501), AT.plus_ms(1))), None);
    }

    /// The whole call equals the known one, except for the change.
    #[test]
    fn a_whole_call_changes_only_what_was_changed() {
        let mut world = world();
        let subject = Subject::Dispatch(CallId(501), AT);
        let report = |world: &mut Server, whole: Object| {
            let data = json!({ "dispatch": whole });
            let events = decode(&Envelope { kind: "EVENT_DISPATCH_EDIT".into(), data, extras: Object::new() }).unwrap();
            events.iter().flat_map(|event| world.apply(event, AT.plus_ms(60_000)).changes).count()
        };
        let same = whole(&world, subject, |_| {}).unwrap();
        let before = world.dispatches.clone();
        assert_eq!(report(&mut world, same), 0);
        assert_eq!(world.dispatches, before);
        let other = whole(&world, subject, |call| call.postal = Some("7007".into())).unwrap();
        assert_eq!(report(&mut world, other), 1);
        let call = &world.dispatches[&CallId(501)];
        assert_eq!((call.postal.as_deref(), call.edited.as_slice()), (Some("7007"), &["postal".to_owned()][..]));
        assert_eq!((call.units.len(), call.primary, call.from_911), (2, Some(Ident(2)), Some(CallId(302))));
    }
}
