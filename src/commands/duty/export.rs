//! `/duty export`.

use serenity::all::CreateAttachment;

use super::report::{ReportScope, Zone, cut_short, name, nothing};
use crate::clock::UnixMs;
use crate::commands::context::{Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::reply::ReplyPage;
use crate::commands::wording::counted;
use crate::commands::{autocomplete, csv, reply};
use crate::render::text::{self, SafeText, safe};
use crate::store::duty::{DutySession, Span};

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
    let context = ctx.data();
    let scope = ReportScope::new(context, guild_of(ctx)?, days, server).await?;
    let sessions = scope.sessions(context).await?;
    if sessions.is_empty() {
        return Err(Error::refused(nothing(&scope)));
    }
    let file = CreateAttachment::bytes(
        table(&sessions, scope.span.to, &scope.zone),
        format!("duty-{}.csv", scope.zone.say(scope.span.to, "%Y-%m-%d")),
    );
    let mut lines = vec![
        safe!(
            "{} that {} wholly or in part {}.",
            counted(sessions.len(), "session", "sessions"),
            if sessions.len() == 1 { "lies" } else { "lie" },
            scope.words()
        ),
        safe!("Times are of {}; `seconds` counts the whole session, until now if it lasts.", text::line(&scope.zone.name, 60)),
    ];
    lines.extend(cut_short(sessions.len()));
    reply::enclose(ctx, vec![ReplyPage::new("📄 Duty export", SafeText::join(lines, "\n"), reply::BLUE)], vec![file], shared).await
}

/// The oldest first.
fn table(sessions: &[DutySession], now: UnixMs, zone: &Zone) -> String {
    let mut out = format!("{COLUMNS}\r\n");
    for session in sessions.iter().rev() {
        let time = |at: UnixMs| zone.say(at, "%Y-%m-%dT%H:%M:%S%:z");
        let long = session.within(Span { from: session.began, to: now }).as_secs();
        let yes = |is: bool| if is { "yes" } else { "no" };
        out.push_str(&csv::row([
            &name(session),
            &session.callsign,
            &session.department,
            &session.account,
            &session.server.to_string(),
            &time(session.began),
            &session.ended.map(time).unwrap_or_default(),
            &long.to_string(),
            yes(session.joined_late),
            yes(session.missed),
        ]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::duty::report::tests::session;

    #[test]
    fn the_table() {
        let mut missed = session("u1", "Ann", "A-12", "Fire", 1_000, Some(61_000));
        missed.missed = true;
        let mut lasting = session("", "", "", "", 120_000, None);
        lasting.joined_late = true;
        let rows = table(&[lasting, missed], UnixMs(180_999), &Zone::utc());
        assert_eq!(
            rows,
            "member,callsign,department,account,server,began,ended,seconds,joined_late,logout_missed\r\n\
             Ann,A-12,Fire,u1,1,1970-01-01T00:00:01+00:00,1970-01-01T00:01:01+00:00,60,no,yes\r\n\
             Unit 7,,,,1,1970-01-01T00:02:00+00:00,,60,yes,no\r\n"
        );
    }
}
