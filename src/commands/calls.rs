//! Open calls and units of a server's world, as lists for people who type. Pure; nothing here asks the CAD.

use std::cmp::Reverse;

use crate::clock::UnixMs;
use crate::event::{Meta, NUMBER_AS_SENT, Priority};
use crate::ids::{CallId, Ident, ServerId};
use crate::render::Labels;
use crate::render::button::On;
use crate::render::text::{self, SafeText, safe};
use crate::world::{Dispatch, Emergency, Server, Subject};

/// Longest part of a line (UTF-16 units).
const PART: usize = 60;

/// An open call, or a waiting 911.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenCall {
    pub(super) on: On,
    /// The CAD's number. Without one, it can be viewed but not acted on.
    pub(super) number: Option<CallId>,
    /// `911 #302 · Shots fired · Alta St`, raw.
    parts: Vec<String>,
    /// 1 to 3; 911s are 1, civil calls 3, calls without a priority 2.
    urgency: i64,
    pub(super) opened_at: UnixMs,
}

impl OpenCall {
    pub(super) fn is_dispatch(&self) -> bool {
        matches!(self.on.subject, Subject::Dispatch(..))
    }

    /// For a list of choices, where Discord reads no markdown.
    pub(super) fn choice(&self, several_servers: bool) -> String {
        let mut parts: Vec<SafeText> = self.parts.iter().map(|part| text::plain(part, PART)).collect();
        if several_servers {
            parts.push(safe!("server {}", self.on.server));
        }
        SafeText::join(parts, " · ").cut(100).into_string()
    }

    /// For a page.
    pub(super) fn line(&self) -> SafeText {
        let mut parts = self.parts.iter();
        let head = parts.next().map(|part| safe!("**{}**", text::line(part, PART))).unwrap_or_default();
        let rest = parts.map(|part| text::line(part, PART));
        SafeText::join([head].into_iter().chain(rest).chain([safe!("<t:{}:R>", self.opened_at.secs())]), " · ")
    }
}

/// `911 #302`, with what the CAD sent instead of a number, or with nothing. Raw.
fn numbered(word: &str, number: Option<CallId>, meta: &Meta) -> String {
    let sent = || meta.get(NUMBER_AS_SENT).map(|sent| format!(" {sent}"));
    format!("{word}{}", number.map_or_else(|| sent().unwrap_or_default(), |id| format!("{id:#}")))
}

fn filled(text: Option<&str>) -> Option<String> {
    text::visible(text).map(|text| text.trim().to_owned())
}

/// The open calls and waiting 911s, the most urgent and newest first.
pub(super) fn open(world: &Server, server: ServerId, labels: &Labels) -> Vec<OpenCall> {
    let waiting = world.emergencies.iter().filter_map(|(key, known)| waiting(world, server, labels, *key, known));
    let dispatched = world.dispatches.values().filter_map(|call| dispatched(world, server, labels, call));
    let mut calls: Vec<OpenCall> = waiting.chain(dispatched).collect();
    sort(&mut calls);
    calls
}

/// The most urgent and newest first.
pub(super) fn sort(calls: &mut [OpenCall]) {
    calls.sort_by_key(|call| (call.urgency, Reverse(call.opened_at), call.number));
}

fn waiting(world: &Server, server: ServerId, labels: &Labels, key: CallId, known: &Emergency) -> Option<OpenCall> {
    let subject = Subject::Emergency(key, known.opened_at);
    if world.is_over(subject) {
        return None;
    }
    let number = known.cad_number(key);
    let call = &known.call;
    let word = if call.is_emergency { &labels.emergency } else { &labels.civil };
    let what = filled(call.description.as_deref()).unwrap_or_else(|| "no description".to_owned());
    let parts = [Some(numbered(word, number, &call.meta)), Some(what), filled(call.location.as_deref())];
    let urgency = if call.is_emergency { 1 } else { 3 };
    Some(OpenCall { on: On { server, subject }, number, parts: parts.into_iter().flatten().collect(), urgency, opened_at: known.opened_at })
}

fn dispatched(world: &Server, server: ServerId, labels: &Labels, call: &Dispatch) -> Option<OpenCall> {
    let subject = Subject::Dispatch(call.id, call.opened_at);
    if world.is_over(subject) {
        return None;
    }
    let number = call.cad_number();
    let level = match call.priority {
        Some(Priority::Level(level)) => Some(level),
        _ => None,
    };
    let priority = match &call.priority {
        Some(Priority::Level(level)) => Some(labels.priorities.get(level).cloned().unwrap_or_else(|| format!("P{level}"))),
        Some(Priority::Word(word)) => filled(Some(word)),
        None => None,
    };
    let units = match call.units.len() {
        0 => "no unit".to_owned(),
        1 => "1 unit".to_owned(),
        n => format!("{n} units"),
    };
    let title = filled(call.title.as_deref()).or_else(|| filled(call.description.as_deref()));
    let parts = [Some(numbered("Call", number, &call.meta)), priority, title, filled(call.address.as_deref()), Some(units)];
    Some(OpenCall {
        on: On { server, subject },
        number,
        parts: parts.into_iter().flatten().collect(),
        urgency: level.unwrap_or(2),
        opened_at: call.opened_at,
    })
}

/// A unit on duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OnDuty {
    pub(super) server: ServerId,
    pub(super) ident: Ident,
    /// Raw; empty if it has none.
    pub(super) callsign: String,
    /// `A-10 John Doe · 🟢 Available`, for a list of choices.
    pub(super) choice: String,
}

/// Units on duty by callsign; only those of one call, if it is named.
pub(super) fn units(world: &Server, server: ServerId, labels: &Labels, of: Option<Subject>) -> Vec<OnDuty> {
    let of_call = |ident: &Ident| match of {
        Some(Subject::Dispatch(id, _)) => world.dispatches.get(&id).is_some_and(|call| call.units.contains(ident)),
        Some(_) => false,
        None => true,
    };
    let mut units: Vec<OnDuty> = (world.units.iter())
        .filter(|(ident, state)| state.on_duty && of_call(ident))
        .map(|(ident, state)| {
            let name = unit_name(world, *ident);
            let status = state.unit.status.map(|status| format!(" · {}", status_word(labels, status))).unwrap_or_default();
            let callsign = filled(state.unit.callsign.as_deref()).unwrap_or_default();
            OnDuty { server, ident: *ident, callsign, choice: format!("{name}{status}") }
        })
        .collect();
    units.sort_by(|one, other| (&one.callsign, one.ident).cmp(&(&other.callsign, other.ident)));
    units
}

/// `A-10 John Doe`, for a list of choices, where Discord reads no markdown.
pub(super) fn unit_name(world: &Server, ident: Ident) -> SafeText {
    let part = |part: &Option<String>| filled(part.as_deref()).map(|part| text::plain(&part, PART));
    let unit = world.units.get(&ident).map(|state| &state.unit);
    let parts: Vec<SafeText> = unit.into_iter().flat_map(|unit| [part(&unit.callsign), part(&unit.name)]).flatten().collect();
    if parts.is_empty() { safe!("Unit {}", ident) } else { SafeText::join(parts, " ") }
}

/// `🟢 Available`, or `Status 7`. Custom emoji are left out where only text is shown.
pub(super) fn status_word(labels: &Labels, status: i64) -> String {
    match labels.statuses.get(&status) {
        Some((emoji, name)) if emoji.starts_with('<') || emoji.is_empty() => text::plain(name, PART).into_string(),
        Some((emoji, name)) => format!("{} {}", text::plain(emoji, 16), text::plain(name, PART)),
        None => format!("Status {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{DispatchCall, EmergencyCall, Event, Unit};

    const AT: UnixMs = UnixMs(1_763_700_000_000);

    fn world() -> Server {
        let mut world = Server::default();
        let unit = |ident: i64, callsign: &str| Unit {
            ident: Ident(ident),
            callsign: Some(callsign.into()),
            name: Some("J. *Doe*".into()),
            status: Some(2),
            ..Unit::default()
        };
        world.apply(&Event::UnitLogin { units: vec![unit(2, "B-2"), unit(1, "A-1")] }, AT);
        for (id, is_emergency) in [(301, false), (302, true), (303, true)] {
            let call = EmergencyCall {
                id: Some(CallId(id)),
                is_emergency,
                description: Some(format!("Shots {id} <@1>")),
                location: Some("Alta St".into()),
                ..EmergencyCall::default()
            };
            world.apply(&Event::EmergencyNew(call), AT.plus_ms(id));
        }
        for (id, priority) in [(501, 1), (502, 3)] {
            let call = DispatchCall {
                id: Some(CallId(id)),
                priority: Some(Priority::Level(priority)),
                title: Some("Robbery".into()),
                idents: Some(vec![Ident(2)]),
                ..DispatchCall::default()
            };
            world.apply(&Event::DispatchNew(call), AT.plus_ms(id));
        }
        world.apply(&Event::EmergencyRemoved { calls: vec![CallId(303)] }, AT.plus_ms(900));
        world
    }

    #[test]
    fn what_is_open_comes_by_urgency_and_then_the_newest_first() {
        let calls = open(&world(), ServerId(1), Labels::usual());
        assert_eq!(calls.iter().map(|call| call.number.unwrap().0).collect::<Vec<_>>(), [501, 302, 502, 301]);
        assert_eq!(calls[0].choice(false), "Call #501 · P1 · Robbery · 1 unit");
        assert!(
            calls[1].choice(true).starts_with("911 #302 · Shots 302 <\u{200b}@")
                && calls[1].choice(true).ends_with(" · Alta St · server 1")
        );
        assert!(calls[3].choice(false).starts_with("311 #301 · "));
        assert!(calls[1].line().starts_with("**911 \\#302**") || calls[1].line().starts_with("**911 #302**"), "{}", calls[1].line());
        assert!(calls.iter().all(|call| text::units(&call.choice(true)) <= 100));
    }

    #[test]
    fn units_are_those_on_duty_or_those_of_a_call() {
        let world = world();
        let idents = |of| units(&world, ServerId(1), Labels::usual(), of).iter().map(|unit| unit.ident.0).collect::<Vec<_>>();
        assert_eq!(idents(None), [1, 2]);
        assert_eq!(idents(Some(Subject::Dispatch(CallId(501), AT.plus_ms(501)))), [2]);
        assert_eq!(idents(Some(Subject::Emergency(CallId(302), AT))), Vec::<i64>::new());
        assert_eq!(units(&world, ServerId(1), Labels::usual(), None)[0].choice, "A-1 J. *Doe* · 🟢 Available");
        assert_eq!((unit_name(&world, Ident(2)), unit_name(&world, Ident(9))), ("B-2 J. *Doe*".into(), "Unit 9".into()));
        assert_eq!(status_word(Labels::usual(), 7), "Status 7");
    }
}
