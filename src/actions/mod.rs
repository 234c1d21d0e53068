//! What members do in the CAD from Discord: the only module that changes it.
//!
//! Decides with [`crate::authorization`] whether somebody may, makes the change, puts what was done into the intake as an event, and
//! returns one sentence for the person. Never sends a change before it is authorized, never repeats what may have been done already, and
//! never makes a person wait for somebody else's request if one request can serve both.
//!
//! ```text
//! Actor, CadAction ─▶ rule, account, permission, unit ─▶ is it still open? ─▶ coalesced with the same action of others ─▶ CAD
//!                           │ no                              │ no                                                        │
//!                           ▼                                 ▼                                                           ▼
//!                      ActionError                 ActionError, card updated            synthetic event ─▶ intake ─▶ card; a sentence
//! ```
//!
//! If the CAD doesn't confirm a change, the reader looks for it, and the person is told that the outcome is unknown.

mod account_refresh;
mod audit;
mod cad_action;
mod calls_made;
mod coalesce;
mod emergency;
mod error;
mod handle;
mod leave;
mod members;
mod panic;
mod queries;
mod rule;
mod synthetic_events;
mod view;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::authorization::{self, ActionRule, Granted, MemberFacts, Need, Permission, Refusal};
use crate::cad::rest::{Lookup, NewCustomDispatch, NewDispatch, NewEmergency, Object, Phase, RestError, Template, Turn, UnitSelector};
use crate::ids::{CallId, GuildId, Ident, ServerId};
use crate::ingest::{Look, Request};
use crate::outbox::{PostSubject, SubjectKey};
use crate::refresh::Reason;
use crate::render::text::{self, SafeText, safe};
use crate::world::{Server, Subject};

use members::KnownMember;
use rule::Ruled;
use synthetic_events::SyntheticEvent;
use view::{OwnUnit, named};

pub use cad_action::CadAction;
pub use error::ActionError;
use handle::AuthorizedMember;
pub use handle::{Actor, CadActions, Deps};
pub use view::{CardState, WhoAmI};

/// How long ingest may keep somebody waiting.
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer that took longer may be older than an event that came before it.
const SLOW: Duration = Duration::from_secs(2);
/// Longest note (characters); the CAD's own limit is not documented.
pub const MAX_NOTE_CHARS: usize = 900;
/// Each person may create one 911 in this time.
const BETWEEN_CALLS: Duration = Duration::from_secs(120);

impl CadActions {
    /// Reads a server's world.
    ///
    /// # Errors
    /// [`ActionError::Busy`].
    pub async fn look<T: Send + 'static>(
        &self,
        server: ServerId,
        look: impl FnOnce(&Server) -> T + Send + 'static,
    ) -> Result<T, ActionError> {
        let (look, seen) = Look::new(server, look);
        let asked = async {
            self.0.deps.requests.send(Request::Look(look)).await.map_err(|_| ActionError::Busy)?;
            seen.await.map_err(|_| ActionError::Busy)
        };
        tokio::time::timeout(PATIENCE, asked).await.map_err(|_| ActionError::Busy)?
    }

    /// The current state of a card's subject, for a panel of buttons.
    ///
    /// # Errors
    /// [`ActionError::Over`] if it is over or forgotten (its cards are rendered again), and errors of reading the world.
    pub async fn card(&self, guild: GuildId, server: ServerId, subject: Subject) -> Result<CardState, ActionError> {
        self.rule(guild)?;
        self.watched(server)?;
        let state = self.look(server, move |world| view::card_state(world, subject)).await?;
        match state {
            Some(state) => Ok(state),
            None => Err(self.over(guild, server, subject).await),
        }
    }

    /// Who somebody is in the CAD, and what they could do. Asks the CAD even if the answer is cached.
    ///
    /// # Errors
    /// As [`ActionError`] says.
    pub async fn who_am_i(&self, actor: &Actor, server: ServerId) -> Result<WhoAmI, ActionError> {
        self.found_out(actor, server).await.map_err(ActionError::of_a_question)
    }

    async fn found_out(&self, actor: &Actor, server: ServerId) -> Result<WhoAmI, ActionError> {
        let role = match self.ruled(actor, Permission::Account).await {
            Ok(_) => None,
            Err(ActionError::NotPermitted(refusal)) => Some(refusal),
            Err(other) => return Err(other),
        };
        let known = self.0.members.ask_again(actor.user).await?;
        let units = match &known.member {
            Some(member) => self.units(server, &member.account).await?,
            None => Vec::new(),
        };
        let idents: Vec<Ident> = units.iter().map(|unit| unit.ident).collect();
        let calls = self.look(server, move |world| view::calls_of(world, &idents)).await?;
        Ok(WhoAmI { member: known.member, role, units: units.into_iter().map(|unit| unit.name).collect(), calls })
    }

    /// Looks something up in the CAD.
    ///
    /// # Errors
    /// As [`ActionError`] says.
    pub async fn lookup(&self, actor: &Actor, what: &Lookup) -> Result<Vec<Object>, ActionError> {
        let server = self.0.deps.servers.first().copied().unwrap_or(ServerId(1));
        self.may(actor, server, Need { permission: Permission::Lookup, on_duty: None }).await?;
        self.0.deps.reader.lookup(what).await.map_err(ActionError::Unread)
    }

    /// The community's templates for dispatch calls, for somebody who may create calls.
    ///
    /// # Errors
    /// As [`ActionError`] says.
    pub async fn templates(&self, actor: &Actor) -> Result<Vec<Template>, ActionError> {
        let server = self.0.deps.servers.first().copied().unwrap_or(ServerId(1));
        self.may(actor, server, Need { permission: Permission::SelfDispatch, on_duty: None }).await?;
        self.0.deps.reader.templates().await.map_err(ActionError::Unread)
    }

    /// Whether somebody may do what needs `need`: checked before a form is filled in.
    ///
    /// # Errors
    /// As [`ActionError`] says.
    pub async fn may(&self, actor: &Actor, server: ServerId, need: Need) -> Result<(), ActionError> {
        self.permitted(actor, server, need).await.map(|_| ()).map_err(ActionError::of_a_question)
    }

    /// Runs the action; returns the result as a sentence for the person. Once begun it finishes, is reported and recorded, even if the
    /// person leaves.
    ///
    /// # Errors
    /// As [`ActionError`] says.
    pub async fn act(&self, actor: &Actor, server: ServerId, action: CadAction) -> Result<SafeText, ActionError> {
        let tasks = &self.0.deps.tasks;
        if tasks.is_draining() {
            return Err(ActionError::Stopping);
        }
        let (this, actor, in_hand) = (self.clone(), actor.clone(), tasks.in_hand());
        let (done, answer) = oneshot::channel();
        let turn = Turn::current();
        drop(tasks.spawn(async move {
            let outcome = Turn::carry(turn, this.attempt(&actor, server, action)).await;
            this.0.deps.metrics.cad_action(audit::outcome(&outcome));
            // A person who left needs no answer.
            done.send(outcome).ok();
            drop(in_hand);
        }));
        answer.await.unwrap_or(Err(ActionError::Busy))
    }

    async fn attempt(&self, actor: &Actor, server: ServerId, action: CadAction) -> Result<SafeText, ActionError> {
        self.watched(server)?;
        let who = self.permitted(actor, server, action.need(server)).await?;
        let began = Instant::now();
        let done = self.perform(actor, &who, server, &action).await;
        if began.elapsed() > SLOW {
            // Events that arrived meanwhile may be newer than the answer.
            self.0.deps.refresh.request(server, Reason::Recheck);
        }
        let (user, word) = (actor.user, action.word());
        match &done {
            Ok(_) => tracing::info!(%user, %server, action = word, "done in the CAD"),
            Err(error) => tracing::info!(%user, %server, action = word, %error, "not done in the CAD"),
        }
        self.write_down(actor, server, &action, &done).await;
        done
    }

    async fn perform(&self, actor: &Actor, who: &AuthorizedMember, server: ServerId, action: &CadAction) -> Result<SafeText, ActionError> {
        match action {
            CadAction::Respond(subject @ Subject::Emergency(..)) => self.take_911(actor, who, server, *subject, true).await,
            CadAction::Respond(subject) => self.respond(actor, who, server, *subject).await,
            CadAction::Dispatch(call) => {
                let subject = self.waiting(actor, server, *call).await?;
                self.take_911(actor, who, server, subject, false).await
            }
            CadAction::Leave => self.leave(who, server, None).await,
            CadAction::LeaveCall(subject) => self.leave_call(actor, who, server, *subject).await,
            CadAction::Note(subject, note) => self.note(actor, who, server, *subject, note).await,
            CadAction::Acknowledge(subject) => self.acknowledge(actor, server, *subject).await,
            CadAction::Edit(call, patch) => {
                let (subject, number) = self.open(actor, server, *call).await?;
                let edited = self.0.deps.actor.edit_dispatch(&who.granted, server, number, patch).await;
                let edited = self.answered(actor.guild, server, subject, edited).await?;
                self.commit_event(server, SyntheticEvent::edited(&edited)).await;
                Ok(safe!("✅ Call #{} is changed.", number))
            }
            CadAction::Postal(call, postal) => {
                let (subject, number) = self.open(actor, server, *call).await?;
                let set = self.0.deps.actor.set_postal(&who.granted, server, number, postal).await;
                self.answered(actor.guild, server, subject, set).await?;
                let postal = postal.clone();
                self.edited(server, subject, move |call| call.postal = Some(postal)).await;
                Ok(safe!("✅ Call #{} has its new postal.", number))
            }
            CadAction::Primary(call, ident) => {
                let (subject, number) = self.open(actor, server, *call).await?;
                let ident = *ident;
                let (name, on_it) = self.look(server, move |world| (named(world, ident), view::is_attached(world, subject, ident))).await?;
                if !on_it {
                    return Err(ActionError::NothingToDo(safe!(
                        "{} is not on call #{} any more, so nothing was sent: choose another.",
                        name,
                        number
                    )));
                }
                let set = self.0.deps.actor.set_primary(&who.granted, server, number, ident, false).await;
                self.answered(actor.guild, server, subject, set).await?;
                self.edited(server, subject, move |call| call.primary = Some(ident)).await;
                Ok(safe!("✅ {} is the primary unit of call #{}.", name, number))
            }
            CadAction::Close(call) => self.close(actor, who, server, *call).await,
            CadAction::Dismiss(call) => self.dismiss(actor, who, server, *call).await,
            CadAction::Assign(call, ident) => {
                let (subject, number) = self.open(actor, server, *call).await?;
                let ident = *ident;
                // Before anything is sent: an action must not go unrecorded because the name can't be found.
                let name = self.look(server, move |world| named(world, ident)).await?;
                self.attach(&who.granted, actor.guild, server, subject, number, ident).await?;
                Ok(safe!("✅ {} is attached to call #{}.", name, number))
            }
            CadAction::Unassign(call, ident) => {
                let (subject, number) = self.open(actor, server, *call).await?;
                let ident = *ident;
                let name = self.look(server, move |world| named(world, ident)).await?;
                let on_it = self.look(server, move |world| view::is_attached(world, subject, ident)).await?;
                if !on_it {
                    return Err(ActionError::NothingToDo(safe!("{} is not on call #{}: nothing was sent.", name, number)));
                }
                self.detach(who, actor.guild, server, subject, &[ident]).await?;
                Ok(safe!("✅ {} left call #{}.", name, number))
            }
            CadAction::Status(status) => self.status(who, server, *status).await,
            CadAction::Panic(on) => self.panic(who, server, *on).await,
            CadAction::PanicOver(subject) => self.panic_over(actor, who, server, *subject).await,
            CadAction::New(new, attached) => {
                let accounts = if *attached { vec![who.member.account.clone()] } else { Vec::new() };
                let made = self.0.deps.actor.create_dispatch(&who.granted, server, &NewDispatch { accounts, ..(**new).clone() }).await;
                self.made(server, made).await
            }
            CadAction::NewFromTemplate(new) => {
                // The CAD requires somebody on it.
                let target = UnitSelector::Account(who.member.account.clone());
                let made =
                    self.0.deps.actor.create_custom_dispatch(&who.granted, server, &NewCustomDispatch { target, ..(**new).clone() }).await;
                self.made(server, made).await
            }
            CadAction::Call(new) => self.call(actor, who, server, new).await,
        }
    }

    // ---- authorization ----

    fn watched(&self, server: ServerId) -> Result<(), ActionError> {
        let said =
            || safe!("This bot does not watch server {} any more, so nothing was sent: tell this bot's operator if it should.", server);
        if self.0.deps.servers.contains(&server) { Ok(()) } else { Err(ActionError::NothingToDo(said())) }
    }

    async fn permitted(&self, actor: &Actor, server: ServerId, need: Need) -> Result<AuthorizedMember, ActionError> {
        self.ruled(actor, need.permission).await?;
        let mut known = self.0.members.known(actor.user).await?;
        // That may have taken minutes, in which the rule or the guild's link has changed.
        let Ruled { rule, roles } = self.ruled(actor, need.permission).await?;
        let actor = &Actor { roles, ..actor.clone() };
        loop {
            let (units, granted) = self.checked(&rule, actor, server, need, &known).await?;
            match (granted, known.member.clone()) {
                (Ok(granted), Some(member)) => return Ok(AuthorizedMember { member, units, granted: Arc::new(granted) }),
                (Ok(_), None) => return Err(Refusal::NotLinked.into()),
                // Cached facts may be outdated: nobody is refused because of them. The units were read just now.
                (Err(refusal), _)
                    if !matches!(refusal, Refusal::NotOnDuty { .. })
                        && refusal.may_be_outdated()
                        && known.is_old(self.0.deps.clock.now()) =>
                {
                    known = self.0.members.ask_again(actor.user).await?;
                    if known.is_old(self.0.deps.clock.now()) {
                        return Err(refusal.into());
                    }
                }
                (Err(refusal), _) => return Err(refusal.into()),
            }
        }
    }

    /// The units somebody could act as, and whether they may.
    async fn checked(
        &self,
        rule: &ActionRule,
        actor: &Actor,
        server: ServerId,
        need: Need,
        known: &KnownMember,
    ) -> Result<(Vec<OwnUnit>, Result<Granted, Refusal>), ActionError> {
        let member = known.member.as_ref();
        let facts = |units| MemberFacts { roles: &actor.roles, member, units };
        // If somebody is refused anyway, a request for their units is wasted.
        if let Err(refusal) = authorization::check(rule, facts(1), need) {
            return Ok((Vec::new(), Err(refusal)));
        }
        let units = match (need.on_duty, member) {
            (Some(server), Some(member)) => self.units(server, &member.account).await?,
            // For the name under a note, if there is one.
            (None, Some(member)) => self.known_units(server, &member.account).await?,
            (_, None) => Vec::new(),
        };
        let granted = authorization::authorize(&self.0.deps.community, server, rule, facts(units.len()), need);
        Ok((units, granted))
    }

    async fn known_units(&self, server: ServerId, account: &str) -> Result<Vec<OwnUnit>, ActionError> {
        let account = account.to_owned();
        self.look(server, move |world| view::units_of(world, &account)).await
    }

    /// An account's units on duty. If none is known, the CAD is asked: the bot may have started after their login.
    async fn units(&self, server: ServerId, account: &str) -> Result<Vec<OwnUnit>, ActionError> {
        let known = self.known_units(server, account).await?;
        if !known.is_empty() {
            return Ok(known);
        }
        let listed = self.0.members.units(server, account).await?;
        if listed.is_empty() {
            return Ok(Vec::new());
        }
        // The answer is about this account, whether it says so or not.
        let listed: Vec<Object> = listed.into_iter().map(|unit| view::of_account(unit, account)).collect();
        self.commit_event(server, SyntheticEvent::units(&listed)).await;
        self.known_units(server, account).await
    }

    // ---- the actions ----

    async fn respond(&self, actor: &Actor, who: &AuthorizedMember, server: ServerId, subject: Subject) -> Result<SafeText, ActionError> {
        let Some(unit) = who.unit() else { return Err(Refusal::NotOnDuty { server }.into()) };
        let (ident, name) = (unit.ident, text::line(&unit.name, 60));
        let Subject::Dispatch(call, _) = subject else {
            return Err(ActionError::NothingToDo(SafeText::constant("There is no call to attach to here: nothing was sent.")));
        };
        let number = match self.look(server, move |world| view::open_number(world, subject)).await? {
            Some(number) => number,
            None => return Err(self.over(actor.guild, server, subject).await),
        };
        if self.look(server, move |world| view::is_attached(world, subject, ident)).await? {
            return Err(ActionError::NothingToDo(safe!("{} is on call #{} already: nothing was sent.", name, call)));
        }
        self.attach(&who.granted, actor.guild, server, subject, number, ident).await?;
        Ok(safe!("🚓 {} is attached to call #{}.", name, number))
    }

    /// Attaches a unit, together with all others that are to be attached at this moment. Each was authorized before; the request uses the
    /// grant of the first.
    async fn attach(
        &self,
        granted: &Arc<Granted>,
        guild: GuildId,
        server: ServerId,
        subject: Subject,
        number: CallId,
        ident: Ident,
    ) -> Result<(), ActionError> {
        let (this, granted) = (self.clone(), Arc::clone(granted));
        let work = move |mut idents: Vec<Ident>| async move {
            idents.sort_unstable();
            idents.dedup();
            let attached = this.attach_all(&granted, server, number, idents).await?;
            if !attached.is_empty() {
                this.commit_event(server, SyntheticEvent::attached(number, &attached)).await;
            }
            Ok(attached)
        };
        let joined = self.0.attaching.join(&self.0.deps.tasks, (server, number), ident, work);
        // Done for several people at once, in nobody's turn: each sees the wait.
        let phase = if self.0.deps.actor.attaching_waits() { Phase::Queued } else { Phase::Working };
        let done = Turn::during(phase, joined).await.ok_or(ActionError::Busy)?;
        if matches!(done, Err(RestError::NotThere { .. })) {
            self.0.deps.refresh.request(server, Reason::Recheck);
            // Of a call that is over, or of units that all went off duty: the CAD's answer is the same (it is not documented).
            return match self.look(server, move |world| world.is_over(subject)).await? {
                true => Err(self.over(guild, server, subject).await),
                false => Err(ActionError::NobodyToAttach { call: number }),
            };
        }
        let attached = self.doubted(server, done)?;
        if attached.contains(&ident) {
            return Ok(());
        }
        self.0.deps.refresh.request(server, Reason::Recheck);
        let name = self.look(server, move |world| named(world, ident)).await?;
        Err(ActionError::NoEffect(safe!("The CAD did not attach {}: it may have gone off duty, so look in the CAD and try again.", name)))
    }

    /// One request for all. If the CAD doesn't know one of several, the others must not be affected: then each is sent alone.
    async fn attach_all(&self, granted: &Granted, server: ServerId, number: CallId, idents: Vec<Ident>) -> Result<Vec<Ident>, RestError> {
        let cad = &self.0.deps.actor;
        match cad.attach(granted, server, number, &UnitSelector::Idents(idents.clone())).await {
            Err(RestError::NotThere { .. }) if idents.len() > 1 => {}
            answer => return answer,
        }
        let mut attached = Vec::new();
        let mut refused = None;
        for ident in idents {
            match cad.attach(granted, server, number, &UnitSelector::Idents(vec![ident])).await {
                Ok(more) => attached.extend(more),
                Err(error) => {
                    let is_silence = error.is_silence();
                    refused = Some(error);
                    if is_silence {
                        // Each of the others would wait as long, and people with it.
                        break;
                    }
                }
            }
        }
        match refused {
            Some(error) if attached.is_empty() => Err(error),
            _ => Ok(attached),
        }
    }

    async fn note(
        &self,
        actor: &Actor,
        who: &AuthorizedMember,
        server: ServerId,
        subject: Subject,
        note: &str,
    ) -> Result<SafeText, ActionError> {
        let note = note.trim();
        if note.is_empty() {
            return Err(ActionError::NothingToDo(SafeText::constant("An empty note was not sent.")));
        }
        if note.chars().count() > MAX_NOTE_CHARS {
            return Err(ActionError::NothingToDo(safe!("A note has at most {} characters: shorten it and send it again.", MAX_NOTE_CHARS)));
        }
        let number = match self.look(server, move |world| view::open_number(world, subject)).await? {
            Some(number) => number,
            None => return Err(self.over(actor.guild, server, subject).await),
        };
        let (label, now) = (who.label(), self.0.deps.clock.now());
        if let Subject::Emergency(..) = subject {
            // The CAD has no notes on these: the bot stores it, and puts it into the dispatch call that it creates.
            if !self.commit_event(server, SyntheticEvent::emergency_noted(number, &label, note, now)).await {
                return Err(ActionError::Store);
            }
            // It became a call at this very moment: the note isn't on it.
            if self.look(server, move |world| world.is_over(subject)).await? {
                return Err(self.over(actor.guild, server, subject).await);
            }
            return Ok(SafeText::constant(
                "📝 Noted on the card. The CAD has no notes on calls that wait: whoever responds here takes it along.",
            ));
        }
        let noted = self.0.deps.actor.add_note(&who.granted, server, number, note, &label).await;
        self.answered(actor.guild, server, subject, noted).await?;
        self.commit_event(server, SyntheticEvent::noted(number, &label, note, now)).await;
        Ok(safe!("📝 Noted on call #{}, signed {}.", number, text::line(&label, 60)))
    }

    async fn acknowledge(&self, actor: &Actor, server: ServerId, subject: Subject) -> Result<SafeText, ActionError> {
        let (is_over, taken) = self.look(server, move |world| (world.is_over(subject), world.acknowledgement_of(subject))).await?;
        let by = match taken {
            Some(taken) => taken.by,
            None if is_over => return Err(self.over(actor.guild, server, subject).await),
            None => {
                if !self.commit_event(server, SyntheticEvent::acknowledged(subject, actor.user)).await {
                    return Err(ActionError::Store);
                }
                // Of two at once, the first acknowledges it. Nobody acknowledges something that is over by now.
                match self.look(server, move |world| world.acknowledgement_of(subject)).await? {
                    Some(taken) => taken.by,
                    None => return Err(self.over(actor.guild, server, subject).await),
                }
            }
        };
        if by == actor.user && taken.is_none() {
            Ok(SafeText::constant("🙋 It is yours: nobody else is called to it any more."))
        } else if by == actor.user {
            Err(ActionError::NothingToDo(SafeText::constant("You have taken this already.")))
        } else {
            Err(ActionError::NothingToDo(safe!("<@{}> has taken this already.", by)))
        }
    }

    async fn close(&self, actor: &Actor, who: &AuthorizedMember, server: ServerId, call: CallId) -> Result<SafeText, ActionError> {
        let (subject, number) = self.open(actor, server, call).await?;
        let key = (server, format!("close:{number}"));
        let closed = self
            .0
            .in_flight
            .run(key, || async {
                let closed = self.0.deps.actor.close(&who.granted, server, &[number]).await?;
                let closed = if closed.is_empty() { vec![number] } else { closed };
                self.commit_event(server, SyntheticEvent::closed(&closed)).await;
                Ok(closed.len())
            })
            .await;
        self.answered(actor.guild, server, subject, closed).await?;
        Ok(safe!("⬛ Call #{} is closed.", number))
    }

    async fn dismiss(&self, actor: &Actor, who: &AuthorizedMember, server: ServerId, call: CallId) -> Result<SafeText, ActionError> {
        let subject = self.waiting(actor, server, call).await?;
        let number = match self.look(server, move |world| view::open_number(world, subject)).await? {
            Some(number) => number,
            None => return Err(self.over(actor.guild, server, subject).await),
        };
        let key = (server, format!("dismiss:{number}"));
        let removed = self
            .0
            .in_flight
            .run(key, || async {
                self.0.deps.actor.remove_911(&who.granted, server, number).await?;
                self.commit_event(server, SyntheticEvent::emergency_removed(number)).await;
                Ok(1)
            })
            .await;
        self.answered(actor.guild, server, subject, removed).await?;
        Ok(safe!("☑️ Call #{} is dismissed.", number))
    }

    async fn status(&self, who: &AuthorizedMember, server: ServerId, status: i64) -> Result<SafeText, ActionError> {
        let idents = who.idents();
        let updated = self.0.deps.actor.set_status(&who.granted, server, &UnitSelector::Idents(idents.clone()), status).await;
        if self.doubted(server, updated)? == 0 {
            return Err(ActionError::NoEffect(SafeText::constant("The CAD changed no unit: go on duty there again, then try again.")));
        }
        self.commit_event(server, SyntheticEvent::status(&idents, status)).await;
        Ok(SafeText::constant("✅ Your status is set."))
    }

    async fn made(&self, server: ServerId, made: Result<Object, RestError>) -> Result<SafeText, ActionError> {
        let made = self.doubted(server, made)?;
        self.commit_event(server, SyntheticEvent::made(&made)).await;
        Ok(match view::number(&made) {
            Some(call) => safe!("🚔 Call #{} is made.", call),
            None => "🚔 The call is made.".into(),
        })
    }

    async fn call(&self, actor: &Actor, who: &AuthorizedMember, server: ServerId, new: &NewEmergency) -> Result<SafeText, ActionError> {
        if !self.rule(actor.guild)?.emergency {
            let said = "Placing calls from Discord is switched off here: somebody with Manage Server can switch it on with `/cad actions`.";
            return Err(ActionError::NothingToDo(said.into()));
        }
        let now = self.0.deps.clock.now();
        let before = {
            let mut called = self.0.called.lock().unwrap_or_else(PoisonError::into_inner);
            called.retain(|_, at| now.since(*at) < BETWEEN_CALLS);
            // Counted before it is sent: two forms submitted at once are one call.
            match called.get(&actor.user) {
                Some(at) => Some(*at),
                None => called.insert(actor.user, now),
            }
        };
        if let Some(at) = before {
            let left = BETWEEN_CALLS.saturating_sub(now.since(at)).as_secs().max(1);
            return Err(ActionError::NothingToDo(safe!("You placed a call a moment ago: wait {} s before the next one.", left)));
        }
        let made = self.0.deps.actor.create_911(&who.granted, server, new).await;
        if let Err(error) = &made
            && !error.is_outcome_unknown()
        {
            self.0.called.lock().unwrap_or_else(PoisonError::into_inner).remove(&actor.user);
        }
        let made = self.doubted(server, made)?;
        self.commit_event(server, SyntheticEvent::emergency_made(&made)).await;
        Ok(SafeText::constant("📞 Your call was placed. Stay where you are if it is safe."))
    }

    // ---- shared ----

    /// An open dispatch call, by our number.
    async fn open(&self, actor: &Actor, server: ServerId, call: CallId) -> Result<(Subject, CallId), ActionError> {
        let found = self.look(server, move |world| view::dispatch_named(world, call)).await?;
        match found {
            Some((subject, Some(number))) => Ok((subject, number)),
            Some((subject, None)) => Err(self.over(actor.guild, server, subject).await),
            None => Err(ActionError::NothingToDo(safe!(
                "There is no open call{:#} on server {}: `/call list` shows what is open.",
                call,
                server
            ))),
        }
    }

    /// A waiting 911, by our number.
    async fn waiting(&self, actor: &Actor, server: ServerId, call: CallId) -> Result<Subject, ActionError> {
        let found = self.look(server, move |world| view::emergency_named(world, call)).await?;
        match found {
            Some((subject, true)) => Ok(subject),
            Some((subject, false)) => Err(self.over(actor.guild, server, subject).await),
            None => Err(ActionError::NothingToDo(safe!("No call{:#} waits on server {}: `/call list` shows what does.", call, server))),
        }
    }

    /// It is over: its cards are sent again with their current state, since somebody saw an old one.
    async fn over(&self, guild: GuildId, server: ServerId, subject: Subject) -> ActionError {
        let what = match subject {
            Subject::Emergency(id, _) => safe!("Call{:#}", id),
            Subject::Dispatch(id, _) => safe!("Call{:#}", id),
            Subject::Panic(..) => "This panic".into(),
            Subject::Event(..) => "This page".into(),
        };
        let Deps { store, clock, scheduler, community, .. } = &self.0.deps;
        let about = SubjectKey { community: community.clone(), server, subject: PostSubject::Card(subject) };
        match store.show_again(guild, about, clock.now()).await {
            Ok(channels) => {
                channels.iter().for_each(|channel| scheduler.notify(*channel, community, false));
                ActionError::Over { what, redrawn: !channels.is_empty() }
            }
            Err(error) => {
                tracing::warn!(%error, "cards of something that is over could not be sent again");
                ActionError::Over { what, redrawn: true }
            }
        }
    }

    /// The CAD's error about a subject. If the CAD doesn't know it any more, it is over; the reader finds out how it ended.
    async fn answered<T>(
        &self,
        guild: GuildId,
        server: ServerId,
        subject: Subject,
        answer: Result<T, RestError>,
    ) -> Result<T, ActionError> {
        match answer {
            Err(RestError::NotThere { .. }) => {
                self.0.deps.refresh.request(server, Reason::Recheck);
                Err(self.over(guild, server, subject).await)
            }
            answer => self.doubted(server, answer),
        }
    }

    /// Searches for what may have been done all the same, and for what the CAD doesn't know any more.
    fn doubted<T>(&self, server: ServerId, answer: Result<T, RestError>) -> Result<T, ActionError> {
        if answer.as_ref().is_err_and(|error| error.is_outcome_unknown() || matches!(error, RestError::NotThere { .. })) {
            self.0.deps.refresh.request(server, Reason::Recheck);
        }
        Ok(answer?)
    }

    /// Sends a synthetic event, and waits until it is on disk. False if that fails: then the next read finds the change, if the CAD has it.
    async fn commit_event(&self, server: ServerId, synthetic: SyntheticEvent) -> bool {
        let Deps { intake, clock, refresh, .. } = &self.0.deps;
        let event = synthetic.event(server, clock.now());
        let committed = matches!(tokio::time::timeout(PATIENCE, intake.commit(event)).await, Ok(Ok(())));
        if !committed {
            tracing::warn!(%server, "an event about a change in the CAD could not be stored; the change is read from the CAD");
            refresh.request(server, Reason::Recheck);
        }
        committed
    }

    /// Sends a synthetic event for an edit whose answer lacks the whole call. It contains the whole call as known before: it may undo an
    /// event in between, so the CAD is read afterwards.
    async fn edited(&self, server: ServerId, subject: Subject, change: impl FnOnce(&mut crate::world::Dispatch) + Send + 'static) {
        let whole = self.look(server, move |world| view::whole(world, subject, change)).await;
        if let Ok(Some(whole)) = whole {
            self.commit_event(server, SyntheticEvent::edited(&whole)).await;
        }
        self.0.deps.refresh.request(server, Reason::Recheck);
    }
}
