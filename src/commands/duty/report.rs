//! Shared by `/duty` and `/cad stats`: spans, time zones, which sessions belong to whom, and sums of hours.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serenity::all::CreateAttachment;
use tenfour_chart::Chart;

use crate::clock::UnixMs;
use crate::commands::context::CommandContext;
use crate::commands::errors::Error;
use crate::commands::route_wording::not_configured;
use crate::commands::wording::counted;
use crate::ids::CommunityId;
use crate::ids::{GuildId, Ident, ServerId};
use crate::render::text::{self, SafeText, safe};
use crate::store::duty::{DutyMember, DutySession, MAX_SESSIONS, Span, Which};

/// Days covered by default.
const DAYS: u32 = 7;
const DAY: Duration = Duration::from_secs(86_400);
/// Longest name in an answer (UTF-16 units).
const NAME: usize = 60;

/// The span, time zone and server of a report.
#[derive(Clone, Debug)]
pub(in crate::commands) struct ReportScope {
    pub(in crate::commands) span: Span,
    pub(in crate::commands) days: u32,
    pub(in crate::commands) server: Option<ServerId>,
    pub(in crate::commands) zone: Zone,
    pub(in crate::commands) community: CommunityId,
}

impl ReportScope {
    /// From the options: up to now.
    pub(in crate::commands) async fn new(
        context: &CommandContext,
        guild: GuildId,
        days: Option<u32>,
        server: Option<u32>,
    ) -> Result<Self, Error> {
        let server = server.map(ServerId);
        let community = context.community(guild)?;
        if let Some(unknown) = server.filter(|server| !community.servers.contains(server)) {
            return Err(Error::refused(not_configured(unknown)));
        }
        let (to, days) = (context.clock.now(), days.unwrap_or(DAYS).clamp(1, 90));
        let span = Span { from: to.minus(DAY * days), to };
        Ok(Self { span, days, server, zone: Zone::of(context, guild).await, community: community.id.clone() })
    }

    /// `in the last 7 days, on server 2`.
    pub(in crate::commands) fn words(&self) -> SafeText {
        let days = if self.days == 1 { "in the last 24 hours".into() } else { safe!("in the last {} days", self.days) };
        let server = self.server.map(|server| safe!(", on server {}", server)).unwrap_or_default();
        safe!("{}{}", days, server)
    }

    /// [`subtitle`](Self::subtitle) as the last line of an answer.
    pub(in crate::commands) fn small_print(&self) -> SafeText {
        safe!("-# {}", text::line(&self.subtitle(), 200))
    }

    /// `14 Nov 2026 to 21 Nov 2026, 16:00 · Europe/Berlin · server 2`.
    pub(in crate::commands) fn subtitle(&self) -> String {
        let (from, to) = (self.zone.say(self.span.from, "%-d %b %Y, %H:%M"), self.zone.say(self.span.to, "%-d %b %Y, %H:%M"));
        let server = self.server.map(|server| format!(" · server {server}")).unwrap_or_default();
        format!("{from} to {to} · {}{server}", self.zone.name)
    }

    pub(in crate::commands) async fn sessions(&self, context: &CommandContext) -> Result<Vec<DutySession>, Error> {
        let which = Which { community: self.community.clone(), server: self.server, span: self.span };
        Ok(context.store.sessions(which).await?)
    }
}

/// Added if an answer couldn't hold everything.
pub(in crate::commands) fn cut_short(sessions: usize) -> Option<SafeText> {
    (sessions >= MAX_SESSIONS).then(|| safe!("-# Only the last {} sessions were looked at: ask for fewer days.", MAX_SESSIONS))
}

/// Local time.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Zone {
    pub(in crate::commands) name: String,
    zone: TimeZone,
}

impl Zone {
    /// The zone of the guild's quiet hours, else the CAD's, else UTC.
    async fn of(context: &CommandContext, guild: GuildId) -> Self {
        let quiet = context.store.routing_now().guilds.get(&guild).and_then(|guild| guild.quiet.clone()).map(|quiet| quiet.timezone);
        let own = quiet.as_deref().and_then(Self::named);
        match own {
            Some(zone) => zone,
            None => context.names.timezone(context, guild).await.as_deref().and_then(Self::named).unwrap_or_else(Self::utc),
        }
    }

    fn named(name: &str) -> Option<Self> {
        let zone = TimeZone::get(name.trim()).ok().filter(|zone| !zone.is_unknown())?;
        let name = zone.iana_name()?.to_owned();
        Some(Self { name, zone })
    }

    pub(in crate::commands) fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// The moment in `format` (as strftime); empty for a moment outside the calendar.
    pub(in crate::commands) fn say(&self, at: UnixMs, format: &str) -> String {
        let at = Timestamp::from_millisecond(at.0).ok().map(|at| at.to_zoned(self.zone.clone()));
        at.and_then(|at| jiff::fmt::strtime::format(format, &at).ok()).unwrap_or_default()
    }

    /// Hour of the day, 0 to 23.
    pub(in crate::commands) fn hour(&self, at: UnixMs) -> usize {
        let at = Timestamp::from_millisecond(at.0).ok().map(|at| at.to_zoned(self.zone.clone()));
        at.and_then(|at| usize::try_from(at.hour()).ok()).unwrap_or(0)
    }
}

/// A member or a department whose hours are added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Tally {
    /// As the CAD wrote it.
    pub(in crate::commands) name: String,
    /// Callsign and department of the latest session, or a department's number of members; may be empty.
    pub(in crate::commands) note: String,
    pub(in crate::commands) time: Duration,
    pub(in crate::commands) sessions: usize,
}

/// The key of a session's hours: its member, or the number if the unit is known only by that.
type Whose = (DutyMember, Option<(ServerId, Ident)>);

fn whose(session: &DutySession) -> Whose {
    let nameless = session.account.is_empty() && session.name.is_empty() && session.callsign.is_empty();
    (session.member(), nameless.then_some((session.server, session.ident)))
}

/// Time in a span by key. A member may have several identifiers on duty, on several servers: an hour with two counts once.
#[derive(Debug, Default)]
pub(super) struct Hours(HashMap<Whose, Vec<(UnixMs, UnixMs)>>);

impl Hours {
    pub(super) fn of<'a>(sessions: impl IntoIterator<Item = &'a DutySession>, span: Span) -> Self {
        let mut hours = Self::default();
        sessions.into_iter().for_each(|session| hours.add(session, span));
        hours
    }

    fn add(&mut self, session: &DutySession, span: Span) {
        let from = session.began.max(span.from);
        self.0.entry(whose(session)).or_default().push((from, from.plus(session.within(span))));
    }

    pub(super) fn total(self) -> Duration {
        self.0.into_values().map(covered).sum()
    }
}

/// The time covered by these pieces, however they overlap.
fn covered(mut pieces: Vec<(UnixMs, UnixMs)>) -> Duration {
    pieces.sort_unstable();
    let (mut total, mut until) = (Duration::ZERO, UnixMs(i64::MIN));
    for (from, to) in pieces {
        total += to.since(from.max(until));
        until = until.max(to);
    }
    total
}

/// Hours by member, most first. Names are those of the latest session.
pub(in crate::commands) fn by_member(sessions: &[DutySession], span: Span) -> Vec<Tally> {
    let mut tallies: HashMap<Whose, (Tally, Hours)> = HashMap::new();
    for session in sessions {
        // The newest come first.
        let empty = || (Tally { name: name(session), note: note(session), time: Duration::ZERO, sessions: 0 }, Hours::default());
        let (tally, hours) = tallies.entry(whose(session)).or_insert_with(empty);
        hours.add(session, span);
        tally.sessions += 1;
    }
    sorted(tallies.into_values().map(|(tally, hours)| Tally { time: hours.total(), ..tally }).collect())
}

/// Hours by department, most first: those of each member there, added up.
pub(in crate::commands) fn by_department(sessions: &[DutySession], span: Span) -> Vec<Tally> {
    let mut tallies: HashMap<String, (Tally, Hours)> = HashMap::new();
    for session in sessions {
        let (tally, hours) = tallies.entry(session.department.to_lowercase()).or_insert_with(|| {
            let name = if session.department.is_empty() { "No department".to_owned() } else { session.department.clone() };
            (Tally { name, note: String::new(), time: Duration::ZERO, sessions: 0 }, Hours::default())
        });
        hours.add(session, span);
        tally.sessions += 1;
    }
    let whole = |(tally, hours): (Tally, Hours)| Tally {
        note: counted(hours.0.len(), "member", "members").into_string(),
        time: hours.total(),
        ..tally
    };
    sorted(tallies.into_values().map(whole).collect())
}

fn sorted(mut tallies: Vec<Tally>) -> Vec<Tally> {
    tallies.sort_by(|one, other| other.time.cmp(&one.time).then_with(|| one.name.cmp(&other.name)).then_with(|| one.note.cmp(&other.note)));
    tallies
}

/// A unit's label: name, else callsign, else number.
pub(in crate::commands) fn name(session: &DutySession) -> String {
    let known = [&session.name, &session.callsign].into_iter().find(|text| text::visible(Some(text)).is_some());
    known.cloned().unwrap_or_else(|| format!("Unit {}", session.ident))
}

/// Callsign and department, if they add to the name.
fn note(session: &DutySession) -> String {
    let callsign = Some(&session.callsign).filter(|callsign| !callsign.is_empty() && **callsign != name(session));
    let department = Some(&session.department).filter(|department| !department.is_empty());
    [callsign, department].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" · ")
}

/// A stranger's text in an answer.
pub(in crate::commands) fn quoted(raw: &str) -> SafeText {
    text::line(raw, NAME)
}

/// Whether a session matches what was typed: a choice from the list (an account, or name and callsign), or a part of either.
pub(in crate::commands) fn is_of(session: &DutySession, wanted: &str) -> bool {
    let wanted = wanted.trim().to_lowercase();
    match &session.member() {
        DutyMember::Account(account) if account.to_lowercase() == wanted => true,
        _ => shown(&session.name, &session.callsign).to_lowercase().contains(&wanted),
    }
}

/// `Ann Lee · A-12`.
pub(in crate::commands) fn shown(name: &str, callsign: &str) -> String {
    [name, callsign].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// The hint if there are no sessions.
pub(in crate::commands) fn nothing(scope: &ReportScope) -> SafeText {
    safe!(
        "Nobody was on duty {}, as far as the bot has seen: it counts from logins and logouts in the CAD since it runs. Try more `days:`, or see `/cad status` for whether events arrive.",
        scope.words()
    )
}

/// A chart as a file with a description.
pub(in crate::commands) async fn drawn(context: &CommandContext, chart: Chart, name: &str, says: &str) -> Result<CreateAttachment, Error> {
    let png = context.painter.paint(chart).await.map_err(|error| Error::Internal(error.into()))?;
    Ok(CreateAttachment::bytes(png, name).description(text::plain(says, 1_000)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::clock::ms;

    pub(in crate::commands) fn session(
        account: &str,
        name: &str,
        callsign: &str,
        department: &str,
        began: i64,
        ended: Option<i64>,
    ) -> DutySession {
        DutySession {
            id: 1,
            server: ServerId(1),
            ident: Ident(7),
            account: account.into(),
            callsign: callsign.into(),
            name: name.into(),
            department: department.into(),
            began: UnixMs(began),
            joined_late: false,
            ended: ended.map(UnixMs),
            missed: false,
        }
    }

    const SPAN: Span = Span { from: UnixMs(1_000), to: UnixMs(10_000) };

    #[test]
    fn hours_are_added_up_by_account_under_the_latest_name() {
        let sessions = [
            session("u1", "Ann Lee", "B-2", "Fire", 8_000, None),
            session("", "Bob", "C-3", "", 5_000, Some(6_000)),
            session("u1", "Ann", "A-1", "Police", 0, Some(3_000)),
            session("", "Bob", "C-4", "", 5_000, Some(5_500)),
            session("", "", "", "", 9_000, Some(9_100)),
        ];
        let tally = |name: &str, note: &str, time, sessions| Tally { name: name.into(), note: note.into(), time: ms(time), sessions };
        assert_eq!(
            by_member(&sessions, SPAN),
            [
                tally("Ann Lee", "B-2 · Fire", 4_000, 2),
                tally("Bob", "C-3", 1_000, 1),
                tally("Bob", "C-4", 500, 1),
                tally("Unit 7", "", 100, 1)
            ]
        );
        assert_eq!(
            by_department(&sessions, SPAN),
            [tally("Fire", "1 member", 2_000, 1), tally("Police", "1 member", 2_000, 1), tally("No department", "3 members", 1_600, 3)]
        );
    }

    #[test]
    fn time_is_covered_once() {
        let of = |pieces: &[(i64, i64)]| covered(pieces.iter().map(|(from, to)| (UnixMs(*from), UnixMs(*to))).collect()).as_millis();
        assert_eq!(of(&[]), 0);
        // Separate, touching, overlapping, nested, the same twice, in any order, empty.
        assert_eq!(of(&[(0, 10), (20, 30)]), 20);
        assert_eq!(of(&[(0, 10), (10, 30)]), 30);
        assert_eq!(of(&[(5, 30), (0, 10)]), 30);
        assert_eq!(of(&[(0, 100), (10, 20), (30, 40), (90, 110)]), 110);
        assert_eq!(of(&[(0, 10), (0, 10)]), 10);
        assert_eq!(of(&[(7, 7), (9, 9)]), 0);
    }

    #[test]
    fn an_hour_with_two_identifiers_is_one_hour() {
        let elsewhere = |session: DutySession| DutySession { server: ServerId(2), ident: Ident(8), ..session };
        let sessions = [
            session("u1", "Ann", "A-1", "Police", 2_000, Some(6_000)),
            // In parallel, on another server and in another department; nested; after a gap; past the span's end.
            elsewhere(session("u1", "Ann", "A-9", "Fire", 4_000, Some(7_000))),
            session("u1", "Ann", "A-2", "Police", 3_000, Some(4_000)),
            session("u1", "Ann", "A-1", "Police", 9_000, None),
            // Another member's hours are separate.
            session("u2", "Bob", "B-1", "Police", 2_000, Some(6_000)),
        ];
        let hours =
            |tallies: Vec<Tally>| tallies.into_iter().map(|tally| (tally.name, tally.time.as_millis(), tally.sessions)).collect::<Vec<_>>();
        assert_eq!(hours(by_member(&sessions, SPAN)), [("Ann".to_owned(), 6_000, 4), ("Bob".to_owned(), 4_000, 1)]);
        assert_eq!(hours(by_department(&sessions, SPAN)), [("Police".to_owned(), 9_000, 4), ("Fire".to_owned(), 3_000, 1)]);
        assert_eq!(Hours::of(&sessions, SPAN).total(), ms(10_000));
    }

    #[test]
    fn units_of_which_only_the_number_is_known_are_not_one() {
        let known = session("", "", "", "", 2_000, Some(3_000));
        let sessions = [known.clone(), DutySession { ident: Ident(8), ..known.clone() }, DutySession { server: ServerId(2), ..known }];
        assert_eq!(by_member(&sessions, SPAN).iter().map(|tally| tally.time.as_millis()).collect::<Vec<_>>(), [1_000; 3]);
        assert_eq!(by_department(&sessions, SPAN)[0].note, "3 members");
    }

    #[test]
    fn who_is_meant() {
        let ann = session("A1B2", "Ann Lee", "A-12", "", 0, None);
        for wanted in ["a1b2", "ANN", "a-12", "Ann Lee · A-12", " lee "] {
            assert!(is_of(&ann, wanted), "{wanted}");
        }
        for wanted in ["a1b", "Bob"] {
            assert!(!is_of(&ann, wanted), "{wanted}");
        }
    }

    #[test]
    fn clocks_on_walls() {
        let berlin = Zone::named("europe/berlin").unwrap();
        // 2026-07-01T22:30:00Z: summer time.
        let at = UnixMs(1_782_945_000_000);
        assert_eq!((berlin.name.as_str(), berlin.hour(at)), ("Europe/Berlin", 0));
        assert_eq!(berlin.say(at, "%Y-%m-%dT%H:%M:%S%:z"), "2026-07-02T00:30:00+02:00");
        assert_eq!((Zone::utc().hour(at), Zone::utc().say(at, "%-d %b")), (22, "1 Jul".to_owned()));
        assert!(Zone::named("Mars/Olympus").is_none() && Zone::named("").is_none());
        assert_eq!(Zone::utc().say(UnixMs(i64::MAX), "%Y"), "");
    }
}
