//! `/duty log`.

use tenfour_chart as chart;

use super::report::{Hours, ReportScope, cut_short, is_of, name, nothing, quoted};
use crate::commands::context::{Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::wording::counted;
use crate::commands::{autocomplete, reply};
use crate::render::text::{SafeText, safe};
use crate::store::duty::{DutySession, Span};

/// Limit on listed sessions; the total counts all.
const MAX_SESSIONS_LISTED: usize = 100;

/// Sessions on duty: who, from when to when
#[poise::command(slash_command, guild_only)]
pub(super) async fn log(
    ctx: Context<'_>,
    #[description = "Only this member: name or callsign"]
    #[autocomplete = "autocomplete::member"]
    #[max_length = 100]
    member: Option<String>,
    #[description = "Only this department"]
    #[autocomplete = "autocomplete::department"]
    #[max_length = 100]
    department: Option<String>,
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
    let all = scope.sessions(context).await?;
    if all.is_empty() {
        return Err(Error::refused(nothing(&scope)));
    }
    let looked_at = all.len();
    let of_department =
        |session: &&DutySession| department.as_deref().is_none_or(|d| session.department.to_lowercase() == d.trim().to_lowercase());
    let of_member = |session: &&DutySession| member.as_deref().is_none_or(|m| is_of(session, m));
    let found: Vec<&DutySession> = all.iter().filter(of_department).filter(of_member).collect();
    if found.is_empty() {
        return Err(Error::refused(safe!(
            "Nobody like that was on duty {}: choose from the list that shows while you type, or ask for more `days:`.",
            scope.words()
        )));
    }
    let mut lines = lines(&found, &scope);
    lines.extend(cut_short(looked_at));
    reply::list_to(ctx, "🕒 Duty log", &lines, reply::BLUE, shared).await
}

fn lines(found: &[&DutySession], scope: &ReportScope) -> Vec<SafeText> {
    let total = Hours::of(found.iter().copied(), scope.span).total();
    let count = counted(found.len(), "session", "sessions");
    let mut lines = vec![safe!("**{}, {}** {}.", count, quoted(&chart::duration(total)), scope.words()), SafeText::default()];
    lines.extend(found.iter().take(MAX_SESSIONS_LISTED).map(|session| line(session, scope.span)));
    if let Some(more) = found.len().checked_sub(MAX_SESSIONS_LISTED).filter(|more| *more > 0) {
        lines.push(safe!("… and {} older ones: `/duty export` has them all.", more));
    }
    if found.iter().any(|session| session.missed) {
        lines.push("-# ✂️ The logout was missed: counted until the last sign of life.".into());
    }
    if found.iter().any(|session| session.joined_late) {
        lines.push("-# 🌗 Was on duty before the bot saw it: counted from then.".into());
    }
    lines
}

/// `<t:…:f> – <t:…:t> · **1 h 5 min** · Ann · A-12 · Fire ✂️`
fn line(session: &DutySession, span: Span) -> SafeText {
    let began = safe!("<t:{}:f>", session.began.secs());
    let ended = session.ended.map_or_else(|| "now".into(), |at| safe!("<t:{}:t>", at.secs()));
    // Even if part of it is before the span: the line shows the whole session.
    let long = session.within(Span { from: session.began, ..span });
    let callsign = if session.name.is_empty() { "" } else { session.callsign.as_str() };
    let who = SafeText::join([quoted(&name(session)), quoted(callsign)].into_iter().filter(|part| !part.is_empty()), " · ");
    let department = if session.department.is_empty() { SafeText::default() } else { safe!(" · {}", quoted(&session.department)) };
    let marks = [(session.joined_late, " 🌗"), (session.missed, " ✂️")];
    let marks = SafeText::join(marks.into_iter().filter(|(holds, _)| *holds).map(|(_, mark)| mark.into()), "");
    safe!("{} – {} · **{}** · {}{}{}", began, ended, quoted(&chart::duration(long)), who, department, marks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;
    use crate::commands::duty::report::Zone;
    use crate::commands::duty::report::tests::session;
    use crate::ids::CommunityId;

    #[test]
    fn the_log_in_words() {
        const HOUR: i64 = 3_600_000;
        let span = Span { from: UnixMs(HOUR), to: UnixMs(10 * HOUR) };
        let scope = ReportScope { span, days: 1, server: None, zone: Zone::utc(), community: CommunityId::new("c") };
        let lasting = session("u", "Ann *Lee*", "A-12", "Fire", 8 * HOUR, None);
        let mut missed = session("", "", "C-3", "", 0, Some(2 * HOUR));
        (missed.missed, missed.joined_late) = (true, true);
        assert_eq!(
            lines(&[&lasting, &missed], &scope),
            [
                "**2 sessions, 3 h** in the last 24 hours.",
                "",
                "<t:28800:f> – now · **2 h** · Ann \\*Lee\\* · A-12 · Fire",
                "<t:0:f> – <t:7200:t> · **2 h** · C-3 🌗 ✂️",
                "-# ✂️ The logout was missed: counted until the last sign of life.",
                "-# 🌗 Was on duty before the bot saw it: counted from then.",
            ]
        );
        // The same member, at the same time: the hours are counted once.
        let many = vec![&lasting; 150];
        let lines = lines(&many, &scope);
        assert_eq!(lines[0], "**150 sessions, 2 h** in the last 24 hours.");
        assert_eq!((lines.len(), lines[102].as_str()), (103, "… and 50 older ones: `/duty export` has them all."));
    }
}
