//! Responds to a 911 (docs/cad-contract.md#r11): the CAD has no operation for it, so a dispatch call is created, then the 911 is removed.
//! In this order nothing is lost if the second step fails: the call exists twice, and the person is informed.
//!
//! ```text
//! waits ─▶ create dispatch ─┬─ refused, nothing sent ─▶ it still waits
//!                           ├─ not confirmed ─▶ unsure: nobody creates a second one until the CAD was read
//!                           └─ created, remembered ─▶ remove the 911 ─┬─ done ─▶ became a call
//!                                                                     └─ failed ─▶ became a call, reported as being there twice
//! ```
//!
//! One 911 becomes one call, even if the world could not be updated: the next responder joins the call that was created, and its removal is
//! retried. Calls created before a restart are unknown here: a 911 from that time can be dispatched once the CAD was read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::calls_made::{Became, Creation, Left, Taker};
use super::members::BELIEVED;
use super::synthetic_events::{SyntheticEvent, iso};
use super::{ActionError, Actor, AuthorizedMember, CadActions, Deps, view};
use crate::authorization::Granted;
use crate::cad::rest::{NewDispatch, NewNote, RestError, UnitSelector};
use crate::clock::UnixMs;
use crate::ids::{CallId, Ident, ServerId};
use crate::refresh::Reason;
use crate::render::text::{self, SafeText, safe};
use crate::world::{Emergency, GRACE, Server, Subject};

/// Longest title (characters): a line of a list.
const MAX_TITLE_CHARS: usize = 80;
/// The priority of a call without one.
const USUAL_PRIORITY: i64 = 2;

impl CadActions {
    /// Dispatches a 911, together with all others who do so at this moment. Each was authorized before; the request uses the grant of the
    /// first.
    pub(super) async fn take_911(
        &self,
        actor: &Actor,
        who: &AuthorizedMember,
        server: ServerId,
        subject: Subject,
        respond: bool,
    ) -> Result<SafeText, ActionError> {
        let Subject::Emergency(key, _) = subject else { return Err(self.over(actor.guild, server, subject).await) };
        let unit = who.unit().filter(|_| respond);
        let taker = unit.map(|unit| (who.member.account.clone(), unit.ident));
        let (this, granted) = (self.clone(), Arc::clone(&who.granted));
        let work = move |takers: Vec<Taker>| async move { this.make_call_of(&granted, server, key, subject, takers).await };
        let done = self.0.taking.join(&self.0.deps.tasks, (server, key), taker, work).await.ok_or(ActionError::Busy)?;
        let became = match done {
            // Somebody else was quicker, or it is gone.
            Err(ActionError::Over { .. }) => return self.became_meanwhile(actor, who, server, subject, respond).await,
            other => other?,
        };
        let call = became.call;
        let said = match unit {
            Some(unit) if became.attached.contains(&unit.ident) => {
                safe!("🚓 It is call #{} now, and {} is attached.", call, text::line(&unit.name, 60))
            }
            Some(unit) if became.served.contains(&unit.ident) => safe!("🚓 It is call #{} now, and you are attached.", call),
            Some(_) => safe!("🚔 It is call #{} now, but the CAD did not attach you: press Respond on its card.", call),
            None => safe!("🚔 It is call #{} now.", call),
        };
        Ok(safe!("{}{}", said, became.left.said()))
    }

    /// It isn't a 911 any more: responders are attached to the call that it became.
    async fn became_meanwhile(
        &self,
        actor: &Actor,
        who: &AuthorizedMember,
        server: ServerId,
        subject: Subject,
        respond: bool,
    ) -> Result<SafeText, ActionError> {
        let became = self.look(server, move |world| call_it_became(world, subject)).await?;
        match became {
            Some(call) if respond => self.respond(actor, who, server, call).await,
            _ => Err(self.over(actor.guild, server, subject).await),
        }
    }

    async fn make_call_of(
        &self,
        granted: &Granted,
        server: ServerId,
        key: CallId,
        subject: Subject,
        takers: Vec<Taker>,
    ) -> Result<Became, ActionError> {
        let what = || safe!("Call{:#}", key);
        let (emergency, read_at) = {
            let seen = self
                .look(server, move |world| {
                    let known = world.emergencies.get(&key).filter(|_| !world.is_over(subject)).cloned();
                    (known, world.listed.calls)
                })
                .await?;
            let (Some(known), read_at) = seen else { return Err(ActionError::Over { what: what(), redrawn: false }) };
            (known, read_at)
        };
        let Some(number) = emergency.cad_number(key) else { return Err(ActionError::Over { what: what(), redrawn: false }) };
        let takers: Vec<(String, Ident)> = takers.into_iter().flatten().collect();
        let Deps { actor, clock, refresh, reads, .. } = &self.0.deps;
        let (now, made_of) = (clock.now(), &self.0.made_of);
        let attempt = made_of.of(server, subject, now);
        let read_since = |from: UnixMs| read_at.is_some_and(|read| read >= from);
        let refused = match attempt {
            Some(Creation::Made(call, _)) => return self.join_call_of(granted, server, number, subject, call, &takers).await,
            // If the CAD is never read, only time can settle it.
            Some(Creation::OutcomeUnknown(at)) => {
                let settled = if *reads { read_since(at.plus(GRACE).plus_ms(1)) } else { now.since(at) >= BELIEVED };
                (!settled).then(|| ActionError::PreviousOutcomeUnknown { what: safe!("call{:#}", key) })
            }
            None => {
                let waits = *reads && made_of.before_us(subject).is_some_and(|from| !read_since(from));
                waits.then(|| ActionError::NotReadYet { what: safe!("call{:#}", key) })
            }
        };
        if let Some(refused) = refused {
            refresh.request(server, Reason::Recheck);
            return Err(refused);
        }
        let mut accounts: Vec<String> = takers.iter().map(|(account, _)| account.clone()).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let made = actor.create_dispatch(granted, server, &of(&emergency, number, accounts, now)).await;
        let key_of = (server, subject);
        match &made {
            // From when it was given up: until then the CAD may have been processing it, and reads meanwhile say nothing.
            Err(error) if error.is_outcome_unknown() => made_of.lock().insert(key_of, Creation::OutcomeUnknown(clock.now())),
            Err(_) => made_of.lock().remove(&key_of),
            Ok(made) => view::number(made).and_then(|call| made_of.lock().insert(key_of, Creation::Made(call, clock.now()))),
        };
        let made = self.doubted(server, made)?;
        let Some(call) = view::number(&made) else {
            made_of.lock().insert(key_of, Creation::OutcomeUnknown(clock.now()));
            refresh.request(server, Reason::Recheck);
            return Err(RestError::outcome_unknown(&RestError::Unreadable).into());
        };
        self.commit_event(server, SyntheticEvent::made(&made)).await;
        let left = self.remove_taken(granted, server, number, call).await;
        if matches!(left, Left::Unconfirmed) {
            // People waited for an answer that didn't come: further requests would take as long.
            let attached = idents(&made);
            return Ok(Became { call, served: attached.clone(), attached, left });
        }
        self.carry_notes(granted, server, key, call, emergency.notes.len()).await;
        let (attached, served) = self.attach_missing(granted, server, call, idents(&made), &takers).await;
        Ok(Became { call, attached, served, left })
    }

    /// A call was created from it already, and it still waits: the world couldn't be updated, or it wasn't removed.
    async fn join_call_of(
        &self,
        granted: &Granted,
        server: ServerId,
        number: CallId,
        subject: Subject,
        call: CallId,
        takers: &[(String, Ident)],
    ) -> Result<Became, ActionError> {
        let idents: Vec<Ident> = takers.iter().map(|(_, ident)| *ident).collect();
        let asked = match idents.as_slice() {
            [] => Ok(Vec::new()),
            _ => self.attach_all(granted, server, call, idents).await,
        };
        let attached = match asked {
            Ok(attached) => attached,
            Err(error @ RestError::NotThere { .. }) => {
                // It was closed meanwhile, or none of them is on duty any more.
                let closed =
                    self.look(server, move |world| view::dispatch_named(world, call).is_some_and(|(_, open)| open.is_none())).await?;
                if closed {
                    self.0.made_of.lock().remove(&(server, subject));
                }
                return self.doubted(server, Err(error));
            }
            answer => self.doubted(server, answer)?,
        };
        if !attached.is_empty() {
            self.commit_event(server, SyntheticEvent::attached(call, &attached)).await;
        }
        let left = self.remove_taken(granted, server, number, call).await;
        Ok(Became { call, served: attached.clone(), attached, left })
    }

    /// Removes a 911 from which a call was created.
    async fn remove_taken(&self, granted: &Granted, server: ServerId, number: CallId, call: CallId) -> Left {
        match self.0.deps.actor.remove_911(granted, server, number).await {
            Ok(()) => {
                self.commit_event(server, SyntheticEvent::emergency_removed(number)).await;
                Left::Removed
            }
            Err(error) => {
                tracing::warn!(%server, %number, %call, %error, "a 911 became a call, and could not be removed");
                self.0.deps.refresh.request(server, Reason::Recheck);
                match error {
                    RestError::NotThere { .. } => Left::Gone,
                    error if error.is_outcome_unknown() => Left::Unconfirmed,
                    _ => Left::Stands,
                }
            }
        }
    }

    /// Notes that were written on the 911's card while the call was being created go into the call too. Once the world knows the call, the
    /// 911 accepts no more.
    async fn carry_notes(&self, granted: &Granted, server: ServerId, key: CallId, call: CallId, sent: usize) {
        let notes = self.look(server, move |world| world.emergencies.get(&key).map(|known| known.notes.clone())).await;
        for note in notes.ok().flatten().unwrap_or_default().into_iter().skip(sent) {
            let label = note.label.as_deref().unwrap_or("Discord");
            match self.0.deps.actor.add_note(granted, server, call, &note.content, label).await {
                Ok(_) => drop(self.commit_event(server, SyntheticEvent::noted(call, label, &note.content, self.0.deps.clock.now())).await),
                Err(error) => tracing::warn!(%server, %call, %error, "a note on a 911 did not come into the call that was made of it"),
            }
        }
    }

    /// The CAD attaches its selected identifier; another one may be on duty here. Returns all who are attached, and the responders who are.
    async fn attach_missing(
        &self,
        granted: &Granted,
        server: ServerId,
        call: CallId,
        mut attached: Vec<Ident>,
        takers: &[(String, Ident)],
    ) -> (Vec<Ident>, Vec<Ident>) {
        let there = attached.clone();
        let accounts = self.look(server, move |world| view::accounts_of(world, &there)).await.unwrap_or_default();
        let is_on_it = |(account, ident): &&(String, Ident), attached: &[Ident]| {
            attached.contains(ident) || accounts.iter().any(|known| known.eq_ignore_ascii_case(account))
        };
        let mut missing: Vec<Ident> = takers.iter().filter(|taker| !is_on_it(taker, &attached)).map(|(_, ident)| *ident).collect();
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            match self.0.deps.actor.attach(granted, server, call, &UnitSelector::Idents(missing)).await {
                Ok(more) if !more.is_empty() => {
                    self.commit_event(server, SyntheticEvent::attached(call, &more)).await;
                    attached.extend(more);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%server, %call, %error, "somebody could not be attached to the call made of a 911"),
            }
        }
        let served = takers.iter().filter(|taker| is_on_it(taker, &attached)).map(|(_, ident)| *ident).collect();
        (attached, served)
    }
}

fn idents(made: &crate::cad::rest::Object) -> Vec<Ident> {
    let listed = made.get("idents").and_then(serde_json::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    listed.iter().filter_map(|ident| ident.as_i64().or_else(|| ident.as_str()?.parse().ok())).map(Ident).collect()
}

fn call_it_became(world: &Server, subject: Subject) -> Option<Subject> {
    let Subject::Emergency(key, at) = subject else { return None };
    let call = world.emergencies.get(&key).filter(|known| known.opened_at == at)?.became?;
    let call = world.dispatches.get(&call).filter(|call| call.closed_at.is_none())?;
    Some(Subject::Dispatch(call.id, call.opened_at))
}

/// The dispatch call to create from a 911: all its fields, and where it came from.
fn of(emergency: &Emergency, number: CallId, accounts: Vec<String>, now: UnixMs) -> NewDispatch {
    let call = &emergency.call;
    let meta = |key: &str| call.meta.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.trim().to_owned());
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let mut all: BTreeMap<String, String> = call.meta.clone().into_iter().collect();
    all.insert("origin911".to_owned(), number.to_string());
    all.insert("createdFromId".to_owned(), number.to_string());
    let caller = filled(call.caller.clone()).map(|caller| NewNote {
        time: Some(iso(now)),
        label: "Caller".to_owned(),
        content: caller.trim().to_owned(),
    });
    let noted = emergency.notes.iter().map(|note| NewNote {
        time: note.time.clone().or_else(|| Some(iso(now))),
        label: note.label.clone().unwrap_or_else(|| "Discord".to_owned()),
        content: note.content.clone(),
    });
    NewDispatch {
        origin: 0,
        status: 1,
        priority: meta("priority").and_then(|text| text.parse().ok()).filter(|n| (1..=3).contains(n)).unwrap_or(USUAL_PRIORITY),
        title: title(call.description.as_deref(), call.is_emergency),
        block: filled(meta("block")),
        address: filled(call.location.clone()),
        postal: filled(meta("postal")),
        code: filled(meta("code")),
        description: filled(call.description.clone()),
        notes: caller.into_iter().chain(noted).collect(),
        accounts,
        meta: all,
        ..NewDispatch::default()
    }
}

/// The description in one line: the first sentence.
fn title(description: Option<&str>, is_emergency: bool) -> String {
    let line = description.unwrap_or_default().trim().lines().next().unwrap_or_default();
    let end = [". ", "! ", "? "].into_iter().filter_map(|stop| line.find(stop)).min();
    let sentence = end.and_then(|end| line.get(..end)).unwrap_or(line).trim_end_matches('.').trim();
    let title: String = sentence.chars().filter(|c| !c.is_control()).take(MAX_TITLE_CHARS).collect();
    match (title.trim(), is_emergency) {
        ("", true) => "Emergency call".to_owned(),
        ("", false) => "Civil call".to_owned(),
        (title, _) => title.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EmergencyCall, Event, Note};

    const AT: UnixMs = UnixMs(1_763_700_000_000);

    fn emergency(description: &str, meta: &[(&str, &str)]) -> Emergency {
        let call = EmergencyCall {
            id: Some(CallId(302)),
            is_emergency: true,
            caller: Some("Tessa Marlowe".into()),
            location: Some("Alta St".into()),
            description: Some(description.into()),
            meta: meta.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..EmergencyCall::default()
        };
        let mut world = Server::default();
        world.apply(&Event::EmergencyNew(call), AT);
        world.emergencies.remove(&CallId(302)).unwrap()
    }

    #[test]
    fn everything_the_911_says_is_in_the_call() {
        let mut known = emergency("Shots fired. Two men.", &[("Postal", "9001"), ("code", "10-71"), ("priority", "1"), ("x", "4.5")]);
        known.notes = vec![Note { time: None, label: Some("A-10 Doe".into()), kind: "text".into(), content: "gate 4 is open".into() }];
        let new = of(&known, CallId(302), vec!["uuid".into()], AT);
        assert_eq!((new.origin, new.status, new.priority, new.title.as_str()), (0, 1, 1, "Shots fired"));
        assert_eq!((new.address.as_deref(), new.postal.as_deref(), new.code.as_deref()), (Some("Alta St"), Some("9001"), Some("10-71")));
        assert_eq!(new.description.as_deref(), Some("Shots fired. Two men."));
        assert_eq!((new.meta["origin911"].as_str(), new.meta["createdFromId"].as_str(), new.meta["x"].as_str()), ("302", "302", "4.5"));
        let notes: Vec<(&str, &str)> = new.notes.iter().map(|note| (note.label.as_str(), note.content.as_str())).collect();
        assert_eq!(notes, [("Caller", "Tessa Marlowe"), ("A-10 Doe", "gate 4 is open")]);
        assert_eq!(new.accounts, ["uuid"]);
    }

    #[test]
    fn what_it_does_not_say_is_usual() {
        let new = of(&emergency("  ", &[("priority", "9"), ("postal", " ")]), CallId(302), Vec::new(), AT);
        assert_eq!((new.priority, new.title.as_str(), new.postal, new.description), (2, "Emergency call", None, None));
        assert_eq!(title(Some(&"x".repeat(500)), true).chars().count(), MAX_TITLE_CHARS);
        assert_eq!(title(Some("Is anybody there? Help"), true), "Is anybody there");
        assert_eq!(title(None, false), "Civil call");
    }
}
