//! `/cad status`: the bot's state, in words.

use std::time::Duration;

use crate::cad::rest::{BudgetLeft, CadReader};
use crate::clock::UnixMs;
use crate::commands::context::{Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::guilds::Guilds;
use crate::commands::reply;
use crate::commands::wording::{and, counted};
use crate::event::Source;
use crate::guild_access::Access;
use crate::ids::{ChannelId, GuildId, ServerId};
use crate::outbox::Lane;
use crate::outbox::queue::ParkedChannel;
use crate::refresh::Part;
use crate::render::text::{self, SafeText, safe};
use crate::status::{self, Link, ServerFacts, contested};
use crate::store::PostCounts;

/// Most problems shown.
const PROBLEMS: usize = 5;
/// Most parked channels and unknown types shown.
const SOME: usize = 10;
/// A panic or a new 911 that waits longer is shown as a problem.
const LATE: Duration = Duration::from_secs(5);
/// Waits for Discord's limits are shown if they add up to this much in ten minutes.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// Shown as long as there is no route and no board.
pub(super) const NOTHING: &str =
    "⚪ Nothing is set up yet, so nothing is posted here. Run `/cad setup`, or `/alerts preset name:essentials channel:#your-channel`.";

/// How the links to the CAD and to Discord are, and what went wrong lately
#[poise::command(slash_command, guild_only)]
pub(super) async fn status(ctx: Context<'_>) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let guild = guild_of(ctx)?;
    let context = ctx.data();
    let community = context.community(guild)?;
    let counts = context.store.counts_of(&community.id).await?;
    let routing = context.store.routing_now();
    let own = |parked: &ParkedChannel| {
        routing.routes.iter().any(|route| route.guild == guild && route.spec.channel == parked.channel)
            || routing.boards.iter().any(|board| board.guild == guild && board.channel == parked.channel)
            || routing.guilds.get(&guild).and_then(|guild| guild.notices) == Some(parked.channel)
    };
    let set_up = routing.routes.iter().any(|route| route.guild == guild) || routing.boards.iter().any(|board| board.guild == guild);
    let parked: Vec<ParkedChannel> = context.store.parked().await?.into_iter().filter(own).collect();
    let given_up = context.store.problems(guild, PROBLEMS).await?;
    let snapshot = community.status.snapshot();
    let mut problems: Vec<(UnixMs, String)> = snapshot.problems.iter().cloned().collect();
    problems.extend(given_up.into_iter().map(|p| (p.happened_at, format!("An alert for <#{}> was given up: {}", p.channel, p.reason))));
    let budgets = community.cad.as_ref().map(CadReader::budgets).unwrap_or_default();
    let report = Report {
        facts: Facts { servers: &community.servers, hub: community.hub },
        known: &snapshot,
        counts: &counts,
        parked: &parked,
        budgets: &budgets,
        now: context.clock.now(),
    };
    let (mut lines, mut well) = report.lines(problems);
    // Before the version, which comes last.
    let end = lines.len().saturating_sub(2);
    let mut servers = server_list(&routing.access, guild, &context.guilds);
    // Of a bot for several communities it is nobody's business how many others have it.
    if context.communities.only().is_some() {
        servers.extend(others(&routing.access, &context.guilds));
    }
    lines.splice(end..end, servers);
    if !set_up {
        lines.insert(0, safe!("{}\n", NOTHING));
        well = false;
    }
    reply::list(ctx, "📡 Status", &lines, if well { reply::GREEN } else { reply::YELLOW }).await
}

/// The Discord servers that are linked to the same community.
fn server_list(access: &Access, here: GuildId, guilds: &Guilds) -> Vec<SafeText> {
    let community = access.community_of(here);
    let served = community.map(|community| access.served_by(community)).unwrap_or_default();
    let mut lines = vec![SafeText::default(), safe!("**Discord servers** · {} linked", served.len())];
    let first = community.and_then(|community| access.first(community)).map(|link| link.guild);
    for link in served.iter().take(SOME) {
        let name = match guilds.name(link.guild) {
            _ if link.guild == here => "This server".into(),
            Some(name) => safe!("{} (`{}`)", text::line(&name, 100), link.guild),
            None => safe!("`{}`", link.guild),
        };
        let gone = if link.left_at.is_some() { ", but the bot is not in it now" } else { "" };
        let rules = if served.len() > 1 && first == Some(link.guild) { ", the main one: its `/cad actions` rule counts" } else { "" };
        lines.push(safe!("{}, since <t:{}:D>{}{}", name, link.linked_at.secs(), rules, gone));
    }
    if let Some(more) = served.len().checked_sub(SOME).filter(|more| *more > 0) {
        lines.push(safe!("{} more", more));
    }
    lines
}

fn others(access: &Access, guilds: &Guilds) -> Option<SafeText> {
    match guilds.all().iter().filter(|guild| !access.serves(**guild)).count() {
        0 => None,
        1 => Some("1 other server has the bot and isn't linked: nothing is shown there.".into()),
        others => Some(safe!("{} other servers have the bot and aren't linked: nothing is shown there.", others)),
    }
}

/// What is configured.
#[derive(Clone, Copy)]
struct Facts<'a> {
    servers: &'a [ServerId],
    hub: bool,
}

/// What the answer is made of.
struct Report<'a> {
    facts: Facts<'a>,
    known: &'a status::Facts,
    counts: &'a PostCounts,
    parked: &'a [ParkedChannel],
    budgets: &'a [BudgetLeft],
    now: UnixMs,
}

impl Report<'_> {
    /// Current problems first, then the state, then recent problems. False if anything is wrong now.
    fn lines(&self, mut problems: Vec<(UnixMs, String)>) -> (Vec<SafeText>, bool) {
        let mut lines = self.wrong();
        let well = lines.is_empty();
        if !well {
            lines.push(SafeText::default());
        }
        for server in self.facts.servers {
            let known = self.server(*server);
            lines.extend(server_lines(*server, self.facts, &known, self.now));
            lines.extend(reading_line(&known));
        }
        lines.push(budget_line(self.known));
        lines.extend(spent_line(self.budgets));
        lines.push(SafeText::default());
        lines.push(safe!("**Discord** · {} · {}", if self.known.gateway { "🟢 connected" } else { "🔴 not connected" }, self.queue()));
        lines.extend(self.delay());
        lines.extend(self.waits());
        if !self.known.unknown.is_empty() {
            let unknown: Vec<SafeText> =
                self.known.unknown.iter().take(SOME).map(|(kind, count)| safe!("{} ({})", text::line(kind, 60), count)).collect();
            lines.push(safe!("Event types nobody knows: {}", and(&unknown)));
        }
        problems.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        if !problems.is_empty() {
            lines.push(SafeText::default());
            lines.push("**Last problems**".into());
            lines.extend(problems.iter().take(PROBLEMS).map(|(at, what)| safe!("<t:{}:R> {}", at.secs(), plain(what))));
        }
        lines.push(SafeText::default());
        lines.push(safe!("-# Tenfour {}", env!("CARGO_PKG_VERSION")));
        (lines, well)
    }

    fn server(&self, server: ServerId) -> ServerFacts {
        self.known.servers.get(&server).cloned().unwrap_or_default()
    }

    /// What needs an action, or patience: the most severe first.
    fn wrong(&self) -> Vec<SafeText> {
        let mut wrong = Vec::new();
        if let Some(reason) = &self.known.stopped {
            wrong.push(safe!("⛔ Sending has stopped: {}", text::line(reason, 300)));
        }
        if let Some((since, why)) = &self.known.unstored {
            wrong.push(safe!("⛔ Events are not taken in since <t:{}:R>: {}", since.secs(), text::line(why, 300)));
        }
        if !self.known.gateway {
            wrong.push("🔴 Discord's gateway is not connected: commands may fail, alerts still go out; trying again".into());
        }
        for lane in [Lane::Panic, Lane::Urgent] {
            if let Some(waiting) = self.known.queue.get(&lane).filter(|waiting| waiting.oldest >= LATE) {
                wrong.push(safe!("⚠️ {}: not on Discord yet, the oldest for {}", posts(lane, waiting.posts), duration(waiting.oldest)));
            }
        }
        for server in self.facts.servers {
            let known = self.server(*server);
            let since = known.link_since.map(|at| safe!(" since <t:{}:R>", at.secs())).unwrap_or_default();
            match &known.link {
                Link::Down(why) => wrong.push(safe!("🔴 Server {}: hub down{}: {}", server, since, text::line(why, 300))),
                Link::Rejected(why) => {
                    wrong.push(safe!("⛔ Server {}: the CAD refuses the bot{}: {}", server, since, text::line(why, 300)))
                }
                Link::Contested => wrong.push(safe!("⛔ {}", contested(*server))),
                Link::Off | Link::Connecting | Link::Ready => {}
            }
            for (part, reading) in &known.readings {
                if let Some((since, why)) = &reading.trouble {
                    let (part, since) = (part.as_str(), since.secs());
                    wrong.push(safe!("⚠️ Server {}: {} cannot be read since <t:{}:R>: {}", server, part, since, text::line(why, 400)));
                }
            }
        }
        for parked in self.parked.iter().take(SOME) {
            let reason = text::line(&parked.reason, 200);
            wrong.push(safe!(
                "⚠️ <#{}> is closed to the bot since <t:{}:R>: {}. See `/cad diagnose`.",
                parked.channel,
                parked.since.secs(),
                reason
            ));
        }
        if let Some(more) = self.parked.len().checked_sub(SOME).filter(|more| *more > 0) {
            wrong.push(safe!("⚠️ {} more channels are closed to the bot. See `/cad diagnose`.", more));
        }
        if let Some(why) = &self.known.slowed {
            wrong.push(safe!("🐢 Sending is slowed down: {}", text::line(why, 300)));
        }
        wrong
    }

    /// What waits. The store counts everything; the lanes were counted a moment ago.
    fn queue(&self) -> SafeText {
        if self.counts.waiting == 0 {
            return "nothing waits to be sent".into();
        }
        let by_lane: Vec<SafeText> = self
            .known
            .queue
            .iter()
            .map(|(lane, waiting)| safe!("{} (oldest {})", posts(*lane, waiting.posts), duration(waiting.oldest)))
            .collect();
        if by_lane.is_empty() {
            let oldest = self.counts.oldest_waiting.map(|at| safe!(", the oldest from <t:{}:R>", at.secs())).unwrap_or_default();
            return safe!("{} to send{}", self.counts.waiting, oldest);
        }
        // The lanes were counted a moment ago: the total is their sum.
        let waiting: usize = self.known.queue.values().map(|waiting| waiting.posts).sum();
        safe!("{} to send: {}", waiting, and(&by_lane))
    }

    fn delay(&self) -> Option<SafeText> {
        let status::Delay { median, worst, of } = self.known.delay()?;
        let last = if of == 1 { SafeText::constant("the last message") } else { safe!("the last {} messages", of) };
        Some(safe!("From event to message: {} in the middle, {} at worst ({})", duration(median), duration(worst), last))
    }

    fn waits(&self) -> Option<SafeText> {
        let waits = self.known.waits(self.now);
        // A short wait now and then is normal under rate limits.
        if waits.iter().map(|(_, _, together)| *together).sum::<Duration>() < WORTH_TELLING {
            return None;
        }
        let count: u64 = waits.iter().map(|(_, count, _)| count).sum();
        let causes: Vec<SafeText> =
            waits.iter().map(|(cause, _, together)| safe!("{} for {}", duration(*together), because(cause))).collect();
        let times = if count == 1 { SafeText::constant("once") } else { safe!("{} times", count) };
        Some(safe!("Requests to Discord waited {} in ten minutes: {}", times, and(&causes)))
    }
}

/// The causes of waits in words, by [`crate::metrics::WaitCause::as_str`].
fn because(cause: &'static str) -> &'static str {
    match cause {
        "channel" => "a channel's limit",
        "global" => "the limit over all channels",
        "told" => "429s",
        "guard" => "the guard against a ban",
        "edits" => "old messages, whose edits are few",
        "trouble" => "channels that had just failed",
        other => other,
    }
}

/// `2 panics`.
fn posts(lane: Lane, count: usize) -> SafeText {
    let (one, many) = match lane {
        Lane::Panic => ("panic", "panics"),
        Lane::Urgent => ("urgent card", "urgent cards"),
        Lane::New => ("new card", "new cards"),
        Lane::Edit => ("change", "changes"),
        Lane::Board => ("board", "boards"),
        Lane::Log => ("line", "lines"),
    };
    counted(count, one, many)
}

/// Problems are our own sentences, but quote what others sent: links to channels stay, everything else is escaped.
fn plain(sentence: &str) -> SafeText {
    let mut said = Vec::new();
    for part in sentence.split_inclusive('>') {
        let link = part.rsplit_once("<#").and_then(|(before, id)| Some((before, ChannelId(id.strip_suffix('>')?.parse().ok()?))));
        let words = text::line(link.map_or(part, |(before, _)| before), 300);
        said.extend(Some(words).filter(|words| !words.is_empty()));
        said.extend(link.map(|(_, channel)| safe!("<#{}>", channel)));
    }
    SafeText::join(said, " ")
}

fn server_lines(server: ServerId, facts: Facts<'_>, known: &ServerFacts, now: UnixMs) -> Vec<SafeText> {
    let since = known.link_since.map(|at| safe!(" since <t:{}:R>", at.secs())).unwrap_or_default();
    // The reason for it is above.
    let link = match &known.link {
        Link::Off if facts.hub => "⚪ hub session not begun".into(),
        Link::Off => "⚪ hub off: HTTP only".into(),
        Link::Connecting => safe!("🟡 hub connecting{}", since),
        Link::Ready => safe!("🟢 hub connected{}", since),
        Link::Down(_) => "🔴 hub down".into(),
        Link::Rejected(_) => "⛔ refused by the CAD".into(),
        Link::Contested => "⛔ hub stopped: another client holds it".into(),
    };
    let last = match known.last {
        None => "no event since the bot started".into(),
        Some((at, source)) => safe!("last event <t:{}:R>, {}", at.secs(), arrived(source)),
    };
    let counts = known.last_hour(now);
    let events: u64 = counts.iter().map(|(_, count)| count).sum();
    let ways: Vec<SafeText> = counts.iter().map(|(way, count)| safe!("{} {}", count, arrived(*way))).collect();
    let ways = if ways.is_empty() { SafeText::default() } else { safe!(" ({})", and(&ways)) };
    let copies = match known.copies {
        0 => SafeText::default(),
        1 => " · 1 duplicate dropped since the bot started".into(),
        many => safe!(" · {} duplicates dropped since the bot started", many),
    };
    vec![safe!("**Server {}** · {}", server, link), safe!("{} · {} from the CAD in the last hour{}{}", last, events, ways, copies)]
}

/// When the CAD's API was last polled, and what that found.
fn reading_line(known: &ServerFacts) -> Option<SafeText> {
    let read: Vec<SafeText> =
        known.readings.iter().filter_map(|(part, reading)| Some(safe!("{} <t:{}:R>", part.as_str(), reading.at?.secs()))).collect();
    let found = match known.readings.values().filter_map(|reading| reading.found).max() {
        None => "nothing yet that no event had told".into(),
        Some((at, 1)) => safe!("1 change that no event had told, <t:{}:R>", at.secs()),
        Some((at, count)) => safe!("{} changes that no event had told, <t:{}:R>", count, at.secs()),
    };
    (!read.is_empty()).then(|| safe!("read from the CAD: {} · {}", and(&read), found))
}

/// What may still be asked of the CAD's API.
fn budget_line(known: &status::Facts) -> SafeText {
    let left = |part: Part| {
        let budget = known.budgets.get(&part)?;
        let again = budget.free_at.map(|at| safe!(", again <t:{}:R>", at.secs())).unwrap_or_default();
        Some(safe!("{} {} of {}{}", part.as_str(), budget.left, budget.per_minute, again))
    };
    let left: Vec<SafeText> = Part::ALL.into_iter().filter_map(left).collect();
    if left.is_empty() {
        "The CAD's API is not read (SONORAN_RECONCILE_SECONDS=off): what is changed through it stays unseen.".into()
    } else {
        safe!("Requests to the CAD's API left this minute: {}", SafeText::join(left, " · "))
    }
}

/// How much members used of the bot's requests for them; nothing if every budget has enough.
fn spent_line(budgets: &[BudgetLeft]) -> Option<SafeText> {
    let spent = budgets.iter().filter(|budget| budget.left == 0);
    let told = spent.map(|budget| {
        let wait = budget.wait.map(|wait| safe!(", again in {} s", wait.as_secs() + 1)).unwrap_or_default();
        safe!("{} ({} a minute{})", budget.operation, budget.per_minute, wait)
    });
    let told: Vec<SafeText> = told.collect();
    (!told.is_empty()).then(|| safe!("⏳ Used up by members this minute: {}", and(&told)))
}

fn arrived(source: Source) -> &'static str {
    match source {
        Source::Hub => "through the hub",
        Source::Http => "over HTTP",
        Source::Rest => "by reading the CAD",
        Source::Test => "a test",
        Source::Bot => "through the bot",
    }
}

fn duration(span: Duration) -> SafeText {
    match span.as_secs() {
        0 => safe!("{} ms", span.subsec_millis()),
        // One digit behind the point is enough.
        seconds => safe!("{}.{} s", seconds, span.subsec_millis() / 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ms;
    use crate::ids::{ChannelId, CommunityId};
    use crate::status::{HostStatus, Status};

    #[test]
    fn problems_are_text_but_for_their_channels() {
        assert_eq!(
            plain("An alert for <#5> was given up: **bold** <@1> @everyone"),
            "An alert for <#5> was given up: \\*\\*bold\\*\\* <\u{200b}@\u{200b}1> @\u{200b}everyone"
        );
        assert_eq!(plain("<#5>"), "<#5>");
        assert!(!plain("<#x> and <@1> <@&2>").contains("<@"));
    }

    fn report(status: &Status, counts: PostCounts, parked: &[ParkedChannel]) -> (Vec<SafeText>, bool) {
        let (known, now) = (status.snapshot(), UnixMs(600_000));
        Report { facts: Facts { servers: &[ServerId(1)], hub: true }, known: &known, counts: &counts, parked, budgets: &[], now }
            .lines(Vec::new())
    }

    #[test]
    fn when_all_is_well_few_words_are_made() {
        let host = HostStatus::default();
        let status = host.of(&CommunityId::new("c"));
        host.gateway(true);
        status.link(ServerId(1), Link::Ready, UnixMs(0));
        status.event(ServerId(1), Source::Hub, UnixMs(500_000));
        status.delivered(ms(42));
        status.waited("channel", ms(900), UnixMs(600_000));
        let (lines, well) = report(&status, PostCounts::default(), &[]);
        assert!(well, "{lines:#?}");
        assert_eq!(
            lines,
            [
                "**Server 1** · 🟢 hub connected since <t:0:R>",
                "last event <t:500:R>, through the hub · 1 from the CAD in the last hour (1 through the hub)",
                "The CAD's API is not read (SONORAN_RECONCILE_SECONDS=off): what is changed through it stays unseen.",
                "",
                "**Discord** · 🟢 connected · nothing waits to be sent",
                "From event to message: 42 ms in the middle, 42 ms at worst (the last message)",
                "",
                concat!("-# Tenfour ", env!("CARGO_PKG_VERSION")),
            ]
        );
    }

    #[test]
    fn what_is_wrong_stands_first_the_gravest_at_the_top() {
        let host = HostStatus::default();
        let status = host.of(&CommunityId::new("c"));
        status.link(ServerId(1), Link::Down("*no* answer".into()), UnixMs(1_000));
        status.unread(ServerId(1), Part::Calls, UnixMs(2_000), "the key @everyone");
        host.stopped(Some("the token was refused".into()));
        status.not_stored(UnixMs(3_000), "The disk is full.");
        host.slowed(Some("1,200 refusals in ten minutes".into()));
        status.queue(&[(Lane::Panic, 1, ms(5_000)), (Lane::Urgent, 2, ms(4_999)), (Lane::New, 9, ms(70_000))]);
        status.waited("channel", ms(4_000), UnixMs(0));
        status.waited("told", ms(7_250), UnixMs(590_000));
        status.waited("told", ms(0), UnixMs(600_000));
        let parked = |channel| ParkedChannel {
            channel: ChannelId(channel),
            reason: "Missing Access".into(),
            since: UnixMs(4_000),
            retry_at: UnixMs(5_000),
            refusals: 1,
        };
        let parked: Vec<ParkedChannel> = (1..=12).map(parked).collect();
        let counts = PostCounts { waiting: 12, ..PostCounts::default() };
        let (lines, well) = report(&status, counts, &parked);
        assert!(!well);
        let starts = [
            "⛔ Sending has stopped: the token was refused",
            "⛔ Events are not taken in since <t:3:R>: The disk is full.",
            "🔴 Discord's gateway is not connected",
            "⚠️ 1 panic: not on Discord yet, the oldest for 5.0 s",
            "🔴 Server 1: hub down since <t:1:R>: \\*no\\* answer",
            "⚠️ Server 1: calls cannot be read since <t:2:R>: the key @\u{200b}everyone",
            "⚠️ <#1> is closed to the bot since <t:4:R>: Missing Access. See `/cad diagnose`.",
        ];
        for (line, start) in lines.iter().zip(starts) {
            assert!(line.starts_with(start), "{line}\nis not\n{start}\nin {lines:#?}");
        }
        assert_eq!(lines[16], "⚠️ 2 more channels are closed to the bot. See `/cad diagnose`.");
        assert_eq!(lines[17], "🐢 Sending is slowed down: 1,200 refusals in ten minutes");
        assert_eq!(lines[18], "");
        assert_eq!(lines[19], "**Server 1** · 🔴 hub down");
        for line in [
            "**Discord** · 🔴 not connected · 12 to send: 1 panic (oldest 5.0 s), 2 urgent cards (oldest 4.9 s) and 9 new cards (oldest 70.0 s)",
            "Requests to Discord waited 2 times in ten minutes: 7.2 s for 429s",
        ] {
            assert!(lines.iter().any(|l| l == line), "{line}\nis not in {lines:#?}");
        }
    }

    #[test]
    fn lanes_without_counts_use_the_stores_total() {
        let counts = PostCounts { waiting: 3, failed: 0, oldest_waiting: Some(UnixMs(9_000)) };
        let (lines, _) = report(&Status::default(), counts, &[]);
        assert!(lines.iter().any(|line| line.ends_with("3 to send, the oldest from <t:9:R>")), "{lines:#?}");
    }

    #[test]
    fn used_up_budgets_are_shown() {
        let of = |operation, left, wait| BudgetLeft { operation, left, per_minute: 7, wait };
        let wait = Some(std::time::Duration::from_millis(11_400));
        let budgets = [of("attach", 0, wait), of("note", 3, None)];
        assert_eq!(spent_line(&budgets).as_deref(), Some("⏳ Used up by members this minute: attach (7 a minute, again in 12 s)"));
        assert_eq!(spent_line(&budgets[1..]), None);
    }

    #[test]
    fn durations_in_ms_and_s() {
        assert_eq!((duration(ms(0)), duration(ms(999)), duration(ms(1_250))), ("0 ms".into(), "999 ms".into(), "1.2 s".into()));
    }
}
