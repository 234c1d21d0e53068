//! From a change to the posts it wants: which channels, in which style, pinging whom. Pure: routes, world and memory in, drafts out.

use std::cell::{LazyCell, OnceCell};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::facts::{self, OwnedFacts};
use super::log_pages::LogPages;
use crate::clock::UnixMs;
use crate::event::{Event, PageNature, Priority, Topic};
use crate::ids::{ChannelId, CommunityId, GuildId, Ident, RoleId, RouteId, ServerId};
use crate::outbox::{DesiredPost, Lane, Place, PostKey};
use crate::render::{self, Embed, Labels, Message, Reply, Style, View};
use crate::route::{self, Filter, MatchedTarget, Occasion, Route, Threads, attention, targets};
use crate::store::{CardMemo, Guild, Routing};
use crate::world::{CardChange, CardPhase, Change, MomentKind, Server, Subject, TimelineEntry};

/// Which world.
#[derive(Clone, Copy)]
pub(super) struct Whose<'a> {
    pub(super) community: &'a CommunityId,
    pub(super) server: ServerId,
}

/// A call or panic is news for so long.
pub(super) const YOUNG: Duration = Duration::from_secs(600);

/// The posts whose subjects may still change: a card keeps the form it was created with, whatever became of its route.
#[derive(Debug, Default)]
pub(super) struct Memos(HashMap<(ServerId, Subject), BTreeMap<ChannelId, CardMemo>>);

impl Memos {
    pub(super) fn new(rows: Vec<(PostKey, CardMemo)>) -> Self {
        let mut memos = Self::default();
        for (key, memo) in rows {
            // Replies and lines have subjects of another form: they never change.
            if let Ok(subject) = key.subject.parse() {
                memos.0.entry((key.server, subject)).or_default().insert(key.channel, memo);
            }
        }
        memos
    }

    /// Guilds that are not served any more have no posts to bring up to date.
    pub(super) fn only_of(&mut self, is_served: impl Fn(GuildId) -> bool) {
        self.0.retain(|_, standing| {
            standing.retain(|_, memo| is_served(memo.guild));
            !standing.is_empty()
        });
    }

    pub(super) fn retain(&mut self, keep: impl Fn(ServerId, Subject) -> bool) {
        self.0.retain(|(server, subject), _| keep(*server, *subject));
    }
}

/// Why the existing cards of a subject are rendered again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RedrawCause {
    /// Something happened. If the subject is over, replies say so and its threads are archived.
    Change(CardPhase),
    /// The guild's labels changed, while the subject is open.
    Labels,
}

/// What is the same for all posts planned in a round.
#[derive(Clone, Copy)]
pub(super) struct PlanContext<'a> {
    pub(super) routes: &'a [Route],
    pub(super) guilds: &'a HashMap<GuildId, Guild>,
    /// When each route's role was pinged last.
    pub(super) pinged: &'a HashMap<RouteId, UnixMs>,
    /// When each route was made or changed, as far as that was lately.
    pub(super) rerouted: &'a HashMap<RouteId, UnixMs>,
    pub(super) community: &'a CommunityId,
    pub(super) server: ServerId,
    /// With the event already applied.
    pub(super) world: &'a Server,
    pub(super) at: UnixMs,
    /// Of the event: journal number and place in it.
    pub(super) number: (i64, u32),
}

impl<'a> PlanContext<'a> {
    /// For posts that are due because of time or settings, not because of an event.
    pub(super) fn without_event(
        routing: &'a Routing,
        (pinged, rerouted): (&'a HashMap<RouteId, UnixMs>, &'a HashMap<RouteId, UnixMs>),
        whose: Whose<'a>,
        world: &'a Server,
        at: UnixMs,
    ) -> Self {
        let Whose { community, server } = whose;
        Self { routes: &routing.routes, guilds: &routing.guilds, pinged, rerouted, community, server, world, at, number: (0, 0) }
    }
}

/// Plans the posts of one event.
pub(super) struct PostPlanner<'a> {
    context: PlanContext<'a>,
    memos: &'a mut Memos,
    pages: &'a mut LogPages,
    drafts: &'a mut Vec<DesiredPost>,
    /// Routes whose role is pinged by what was planned.
    pub(super) pings: Vec<RouteId>,
    /// Counts what was written into threads: part of its name.
    notes: u32,
}

impl<'a> std::ops::Deref for PostPlanner<'a> {
    type Target = PlanContext<'a>;

    fn deref(&self) -> &PlanContext<'a> {
        &self.context
    }
}

/// What decides who gets an alert about a subject, and how urgently.
pub(super) struct AlertContext<'e> {
    pub(super) topic: Topic,
    priority: Option<Priority>,
    urgent: bool,
    lane: Lane,
    about: About<'e>,
}

/// Where an alert's facts are gathered, once a route's filter asks for them: most routes have none.
#[derive(Clone, Copy)]
enum About<'e> {
    Subject(Subject),
    Unit(Ident),
    Event(&'e Event),
}

impl<'a> PostPlanner<'a> {
    pub(super) fn new(context: PlanContext<'a>, memos: &'a mut Memos, pages: &'a mut LogPages, drafts: &'a mut Vec<DesiredPost>) -> Self {
        Self { context, memos, pages, drafts, pings: Vec::new(), notes: 0 }
    }

    /// Plans the posts of one change.
    pub(super) fn change(&mut self, change: &Change) {
        match change {
            Change::Card { subject, change, phase } => self.card(*subject, *change, *phase),
            Change::Duty { ident, on, after } => {
                self.line(Topic::Duty, *ident, |view| render::duty(*ident, *on, *after, view.now, view));
            }
            Change::Status { ident, from, to } => {
                self.line(Topic::Status, *ident, |view| render::status(*ident, *from, *to, view.now, view));
            }
            Change::Note { subject, note } => {
                self.in_threads(*subject, |view| render::note(note, *subject, view.now, view), true);
            }
            Change::Attach { subject, ident, on } => {
                let Subject::Dispatch(call, _) = *subject else { return };
                // A thread that begins with the first note is not begun by a unit.
                let noted = self.world.dispatches.get(&call).is_some_and(|call| !call.notes.is_empty());
                self.in_threads(*subject, |view| render::attachment(*ident, *on, call, view.now, view), noted);
            }
        }
    }

    /// Plans the post of an event that changes no card.
    pub(super) fn event(&mut self, event: &Event) {
        let Some(alert) = self.standing(event) else { return };
        let subject = Subject::Event(self.number.0, self.number.1).to_string();
        // A forum takes cards of calls only.
        for target in self.targets(&alert).into_iter().filter(|target| !target.forum) {
            // Of what is never worth more than a line, a line is made.
            let style = if alert.topic == Topic::Other { line_style(target.style) } else { target.style };
            let Some(mut message) = render::event(event, self.at, &self.view(target.guild, style, &target.roles, false)) else { continue };
            message.silent |= target.silent;
            if style == Style::Log {
                self.append(&target, message);
            } else {
                self.pings.extend(&target.pinged);
                self.push(&target, Post::new(alert.lane, subject.clone()), message);
            }
        }
    }

    /// Plans a test: what a real event of this kind would make, said to be a test, and remembered nowhere.
    pub(super) fn test(&mut self, event: &Event, changes: &[Change], full: bool) {
        let subject = format!("test:{}.{}", self.number.0, self.number.1);
        let roles = |target: &MatchedTarget| if full { target.roles.clone() } else { Vec::new() };
        let mut made: Vec<(MatchedTarget, Message)> = Vec::new();
        for change in changes {
            match *change {
                Change::Card { subject, change: CardChange::Created, .. } => {
                    let Some(alert) = self.alert(subject) else { continue };
                    for target in self.targets(&alert) {
                        let roles = roles(&target);
                        let message = render::card(subject, &self.view(target.guild, target.style, &roles, true));
                        made.extend(message.map(|m| (MatchedTarget { roles, ..target }, m)));
                    }
                }
                Change::Duty { ident, on, after } => {
                    for target in self.targets(&plain(Topic::Duty, About::Unit(ident))) {
                        let view = self.view(target.guild, target.style, &[], true);
                        made.extend(render::duty(ident, on, after, self.at, &view).map(|m| (target, m)));
                    }
                }
                Change::Status { ident, from, to } => {
                    for target in self.targets(&plain(Topic::Status, About::Unit(ident))) {
                        let view = self.view(target.guild, target.style, &[], true);
                        made.extend(render::status(ident, from, to, self.at, &view).map(|m| (target, m)));
                    }
                }
                Change::Card { .. } | Change::Note { .. } | Change::Attach { .. } => {}
            }
        }
        if let Some(alert) = self.standing(event) {
            for target in self.targets(&alert) {
                let roles = roles(&target);
                let message = render::event(event, self.at, &self.view(target.guild, target.style, &roles, true));
                made.extend(message.map(|m| (MatchedTarget { roles, ..target }, m)));
            }
        }
        for (nth, (target, message)) in made.into_iter().enumerate() {
            let place = place_of(&target);
            self.push(&target, Post { place, ..Post::new(Lane::New, format!("{subject}.{nth}")) }, message);
        }
    }

    /// Brings every card of a subject to what the world says.
    fn card(&mut self, subject: Subject, change: CardChange, phase: CardPhase) {
        let created = change == CardChange::Created;
        let over = phase == CardPhase::Over;
        let Some(alert) = self.alert(subject) else { return };
        let memo_key = (self.server, subject);
        let mut standing = self.memos.0.remove(&memo_key).unwrap_or_default();
        self.redraw(subject, &standing, RedrawCause::Change(phase));
        let raised = !created && self.just_raised(subject);
        if (raised || created) && !over {
            let said =
                |view: &View<'_>| if raised { render::reply(Reply::Raised, subject, view) } else { render::announcement(subject, view) };
            self.call_to(subject, &alert, &standing, said);
        }
        // What was over before it was ever shown is not worth a message.
        if !over || created {
            let called: Vec<RoleId> = standing.values().flat_map(|memo| memo.roles.iter().copied()).collect();
            for mut target in self.targets(&alert).into_iter().filter(|target| !target.forum || alert.topic != Topic::Pager) {
                if !standing.contains_key(&target.channel) {
                    // A 911 that arrives after the call that was created from it pings nobody anymore.
                    let news = (created && !over) || raised;
                    let fresh = news || self.newly_admitted(subject, &target);
                    if !news {
                        // Who was called by a card in another channel knows.
                        target.roles.retain(|role| !called.contains(role));
                    }
                    let memo = self.first_card(subject, target, &alert, phase, fresh);
                    standing.extend(memo);
                }
            }
        }
        if !standing.is_empty() {
            self.memos.0.insert(memo_key, standing);
        }
    }

    /// A card where none stands yet. `fresh`: it is news; otherwise we joined late, or the route is new, and nobody is called to it.
    fn first_card(
        &mut self,
        subject: Subject,
        mut target: MatchedTarget,
        alert: &AlertContext<'_>,
        phase: CardPhase,
        fresh: bool,
    ) -> Option<(ChannelId, CardMemo)> {
        let over = phase == CardPhase::Over;
        if !fresh {
            target.roles.clear();
            target.pinged.clear();
        }
        let mut message = render::card(subject, &self.view(target.guild, target.style, &target.roles, false))?;
        message.silent |= !fresh || target.silent;
        if matches!(subject, Subject::Event(..)) && target.style == Style::Log {
            // A line among lines: nobody takes anything there.
            self.append(&target, message);
            return None;
        }
        let text = subject.to_string();
        let place = place_of(&target);
        let memo = CardMemo { guild: target.guild, style: target.style, roles: target.roles.clone(), place, threads: target.threads };
        self.pings.extend(&target.pinged);
        self.push(&target, Post { place, over, ..Post::new(alert.lane, text.clone()) }, message);
        if place == Place::Channel && target.threads == Threads::Always && !over {
            let message = render::thread_opening(subject, &self.view(target.guild, target.style, &[], false));
            self.push(
                &target,
                Post { place: Place::Thread, parent: Some(text.clone()), ..Post::new(Lane::Log, format!("{text}#thread")) },
                message,
            );
        }
        Some((target.channel, memo))
    }

    /// The cards that stand already, also those whose route was removed since.
    pub(super) fn redraw(&mut self, subject: Subject, standing: &BTreeMap<ChannelId, CardMemo>, cause: RedrawCause) {
        let over = cause == RedrawCause::Change(CardPhase::Over);
        let text = subject.to_string();
        for (channel, memo) in standing {
            let target = remembered(*channel, memo);
            let Some(message) = render::card(subject, &self.view(memo.guild, memo.style, &memo.roles, false)) else { continue };
            let title = message.title();
            self.push(&target, Post { place: memo.place, over, ..Post::new(Lane::Edit, text.clone()) }, message);
            if !over {
                continue;
            }
            if let Subject::Panic(..) = subject
                && let Some(message) = render::reply(Reply::PanicOver, subject, &self.view(memo.guild, memo.style, &[], false))
            {
                let reply =
                    Post { place: reply_place(memo.place), parent: Some(text.clone()), ..Post::new(Lane::New, format!("{text}#over")) };
                self.push(&MatchedTarget { roles: Vec::new(), ..target.clone() }, reply, message);
            }
            if memo.place == Place::Forum || memo.threads != Threads::Off {
                // The time makes it a new post if the call is reopened and ends once more.
                let embed = Embed { title, timestamp: Some(self.at), ..Embed::default() };
                let archive = Post { place: Place::Archive, parent: Some(text.clone()), ..Post::new(Lane::Log, format!("{text}#archive")) };
                self.push(&target, archive, Message { embeds: vec![embed], ..Message::default() });
            }
        }
    }

    /// Plans edits of a guild's open cards: its labels have changed.
    pub(super) fn redraw_for(&mut self, guild: GuildId, is_over: impl Fn(Subject) -> bool) {
        let server = self.server;
        let of_guild = |(known, subject): (&(ServerId, Subject), &BTreeMap<ChannelId, CardMemo>)| {
            let standing: BTreeMap<ChannelId, CardMemo> =
                subject.iter().filter(|(_, memo)| memo.guild == guild).map(|(channel, memo)| (*channel, memo.clone())).collect();
            (known.0 == server && !standing.is_empty()).then_some((known.1, standing))
        };
        let cards: Vec<_> = self.memos.0.iter().filter_map(of_guild).collect();
        for (subject, standing) in cards {
            if self.world.knows(subject) && !is_over(subject) {
                self.redraw(subject, &standing, RedrawCause::Labels);
            }
        }
    }

    /// Writes into the threads of a subject's cards. `begins`: a thread that is not open yet may be opened for it.
    fn in_threads(&mut self, subject: Subject, said: impl Fn(&View<'_>) -> Option<Message>, begins: bool) {
        let memo_key = (self.server, subject);
        let Some(standing) = self.memos.0.get(&memo_key).cloned() else { return };
        let text = subject.to_string();
        for (channel, memo) in standing {
            let written = match memo.threads {
                Threads::Always => true,
                Threads::OnFirstNote => begins,
                Threads::Off => false,
            };
            if !written {
                continue;
            }
            let Some(mut message) = said(&self.view(memo.guild, Style::Card, &[], false)).filter(|_| memo.style != Style::Public) else {
                continue;
            };
            message.silent = true;
            self.notes += 1;
            let name = format!("{text}#note.{}.{}.{}", self.number.0, self.number.1, self.notes);
            let target = MatchedTarget { roles: Vec::new(), ..remembered(channel, &memo) };
            self.push(&target, Post { place: Place::Thread, parent: Some(text.clone()), ..Post::new(Lane::Log, name) }, message);
        }
    }

    /// Whether a filter kept a young subject out of the channel until now, because the first unit of a department was attached or a
    /// panicking unit's department became known. It is news there; not if the route was created or changed since, or if it isn't
    /// known when the subject began.
    fn newly_admitted(&self, subject: Subject, target: &MatchedTarget) -> bool {
        let Some(since) = subject.since().filter(|since| *since < self.at && self.at.since(*since) <= YOUNG) else { return false };
        let joined_late = match subject {
            Subject::Emergency(id, _) => self.world.emergencies.get(&id).is_some_and(|call| call.joined_late),
            Subject::Dispatch(id, _) => self.world.dispatches.get(&id).is_some_and(|call| call.joined_late),
            Subject::Panic(ident, at) => self.world.panics_of(ident, at).iter().any(|panic| panic.joined_late),
            Subject::Event(..) => false,
        };
        let kept_out = |id: &RouteId| {
            self.routes.iter().any(|route| route.id == *id && !route.spec.rule.filter.is_empty())
                && self.rerouted.get(id).is_none_or(|at| *at < since)
        };
        !joined_late && target.routes.iter().all(kept_out)
    }

    /// Whether this very event raised the call to the highest priority, and that is news.
    fn just_raised(&self, subject: Subject) -> bool {
        let Subject::Dispatch(id, _) = subject else { return false };
        let raised = |moment: &TimelineEntry| {
            moment.at == self.at
                && !moment.found_late
                && matches!(&moment.what, MomentKind::Priority { from, to: Some(Priority::Level(1)) } if *from != Some(Priority::Level(1)))
        };
        self.world.dispatches.get(&id).is_some_and(|call| call.closed_at.is_none() && call.timeline.iter().any(raised))
    }

    /// An edit calls nobody: what is worth a call after the card was made is said in a reply, once in a subject's life. That is a rise to
    /// the highest priority, and the creation itself if the card was made silently a moment before, since something overtook it. Roles that
    /// the card called are not called again.
    fn call_to(
        &mut self,
        subject: Subject,
        alert: &AlertContext<'_>,
        standing: &BTreeMap<ChannelId, CardMemo>,
        said: impl Fn(&View<'_>) -> Option<Message>,
    ) {
        let text = subject.to_string();
        for mut target in self.targets(alert) {
            // Where no card stands yet, the card itself calls.
            let Some(memo) = standing.get(&target.channel) else { continue };
            target.roles.retain(|role| !memo.roles.contains(role));
            if target.roles.is_empty() {
                continue;
            }
            if let Some(message) = said(&self.view(target.guild, memo.style, &target.roles, false)) {
                self.pings.extend(&target.pinged);
                let place = reply_place(memo.place);
                let lane = if alert.lane == Lane::New { Lane::Urgent } else { alert.lane };
                self.push(&target, Post { place, parent: Some(text.clone()), ..Post::new(lane, format!("{text}#call")) }, message);
            }
        }
    }

    fn line(&mut self, topic: Topic, ident: Ident, said: impl Fn(&View<'_>) -> Option<Message>) {
        for target in self.targets(&plain(topic, About::Unit(ident))).into_iter().filter(|target| !target.forum) {
            if let Some(mut message) = said(&self.view(target.guild, line_style(target.style), &[], false)) {
                message.silent |= target.silent;
                self.append(&target, message);
            }
        }
    }

    fn append(&mut self, target: &MatchedTarget, message: Message) {
        let place = (target.channel, self.server);
        let (subject, message) = self.pages.append(place, self.context.number, self.context.at, message);
        self.push(target, Post::new(Lane::Log, subject), message);
    }

    /// The cards of a subject, by channel.
    pub(super) fn standing_of(&self, subject: Subject) -> Option<BTreeMap<ChannelId, CardMemo>> {
        self.memos.0.get(&(self.server, subject)).cloned()
    }

    /// Whether a route makes no sound now.
    pub(super) fn is_silent(&self, route: &Route, alert: &AlertContext<'_>) -> bool {
        attention(route, &self.occasion(alert), &self.moment(route, facts::dispatcher_on_duty(self.world))).silent
    }

    pub(super) fn push(&mut self, target: &MatchedTarget, post: Post, message: Message) {
        // Two routes that meet in a channel made one target already: one subject, one post.
        self.drafts.push(DesiredPost {
            key: PostKey {
                channel: target.channel,
                community: self.context.community.clone(),
                server: self.context.server,
                subject: post.subject,
            },
            guild: target.guild,
            lane: post.lane,
            style: target.style,
            roles: target.roles.clone(),
            place: post.place,
            threads: target.threads,
            over: post.over,
            parent: post.parent,
            message,
            happened_at: self.context.at,
            event: match post.event {
                0 if post.lane == Lane::Panic => self.context.number.0,
                event => event,
            },
        });
    }

    fn occasion<'o>(&'o self, alert: &'o AlertContext<'_>) -> Occasion<'o> {
        Occasion {
            community: self.community,
            server: self.server,
            topic: alert.topic,
            priority: alert.priority.as_ref(),
            urgent: alert.urgent,
        }
    }

    fn moment<'m>(&'m self, route: &Route, dispatcher_on_duty: bool) -> route::AttentionFacts<'m> {
        route::AttentionFacts {
            now: self.at,
            dispatcher_on_duty,
            quiet: self.guilds.get(&route.guild).and_then(|guild| guild.quiet.as_ref()),
            // Of several subjects in one planner the first one's ping holds back the others'.
            last_ping: if self.pings.contains(&route.id) { Some(self.at) } else { self.pinged.get(&route.id).copied() },
        }
    }

    pub(super) fn targets(&self, alert: &AlertContext<'_>) -> Vec<MatchedTarget> {
        let occasion = self.occasion(alert);
        let facts: OnceCell<OwnedFacts> = OnceCell::new();
        let admits = |filter: &Filter| filter.is_empty() || filter.admits(&facts.get_or_init(|| self.facts(alert)).facts());
        let dispatcher_on_duty = LazyCell::new(|| facts::dispatcher_on_duty(self.world));
        targets(self.routes, &occasion, admits, |route| self.moment(route, *dispatcher_on_duty))
    }

    fn facts(&self, alert: &AlertContext<'_>) -> OwnedFacts {
        match alert.about {
            About::Subject(subject) => facts::of_subject(self.world, subject),
            About::Unit(ident) => facts::of_unit(self.world, ident, alert.topic),
            About::Event(event) => facts::of_event(self.world, event).unwrap_or_else(|| OwnedFacts::unknown(alert.topic)),
        }
    }

    pub(super) fn view<'v>(&'v self, guild: GuildId, style: Style, roles: &'v [RoleId], test: bool) -> View<'v> {
        let context: &'v PlanContext<'_> = &self.context;
        let labels = context.guilds.get(&guild).map_or_else(|| Labels::usual(), |guild| &guild.labels);
        let buttons = context.guilds.get(&guild).is_none_or(|guild| guild.action_rule.buttons);
        View { world: context.world, server: context.server, labels, style, roles, test, buttons, now: context.at }
    }

    pub(super) fn alert(&self, subject: Subject) -> Option<AlertContext<'static>> {
        let about = About::Subject(subject);
        match subject {
            Subject::Emergency(id, _) => {
                let call = &self.world.emergencies.get(&id)?.call;
                let (topic, lane) = if call.is_emergency { (Topic::Emergency, Lane::Urgent) } else { (Topic::Civil, Lane::New) };
                Some(AlertContext { topic, priority: facts::emergency_priority(call), urgent: false, lane, about })
            }
            Subject::Dispatch(id, _) => {
                let priority = self.world.dispatches.get(&id)?.priority.clone();
                let lane = if priority == Some(Priority::Level(1)) { Lane::Urgent } else { Lane::New };
                Some(AlertContext { topic: Topic::Dispatch, priority, urgent: false, lane, about })
            }
            Subject::Panic(..) => Some(AlertContext { lane: Lane::Panic, ..plain(Topic::Panic, about) }),
            Subject::Event(seq, nth) => {
                let urgent = self.world.pages.get(&(seq, nth))?.page.nature == PageNature::Emergency;
                Some(AlertContext { urgent, lane: if urgent { Lane::Urgent } else { Lane::New }, ..plain(Topic::Pager, about) })
            }
        }
    }

    /// What an event that stands for itself says; `None` for those that change a subject or a unit.
    fn standing<'e>(&self, event: &'e Event) -> Option<AlertContext<'e>> {
        let topic = event.topic()?;
        let about = About::Event(event);
        match topic {
            Topic::Station => Some(AlertContext { lane: Lane::Urgent, ..plain(topic, about) }),
            Topic::Record | Topic::Bolo | Topic::Tone | Topic::Other => Some(plain(topic, about)),
            Topic::Emergency | Topic::Civil | Topic::Panic | Topic::Dispatch | Topic::Pager | Topic::Duty | Topic::Status => None,
        }
    }
}

/// What a post is, beside its text.
pub(super) struct Post {
    pub(super) lane: Lane,
    pub(super) subject: String,
    pub(super) over: bool,
    pub(super) place: Place,
    pub(super) parent: Option<String>,
    /// See [`DesiredPost::event`].
    pub(super) event: i64,
}

impl Post {
    /// In the channel, and never to be changed.
    pub(super) fn new(lane: Lane, subject: String) -> Self {
        Self { lane, subject, over: true, place: Place::Channel, parent: None, event: 0 }
    }
}

/// The place of a card that stands.
fn remembered(channel: ChannelId, memo: &CardMemo) -> MatchedTarget {
    MatchedTarget {
        guild: memo.guild,
        channel,
        style: memo.style,
        roles: memo.roles.clone(),
        routes: Vec::new(),
        pinged: Vec::new(),
        silent: false,
        forum: memo.place == Place::Forum,
        threads: memo.threads,
    }
}

fn place_of(target: &MatchedTarget) -> Place {
    if target.forum { Place::Forum } else { Place::Channel }
}

/// Where a card is answered: in a forum, in its own post.
pub(super) fn reply_place(card: Place) -> Place {
    if card == Place::Forum { Place::Thread } else { Place::Channel }
}

fn plain(topic: Topic, about: About<'_>) -> AlertContext<'_> {
    AlertContext { topic, priority: None, urgent: false, lane: Lane::New, about }
}

/// The style of what is a line in every route. A public channel stays public: what names people has no form there at all.
fn line_style(wanted: Style) -> Style {
    match wanted {
        Style::Public => Style::Public,
        Style::Card | Style::Compact | Style::Log => Style::Log,
    }
}
