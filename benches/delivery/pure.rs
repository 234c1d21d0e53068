//! (f) What an event costs without any I/O: parsed, decoded, applied to the world, routed, rendered. In this process.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tenfour::clock::UnixMs;
use tenfour::event::{Topic, decode, envelope};
use tenfour::ids::{ChannelId, CommunityId, GuildId, RouteId, ServerId};
use tenfour::render::{self, Labels, Style, View};
use tenfour::route::{AttentionFacts, FilterFacts, Listens, Occasion, Route, RouteSpec, Rule, targets};
use tenfour::world::{Change, Server};

use super::Bench;
use super::events;
use super::numbers::Samples;
use super::report::Row;

const NAME: &str = "pure";
const NOW: UnixMs = UnixMs(1_790_000_000_000);
/// Events between two looks at the clock.
const ROUND: u32 = 1_000;

pub(crate) fn run(bench: &mut Bench) {
    let rounds = if bench.options.quick { 3 } else { 50 };
    bench.progress(format_args!("{NAME}: {rounds} rounds of {ROUND} events of each family"));
    let family = |what: &str, topic, before: fn(u32) -> Vec<String>, body: fn(u32) -> String| {
        let figure = per_event(topic, rounds, before, body);
        Row::new(NAME, format!("open, decode, apply, route, draw: {what}"), "µs", figure.map(|time| time.as_secs_f64() * 1e6))
    };
    let rows = [
        family("911", Topic::Emergency, |_| Vec::new(), events::emergency_body),
        family("new dispatch call", Topic::Dispatch, |_| Vec::new(), events::dispatch_body),
        family("note on a call", Topic::Dispatch, |n| vec![events::dispatch_body(n)], |n| events::dispatch_note(n).to_string()),
        family("unit status", Topic::Status, |n| vec![events::login(n).to_string()], |n| events::status(n, n % 2).to_string()),
        family("panic", Topic::Panic, |n| vec![events::login(n).to_string()], |n| events::panic(n).to_string()),
    ];
    bench.rows.extend(rows);
}

/// The median round's time per event. Each round begins with a new world, in which `before` has happened.
fn per_event(topic: Topic, rounds: u32, before: fn(u32) -> Vec<String>, body: fn(u32) -> String) -> Option<Duration> {
    let community = CommunityId::new(events::COMMUNITY);
    // Twenty routes, as in a grown guild; one of them fits.
    let routes: Vec<Route> = (0..20_i64)
        .map(|at| Route {
            id: RouteId(at),
            guild: GuildId(1),
            community: community.clone(),
            enabled: true,
            spec: RouteSpec {
                event: if at == 7 { Listens::To(topic) } else { Listens::To(Topic::Tone) },
                channel: ChannelId(100 + at.unsigned_abs()),
                server: Some(ServerId(1)),
                role: None,
                style: Style::Card,
                forum: false,
                rule: Rule::default(),
            },
        })
        .collect();
    let bodies: Vec<String> = (1..=ROUND).map(body).collect();
    let earlier: Vec<String> = (1..=ROUND).flat_map(before).collect();
    let mut times = Vec::new();
    for _ in 0..rounds {
        let mut world = Server::default();
        for body in &earlier {
            apply(body, &mut world, |_, _| ());
        }
        let began = Instant::now();
        for body in &bodies {
            apply(body, &mut world, |world, change| draw(world, change, &routes, &community, topic));
        }
        times.push(began.elapsed() / ROUND);
    }
    Samples::new(times).median()
}

fn apply(body: &str, world: &mut Server, mut then: impl FnMut(&Server, &Change)) {
    let Ok((envelope, _key)) = envelope::open(body.as_bytes()) else { return };
    for event in decode(&envelope).unwrap_or_default() {
        let applied = world.apply(&event, NOW);
        for change in &applied.changes {
            then(world, change);
        }
    }
}

fn draw(world: &Server, change: &Change, routes: &[Route], community: &CommunityId, topic: Topic) {
    let occasion = Occasion { community, server: ServerId(1), topic, priority: None, urgent: false };
    let moment = |_: &Route| AttentionFacts { now: NOW, dispatcher_on_duty: true, quiet: None, last_ping: None };
    for target in targets(routes, &occasion, |filter| filter.admits(&FilterFacts::unknown(topic)), moment) {
        let view = View {
            world,
            server: ServerId(1),
            labels: Labels::usual(),
            style: target.style,
            roles: &target.roles,
            test: false,
            buttons: true,
            now: NOW,
        };
        let message = match change {
            Change::Card { subject, .. } => render::card(*subject, &view),
            Change::Status { ident, from, to } => render::status(*ident, *from, *to, NOW, &view),
            Change::Duty { ident, on, after } => render::duty(*ident, *on, *after, NOW, &view),
            Change::Note { .. } | Change::Attach { .. } => None,
        };
        // As it is stored.
        black_box(message.map(|message| serde_json::to_string(&message)));
    }
}
