//! Taking a 911 (contract e.3): the CAD has no call for it, so a dispatch call is made of it, then the 911 is removed. In this order nothing
//! is lost if the second step fails: the call stands twice, and people are told.
//!
//! ```text
//! waits ─▶ create dispatch ─┬─ refused, nothing sent ─▶ it still waits
//!                           ├─ not confirmed ─▶ unsure: nobody makes a second one until the CAD was read
//!                           └─ made ─▶ remove the 911 ─┬─ done ─▶ became a call
//!                                                      └─ failed ─▶ became a call, and is said to stand twice
//! ```

use std::collections::BTreeMap;

use super::members::BELIEVED;
use super::tell::{Told, iso};
use super::{Acting, Actor, Refused, Who, view};
use crate::cad::rest::{NewDispatch, NewNote, RestError, Target};
use crate::clock::UnixMs;
use crate::ids::{CallId, Ident, ServerId};
use crate::readings::Why;
use crate::world::{Emergency, GRACE, Server, Subject};

/// Longest title (characters): it is a line of a list.
const LONGEST_TITLE: usize = 80;
/// A call that says nothing of its priority.
const USUAL_PRIORITY: i64 = 2;

/// Somebody who takes it: account and unit; `None` to make the call with nobody on it.
pub(super) type Taker = Option<(String, Ident)>;

/// What became of it.
#[derive(Clone, Debug)]
pub(super) struct Became {
    call: CallId,
    attached: Vec<Ident>,
    left: Left,
}

/// What became of the 911 itself.
#[derive(Clone, Copy, Debug)]
enum Left {
    Removed,
    /// Somebody else removed it: they may have made a call of it too.
    Gone,
    Unconfirmed,
    Stands,
}

impl Left {
    /// What is added to the sentence.
    fn said(self) -> &'static str {
        match self {
            Self::Removed => "",
            Self::Gone => "\n⚠️ The 911 was removed in the CAD meanwhile: if somebody made a call of it too, close one of the two.",
            Self::Unconfirmed => "\n⚠️ The CAD did not confirm that the 911 itself is removed: if it still waits there, dismiss it there.",
            Self::Stands => "\n⚠️ The 911 itself could not be removed, so the CAD shows it twice: dismiss it there.",
        }
    }
}

impl Acting {
    /// Takes a 911, together with all others who do so at this moment.
    pub(super) async fn take_911(
        &self,
        actor: &Actor,
        who: &Who,
        server: ServerId,
        subject: Subject,
        respond: bool,
    ) -> Result<String, Refused> {
        let Subject::Emergency(key, _) = subject else { return Err(self.over(actor.guild, server, subject).await) };
        let unit = who.unit().filter(|_| respond);
        let taker = unit.map(|unit| (who.member.account.clone(), unit.ident));
        let this = self.clone();
        let work = move |takers: Vec<Taker>| async move { this.make_call_of(server, key, subject, takers).await };
        let done = self.0.taking.join(&self.0.outside.tasks, (server, key), taker, work).await.ok_or(Refused::Busy)?;
        let became = match done {
            // Somebody else was quicker, or it is gone.
            Err(Refused::Over { .. }) => return self.became_meanwhile(actor, who, server, subject, respond).await,
            other => other?,
        };
        let call = became.call;
        let said = match unit {
            Some(unit) if became.attached.contains(&unit.ident) => {
                format!("🚓 The 911 is call #{call} now, and {} is attached.", crate::render::text::line(&unit.name, 60))
            }
            Some(_) => format!("🚔 The 911 is call #{call} now, but the CAD did not attach you: press Respond on its card."),
            None => format!("🚔 The 911 is call #{call} now."),
        };
        Ok(format!("{said}{}", became.left.said()))
    }

    /// It is no 911 any more: who wanted to respond is attached to the call that it became.
    async fn became_meanwhile(
        &self,
        actor: &Actor,
        who: &Who,
        server: ServerId,
        subject: Subject,
        respond: bool,
    ) -> Result<String, Refused> {
        let became = self.look(server, move |world| call_it_became(world, subject)).await?;
        match became {
            Some(call) if respond => self.respond(actor, who, server, call).await,
            _ => Err(self.over(actor.guild, server, subject).await),
        }
    }

    async fn make_call_of(&self, server: ServerId, key: CallId, subject: Subject, takers: Vec<Taker>) -> Result<Became, Refused> {
        let what = || format!("911 #{key}");
        let (emergency, read_at) = {
            let seen = self
                .look(server, move |world| {
                    let known = world.emergencies.get(&key).filter(|_| !world.is_over(subject)).cloned();
                    (known, world.listed.calls)
                })
                .await?;
            let (Some(known), read_at) = seen else { return Err(Refused::Over { what: what(), redrawn: false }) };
            (known, read_at)
        };
        let Some(number) = emergency.cad_number(key) else { return Err(Refused::Over { what: what(), redrawn: false }) };
        let now = self.0.outside.clock.now();
        self.unsure().retain(|_, at| now.since(*at) < BELIEVED);
        let since = self.unsure().get(&(server, subject)).copied();
        if let Some(since) = since
            && read_at.is_none_or(|read| read <= since.plus(GRACE))
        {
            self.0.outside.wishes.wish(&self.0.outside.community, server, Why::Again);
            return Err(Refused::Unsure { what: what() });
        }
        let takers: Vec<(String, Ident)> = takers.into_iter().flatten().collect();
        let mut accounts: Vec<String> = takers.iter().map(|(account, _)| account.clone()).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let made = self.0.outside.cad.create_dispatch(server, &of(&emergency, number, accounts, now)).await;
        if made.as_ref().is_err_and(RestError::may_have_happened) {
            // From when it was given up: until then the CAD may have been on it, and what was read meanwhile says nothing.
            self.unsure().insert((server, subject), self.0.outside.clock.now());
        } else {
            self.unsure().remove(&(server, subject));
        }
        let made = self.doubted(server, made)?;
        let Some(call) = view::number(&made) else { return Err(RestError::Unreadable.into()) };
        self.tell(server, Told::made(&made)).await;
        let left = match self.0.outside.cad.remove_911(server, number).await {
            Ok(()) => {
                self.tell(server, Told::emergency_removed(number)).await;
                Left::Removed
            }
            Err(error) => {
                tracing::warn!(%server, %number, %call, %error, "a 911 became a call, and could not be removed");
                self.0.outside.wishes.wish(&self.0.outside.community, server, Why::Again);
                match error {
                    RestError::NotThere { .. } => Left::Gone,
                    error if error.may_have_happened() => Left::Unconfirmed,
                    _ => Left::Stands,
                }
            }
        };
        let mut attached = idents(&made);
        // The CAD attaches the identifier that is selected there; another one may be on duty here.
        let mut missing: Vec<Ident> = takers.iter().map(|(_, ident)| *ident).filter(|ident| !attached.contains(ident)).collect();
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            match self.0.outside.cad.attach(server, call, &Target::Idents(missing)).await {
                Ok(more) if !more.is_empty() => {
                    self.tell(server, Told::attached(call, &more)).await;
                    attached.extend(more);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%server, %call, %error, "somebody could not be attached to the call made of a 911"),
            }
        }
        Ok(Became { call, attached, left })
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

/// The dispatch call that a 911 is made into: everything that it says, and where it came from.
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

/// What happened, in one line: the first sentence.
fn title(description: Option<&str>, is_emergency: bool) -> String {
    let line = description.unwrap_or_default().trim().lines().next().unwrap_or_default();
    let end = [". ", "! ", "? "].into_iter().filter_map(|stop| line.find(stop)).min();
    let sentence = end.and_then(|end| line.get(..end)).unwrap_or(line).trim_end_matches('.').trim();
    let title: String = sentence.chars().filter(|c| !c.is_control()).take(LONGEST_TITLE).collect();
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
        assert_eq!(title(Some(&"x".repeat(500)), true).chars().count(), LONGEST_TITLE);
        assert_eq!(title(Some("Is anybody there? Help"), true), "Is anybody there");
        assert_eq!(title(None, false), "Civil call");
    }
}
