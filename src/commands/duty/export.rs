//! `/duty export`.

use serenity::all::CreateAttachment;

use super::{Scope, Zone, cut_short, name, nothing};
use crate::clock::UnixMs;
use crate::commands::errors::Error;
use crate::commands::reply::Page;
use crate::commands::{Context, autocomplete, guild_of, reply};
use crate::store::duty::{Session, Span};

const COLUMNS: &str = "member,callsign,department,account,server,began,ended,seconds,joined_late,logout_missed";

/// All sessions on duty as a table (CSV)
#[poise::command(slash_command, guild_only)]
pub(super) async fn export(
    ctx: Context<'_>,
    #[description = "How many days back (default: 7)"]
    #[min = 1]
    #[max = 90]
    days: Option<u32>,
    #[description = "Only this CAD server (default: all of them)"]
    #[autocomplete = "autocomplete::server"]
    #[min = 1]
    server: Option<u32>,
    #[description = "Let everybody in this channel see the answer"] share: Option<bool>,
) -> Result<(), Error> {
    let shared = share.unwrap_or(false);
    ctx.defer_response(!shared).await?;
    let desk = ctx.data();
    let scope = Scope::new(desk, guild_of(ctx)?, days, server).await?;
    let sessions = scope.sessions(desk).await?;
    if sessions.is_empty() {
        return Err(Error::Refused(nothing(&scope)));
    }
    let file = CreateAttachment::bytes(
        csv(&sessions, scope.span.to, &scope.zone),
        format!("duty-{}.csv", scope.zone.say(scope.span.to, "%Y-%m-%d")),
    );
    let mut lines = vec![
        format!("{} that lie wholly or in part {}.", sessions_in_words(sessions.len()), scope.words()),
        format!("Times are of {}; `seconds` counts the whole session, until now if it lasts.", scope.zone.name),
    ];
    lines.extend(cut_short(sessions.len()));
    reply::enclose(ctx, vec![Page::new("📄 Duty export", lines.join("\n"), reply::BLUE)], vec![file], shared).await
}

fn sessions_in_words(count: usize) -> String {
    if count == 1 { "1 session".to_owned() } else { format!("{count} sessions") }
}

/// RFC 4180: lines end with CR LF, cells with commas, quotes or breaks are quoted. The oldest first.
fn csv(sessions: &[Session], now: UnixMs, zone: &Zone) -> String {
    let mut out = format!("{COLUMNS}\r\n");
    for session in sessions.iter().rev() {
        let time = |at: UnixMs| zone.say(at, "%Y-%m-%dT%H:%M:%S%:z");
        let long = session.within(Span { from: session.began, to: now }) / 1_000;
        let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
        let cells = [
            cell(&name(session)),
            cell(&session.callsign),
            cell(&session.department),
            cell(&session.account),
            session.server.to_string(),
            time(session.began),
            session.ended.map(time).unwrap_or_default(),
            long.to_string(),
            yes(session.joined_late),
            yes(session.missed),
        ];
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

/// A stranger's text. One that a spreadsheet would take for a formula gets an apostrophe, which spreadsheets take for "this is text".
fn cell(raw: &str) -> String {
    let formula = raw.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) || raw.starts_with(['\t', '\r', '\n']);
    let text = if formula { format!("'{raw}") } else { raw.to_owned() };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::duty::tests::session;

    #[test]
    fn cells_are_text() {
        for (raw, said) in [
            ("Ann", "Ann"),
            ("", ""),
            ("Lee, Ann", "\"Lee, Ann\""),
            ("the \"Boss\"", "\"the \"\"Boss\"\"\""),
            ("a\r\nb", "\"a\r\nb\""),
            ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
            ("+1", "'+1"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            (" =1", "' =1"),
            ("\t=1", "'\t=1"),
            ("A-12", "A-12"),
        ] {
            assert_eq!(cell(raw), said, "{raw:?}");
        }
    }

    #[test]
    fn the_table() {
        let mut missed = session("u1", "Ann", "A-12", "Fire", 1_000, Some(61_000));
        missed.missed = true;
        let mut lasting = session("", "", "", "", 120_000, None);
        lasting.joined_late = true;
        let rows = csv(&[lasting, missed], UnixMs(180_999), &Zone::utc());
        assert_eq!(
            rows,
            "member,callsign,department,account,server,began,ended,seconds,joined_late,logout_missed\r\n\
             Ann,A-12,Fire,u1,1,1970-01-01T00:00:01+00:00,1970-01-01T00:01:01+00:00,60,no,yes\r\n\
             Unit 7,,,,1,1970-01-01T00:02:00+00:00,,60,yes,no\r\n"
        );
    }
}
