//! `/cad status`: how the bot is, in words.

use super::errors::Error;
use super::{Context, Facts, guild_of, reply};
use crate::clock::UnixMs;
use crate::event::Source;
use crate::ids::ServerId;
use crate::readings::Part;
use crate::render::text;
use crate::status::{self, Link, ServerFacts};
use crate::store::{Counts, Parked};

/// Most problems shown.
const PROBLEMS: usize = 5;
/// Most parked channels and unknown types shown.
const SOME: usize = 10;

/// How the links to the CAD and to Discord are, and what went wrong lately
#[poise::command(slash_command, guild_only)]
pub(super) async fn status(ctx: Context<'_>) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let guild = guild_of(ctx)?;
    let desk = ctx.data();
    let counts = desk.store.counts().await?;
    let routing = desk.store.routing_now();
    let own = |parked: &Parked| {
        routing.routes.iter().any(|route| route.guild == guild && route.channel == parked.channel)
            || routing.guilds.get(&guild).and_then(|guild| guild.notices) == Some(parked.channel)
    };
    let parked: Vec<Parked> = desk.store.parked().await?.into_iter().filter(own).collect();
    let given_up = desk.store.problems(guild, PROBLEMS).await?;
    let snapshot = desk.status.snapshot();
    let mut problems: Vec<(UnixMs, String)> = snapshot.problems.iter().cloned().collect();
    problems.extend(given_up.into_iter().map(|p| (p.happened_at, format!("An alert for <#{}> was given up: {}", p.channel, p.reason))));
    let lines = lines(&desk.facts, &snapshot, &counts, &parked, problems, desk.clock.now());
    let good = snapshot.gateway && snapshot.stopped.is_none() && parked.is_empty();
    reply::list(ctx, "📡 Status", &lines, if good { reply::GREEN } else { reply::YELLOW }).await
}

fn lines(
    facts: &Facts,
    now_known: &status::Facts,
    counts: &Counts,
    parked: &[Parked],
    mut problems: Vec<(UnixMs, String)>,
    now: UnixMs,
) -> Vec<String> {
    let mut lines = Vec::new();
    let none = ServerFacts::default();
    for server in &facts.servers {
        let known = now_known.servers.get(&(facts.community.clone(), *server)).unwrap_or(&none);
        lines.extend(server_lines(*server, facts, known, now));
        lines.extend(reading_lines(known));
    }
    lines.push(budget_line(facts, now_known));
    lines.push(String::new());
    lines.push(format!("**Discord** · {}", if now_known.gateway { "🟢 connected" } else { "🔴 not connected; trying again" }));
    if let Some(reason) = &now_known.stopped {
        lines.push(format!("⛔ Sending has stopped: {}", text::line(reason, 300)));
    }
    let oldest = counts.oldest_pending.map(|at| format!(", the oldest from <t:{}:R>", at.secs())).unwrap_or_default();
    lines.push(format!("Queue: {} to send{oldest}", counts.pending));
    if let Some((median, most)) = now_known.delay() {
        lines.push(format!("From event to message: {} (95 of 100 within {})", duration(median), duration(most)));
    }
    for parked in parked.iter().take(SOME) {
        let reason = text::line(&parked.reason, 200);
        lines.push(format!(
            "⚠️ <#{}> is closed to the bot since <t:{}:R>: {reason}. See `/cad diagnose`.",
            parked.channel,
            parked.since.secs()
        ));
    }
    if !now_known.unknown.is_empty() {
        let unknown: Vec<String> =
            now_known.unknown.iter().take(SOME).map(|(kind, count)| format!("{} ({count})", text::line(kind, 60))).collect();
        lines.push(format!("Event types nobody knows: {}", reply::and(&unknown)));
    }
    problems.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    if !problems.is_empty() {
        lines.push(String::new());
        lines.push("**Last problems**".to_owned());
        lines.extend(problems.iter().take(PROBLEMS).map(|(at, what)| format!("<t:{}:R> {}", at.secs(), plain(what))));
    }
    lines.push(String::new());
    lines.push(format!("-# Tenfour {}", env!("CARGO_PKG_VERSION")));
    lines
}

/// Problems are our own sentences, but quote what others sent: links of channels stay, all else is text.
fn plain(sentence: &str) -> String {
    let mut said = Vec::new();
    for part in sentence.split_inclusive('>') {
        let (words, link) = match part.rsplit_once("<#") {
            Some((before, id)) if id.strip_suffix('>').is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit())) => {
                (before, Some(format!("<#{id}")))
            }
            _ => (part, None),
        };
        let words = text::line(words, 300);
        said.extend([Some(words).filter(|words| !words.is_empty()), link].into_iter().flatten());
    }
    said.join(" ")
}

fn server_lines(server: ServerId, facts: &Facts, known: &ServerFacts, now: UnixMs) -> Vec<String> {
    let since = known.link_since.map(|at| format!(" since <t:{}:R>", at.secs())).unwrap_or_default();
    let link = match &known.link {
        Link::Off if facts.hub => "⚪ hub session not begun".to_owned(),
        Link::Off => "⚪ hub off: HTTP only".to_owned(),
        Link::Connecting => format!("🟡 hub connecting{since}"),
        Link::Ready => format!("🟢 hub connected{since}"),
        Link::Down(why) => format!("🔴 hub down{since}: {}", text::line(why, 300)),
        Link::Rejected(why) => format!("⛔ the CAD refuses the bot{since}: {}", text::line(why, 300)),
    };
    let last = match known.last {
        None => "no event since the bot started".to_owned(),
        Some((at, source)) => format!("last event <t:{}:R>, {}", at.secs(), arrived(source)),
    };
    let ways: Vec<String> = known.by_source.iter().map(|(way, count)| format!("{count} by {way}")).collect();
    let ways = if ways.is_empty() { String::new() } else { format!(" ({})", reply::and(&ways)) };
    let copies = if known.copies == 0 { String::new() } else { format!(" · copies dropped: {}", known.copies) };
    vec![format!("**Server {server}** · {link}"), format!("{last} · {} in the last hour{ways}{copies}", known.last_hour(now))]
}

/// When the CAD's API was last asked, what it told, and why it does not answer.
fn reading_lines(known: &ServerFacts) -> Vec<String> {
    let mut lines = Vec::new();
    let read: Vec<String> =
        known.readings.iter().filter_map(|(part, reading)| Some(format!("{} <t:{}:R>", part.as_str(), reading.at?.secs()))).collect();
    if !read.is_empty() {
        let last = known.readings.values().filter_map(|reading| reading.found).max();
        let found = match last {
            None => "nothing yet that no event had told".to_owned(),
            Some((at, 1)) => format!("1 change that no event had told, <t:{}:R>", at.secs()),
            Some((at, count)) => format!("{count} changes that no event had told, <t:{}:R>", at.secs()),
        };
        lines.push(format!("read from the CAD: {} · {found}", reply::and(&read)));
    }
    for (part, reading) in &known.readings {
        if let Some((since, why)) = &reading.trouble {
            lines.push(format!("⚠️ {} cannot be read since <t:{}:R>: {}", part.as_str(), since.secs(), text::line(why, 400)));
        }
    }
    lines
}

/// What may still be asked of the CAD's API.
fn budget_line(facts: &Facts, known: &status::Facts) -> String {
    let left = |part: Part| {
        let budget = known.budgets.get(&(facts.community.clone(), part))?;
        let again = budget.free_at.map(|at| format!(", again <t:{}:R>", at.secs())).unwrap_or_default();
        Some(format!("{} {} of {}{again}", part.as_str(), budget.left, budget.per_minute))
    };
    let left: Vec<String> = Part::ALL.into_iter().filter_map(left).collect();
    if left.is_empty() {
        "The CAD's API is not read (SONORAN_RECONCILE_SECONDS=off): what is changed through it stays unseen.".to_owned()
    } else {
        format!("Requests to the CAD's API left this minute: {}", left.join(" · "))
    }
}

fn arrived(source: Source) -> &'static str {
    match source {
        Source::Hub => "through the hub",
        Source::Http => "over HTTP",
        Source::Rest => "by reading the CAD",
        Source::Test => "a test",
    }
}

fn duration(ms: i64) -> String {
    if ms < 1_000 {
        format!("{} ms", ms.max(0))
    } else {
        // One digit behind the point is enough.
        format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_text_but_for_their_channels() {
        assert_eq!(
            plain("An alert for <#5> was given up: **bold** <@1> @everyone"),
            "An alert for <#5> was given up: \\*\\*bold\\*\\* <\u{200b}@\u{200b}1> @\u{200b}everyone"
        );
        assert_eq!(plain("<#5>"), "<#5>");
        assert!(!plain("<#x> and <@1> <@&2>").contains("<@"));
    }

    #[test]
    fn durations_in_ms_and_s() {
        assert_eq!((duration(-4), duration(999), duration(1_250)), ("0 ms".into(), "999 ms".into(), "1.2 s".into()));
    }
}
