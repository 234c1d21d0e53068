//! From a change to the posts it wants: which channels, in which style, pinging whom. Pure: routes, world and memory in, drafts out.

use std::collections::{BTreeMap, HashMap};

use super::log_pages::LogPages;
use crate::clock::UnixMs;
use crate::event::{Event, PageNature, Priority, Topic};
use crate::ids::{ChannelId, CommunityId, RoleId, ServerId};
use crate::outbox::{Draft, Lane, PostKey};
use crate::render::{self, Labels, Message, Reply, Style, View};
use crate::route::{self, Facts, Occasion, Route, Target, Threads, targets};
use crate::store::Memo;
use crate::world::{Change, Moment, MomentKind, Server, ServerKey, Subject};

/// The posts whose subjects may still change: a card is drawn again as it was drawn first, whatever became of its route.
#[derive(Debug, Default)]
pub(super) struct Memos(HashMap<(ServerKey, Subject), BTreeMap<ChannelId, Memo>>);

impl Memos {
    pub(super) fn new(rows: Vec<(PostKey, Memo)>) -> Self {
        let mut memos = Self::default();
        for (key, memo) in rows {
            // Replies and lines have subjects of another form: they never change.
            if let Ok(subject) = key.subject.parse() {
                memos.0.entry(((key.community, key.server), subject)).or_default().insert(key.channel, memo);
            }
        }
        memos
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&ServerKey, Subject) -> bool) {
        self.0.retain(|(server, subject), _| keep(server, *subject));
    }
}

/// One event being drawn.
pub(super) struct Drawing<'a> {
    pub(super) routes: &'a [Route],
    pub(super) labels: &'a Labels,
    pub(super) community: &'a CommunityId,
    pub(super) server: ServerId,
    /// With the event already applied.
    pub(super) world: &'a Server,
    pub(super) memos: &'a mut Memos,
    pub(super) pages: &'a mut LogPages,
    pub(super) at: UnixMs,
    /// Of the event: journal number and place in it.
    pub(super) number: (i64, u32),
    pub(super) drafts: &'a mut Vec<Draft>,
}

/// What is said about a subject when it is new.
struct Saying {
    topic: Topic,
    priority: Option<Priority>,
    urgent: bool,
    lane: Lane,
}

impl Drawing<'_> {
    /// Draws what one change wants.
    pub(super) fn change(&mut self, change: &Change) {
        match *change {
            Change::Card { subject, created, over } => self.card(subject, created, over),
            Change::Duty { ident, on, after } => {
                let said = |view: &View<'_>| render::duty(ident, on, after, view.now, view);
                self.line(Topic::Duty, said);
            }
            Change::Status { ident, from, to } => {
                let said = |view: &View<'_>| render::status(ident, from, to, view.now, view);
                self.line(Topic::Status, said);
            }
        }
    }

    /// Draws an event that stands for itself.
    pub(super) fn event(&mut self, event: &Event) {
        let Some(saying) = standing(event) else { return };
        let subject = Subject::Event(self.number.0, self.number.1).to_string();
        for target in self.targets(&saying) {
            // Of what is never worth more than a line, a line is made.
            let style = if saying.topic == Topic::Other { line_style(target.style) } else { target.style };
            let Some(message) = render::event(event, self.at, &self.view(style, &target.roles, false)) else { continue };
            if style == Style::Log {
                self.append(&target, message);
            } else {
                self.push(&target, saying.lane, subject.clone(), true, None, message);
            }
        }
    }

    /// Draws a test: what a real event of this kind would make, said to be a test, and remembered nowhere.
    pub(super) fn test(&mut self, event: &Event, changes: &[&Change], full: bool) {
        let subject = format!("test:{}.{}", self.number.0, self.number.1);
        let roles = |target: &Target| if full { target.roles.clone() } else { Vec::new() };
        let mut made: Vec<(Target, Message)> = Vec::new();
        for change in changes {
            match **change {
                Change::Card { subject, created: true, .. } => {
                    let Some(saying) = self.saying(subject) else { continue };
                    for target in self.targets(&saying) {
                        let roles = roles(&target);
                        made.extend(render::card(subject, &self.view(target.style, &roles, true)).map(|m| (Target { roles, ..target }, m)));
                    }
                }
                Change::Card { .. } => {}
                Change::Duty { ident, on, after } => {
                    for target in self.targets(&plain(Topic::Duty)) {
                        made.extend(render::duty(ident, on, after, self.at, &self.view(target.style, &[], true)).map(|m| (target, m)));
                    }
                }
                Change::Status { ident, from, to } => {
                    for target in self.targets(&plain(Topic::Status)) {
                        made.extend(render::status(ident, from, to, self.at, &self.view(target.style, &[], true)).map(|m| (target, m)));
                    }
                }
            }
        }
        if let Some(saying) = standing(event) {
            for target in self.targets(&saying) {
                let roles = roles(&target);
                made.extend(render::event(event, self.at, &self.view(target.style, &roles, true)).map(|m| (Target { roles, ..target }, m)));
            }
        }
        for (nth, (target, message)) in made.into_iter().enumerate() {
            self.push(&target, Lane::New, format!("{subject}.{nth}"), true, None, message);
        }
    }

    /// Brings every card of a subject to what the world says.
    fn card(&mut self, subject: Subject, created: bool, over: bool) {
        let Some(saying) = self.saying(subject) else { return };
        let memo_key = ((self.community.clone(), self.server), subject);
        let mut standing = self.memos.0.remove(&memo_key).unwrap_or_default();
        let text = subject.to_string();
        // Cards that stand already, also those whose route was removed since.
        for (channel, memo) in &standing {
            let target = Target {
                guild: memo.guild,
                channel: *channel,
                style: memo.style,
                roles: memo.roles.clone(),
                routes: Vec::new(),
                pinged: Vec::new(),
                silent: false,
                forum: false,
                threads: Threads::Off,
            };
            if let Some(message) = render::card(subject, &self.view(memo.style, &memo.roles, false)) {
                self.push(&target, Lane::Edit, text.clone(), over, None, message);
            }
            if let (true, Subject::Panic(..)) = (over, subject)
                && let Some(message) = render::reply(Reply::PanicOver, subject, &self.view(memo.style, &[], false))
            {
                self.push(&Target { roles: Vec::new(), ..target }, Lane::New, format!("{text}#over"), true, Some(text.clone()), message);
            }
        }
        if !created && self.just_raised(subject) {
            self.raised(subject, &saying, &standing);
        }
        // What was over before it was ever shown is not worth a message.
        if !over || created {
            for mut target in self.targets(&saying) {
                if standing.contains_key(&target.channel) {
                    continue;
                }
                if !created {
                    // We joined late, or the route is new: the card is made, but nobody is called to what is not new.
                    target.roles.clear();
                }
                let Some(mut message) = render::card(subject, &self.view(target.style, &target.roles, false)) else { continue };
                message.silent |= !created;
                standing.insert(target.channel, Memo { guild: target.guild, style: target.style, roles: target.roles.clone() });
                self.push(&target, saying.lane, text.clone(), over, None, message);
            }
        }
        if !standing.is_empty() {
            self.memos.0.insert(memo_key, standing);
        }
    }

    /// Whether this very event raised the call to the highest priority.
    fn just_raised(&self, subject: Subject) -> bool {
        let Subject::Dispatch(id, _) = subject else { return false };
        let raised = |moment: &Moment| {
            moment.at == self.at
                && matches!(&moment.what, MomentKind::Priority { from, to: Some(Priority::Level(1)) } if *from != Some(Priority::Level(1)))
        };
        self.world.dispatches.get(&id).is_some_and(|call| call.closed_at.is_none() && call.timeline.iter().any(raised))
    }

    /// An edit calls nobody, so a rise to the highest priority is said in a reply, once in a call's life.
    fn raised(&mut self, subject: Subject, saying: &Saying, standing: &BTreeMap<ChannelId, Memo>) {
        let text = subject.to_string();
        for target in self.targets(saying) {
            let pinged_already = standing.get(&target.channel).is_none_or(|memo| !memo.roles.is_empty());
            if pinged_already || target.roles.is_empty() {
                continue;
            }
            if let Some(message) = render::reply(Reply::Raised, subject, &self.view(target.style, &target.roles, false)) {
                self.push(&target, Lane::Urgent, format!("{text}#raised"), true, Some(text.clone()), message);
            }
        }
    }

    fn line(&mut self, topic: Topic, said: impl Fn(&View<'_>) -> Option<Message>) {
        for target in self.targets(&plain(topic)) {
            if let Some(message) = said(&self.view(line_style(target.style), &[], false)) {
                self.append(&target, message);
            }
        }
    }

    fn append(&mut self, target: &Target, message: Message) {
        let (subject, message) = self.pages.append((target.channel, (self.community.clone(), self.server)), self.number, self.at, message);
        self.push(target, Lane::Log, subject, true, None, message);
    }

    fn push(&mut self, target: &Target, lane: Lane, subject: String, over: bool, parent: Option<String>, message: Message) {
        // Two routes that meet in a channel made one target already: one subject, one post.
        self.drafts.push(Draft {
            key: PostKey { channel: target.channel, community: self.community.clone(), server: self.server, subject },
            guild: target.guild,
            lane,
            style: target.style,
            roles: target.roles.clone(),
            over,
            parent,
            message,
            happened_at: self.at,
        });
    }

    fn targets(&self, saying: &Saying) -> Vec<Target> {
        let occasion = Occasion {
            community: self.community,
            server: self.server,
            topic: saying.topic,
            priority: saying.priority.as_ref(),
            urgent: saying.urgent,
        };
        let moment = |_: &Route| route::Moment { now: self.at, dispatcher_on_duty: false, quiet: None, last_ping: None };
        targets(self.routes, &occasion, &Facts::unknown(saying.topic), moment)
    }

    fn view<'v>(&'v self, style: Style, roles: &'v [RoleId], test: bool) -> View<'v> {
        View { world: self.world, server: self.server, labels: self.labels, style, roles, test, now: self.at }
    }

    fn saying(&self, subject: Subject) -> Option<Saying> {
        match subject {
            Subject::Emergency(id, _) => {
                let emergency = self.world.emergencies.get(&id)?.call.is_emergency;
                let (topic, lane) = if emergency { (Topic::Emergency, Lane::Urgent) } else { (Topic::Civil, Lane::New) };
                Some(Saying { topic, priority: None, urgent: false, lane })
            }
            Subject::Dispatch(id, _) => {
                let priority = self.world.dispatches.get(&id)?.priority.clone();
                let lane = if priority == Some(Priority::Level(1)) { Lane::Urgent } else { Lane::New };
                Some(Saying { topic: Topic::Dispatch, priority, urgent: false, lane })
            }
            Subject::Panic(..) => Some(Saying { lane: Lane::Panic, ..plain(Topic::Panic) }),
            Subject::Event(..) => None,
        }
    }
}

fn plain(topic: Topic) -> Saying {
    Saying { topic, priority: None, urgent: false, lane: Lane::New }
}

/// What an event that stands for itself says; `None` for those that change a subject or a unit.
fn standing(event: &Event) -> Option<Saying> {
    let topic = event.topic()?;
    match topic {
        Topic::Station => Some(Saying { lane: Lane::Urgent, ..plain(topic) }),
        Topic::Pager => {
            let urgent = matches!(event, Event::Pager(page) if page.nature == PageNature::Emergency);
            Some(Saying { urgent, lane: if urgent { Lane::Urgent } else { Lane::New }, ..plain(topic) })
        }
        Topic::Record | Topic::Bolo | Topic::Tone | Topic::Other => Some(plain(topic)),
        Topic::Emergency | Topic::Civil | Topic::Panic | Topic::Dispatch | Topic::Duty | Topic::Status => None,
    }
}

/// The style of what is a line in every route. A public channel stays public: what names people has no form there at all.
fn line_style(wanted: Style) -> Style {
    match wanted {
        Style::Public => Style::Public,
        Style::Card | Style::Compact | Style::Log => Style::Log,
    }
}
