//! `/duty leaderboard`.

use tenfour_chart::{self as chart, Bars, Chart, Heading, Measure, Row};

use super::report::{ReportScope, Tally, by_department, by_member, cut_short, drawn, nothing, quoted};
use crate::clock::millis;
use crate::commands::context::{Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::options::{By, ByChoice};
use crate::commands::reply::ReplyPage;
use crate::commands::wording::counted;
use crate::commands::{autocomplete, reply};
use crate::render::text::{SafeText, safe};

/// Members listed in words; the chart shows more.
const MAX_LINES: usize = 10;
const FILE: &str = "duty-leaderboard.png";

/// Hours on duty as a chart, most first
#[poise::command(slash_command, guild_only)]
pub(super) async fn leaderboard(
    ctx: Context<'_>,
    #[description = "How many days back (default: 7)"]
    #[min = 1]
    #[max = 90]
    days: Option<u32>,
    #[description = "Whose hours are added up (default: each member's)"] by: Option<ByChoice>,
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
    let by = by.map_or(By::Member, |by| by.0);
    let (tallies, what) = match by {
        By::Member => (by_member(&sessions, scope.span), "Hours on duty by member"),
        By::Department => (by_department(&sessions, scope.span), "Hours on duty by department"),
    };
    let heading = Heading { title: what.to_owned(), subtitle: scope.subtitle() };
    let rows = tallies.iter().map(|tally| Row { label: tally.name.clone(), note: tally.note.clone(), value: millis(tally.time) }).collect();
    let says = format!("Bar chart: {what}, {}. {}", scope.subtitle(), plainly(&tallies));
    let file = drawn(context, Chart::Bars(Bars { heading, rows, measure: Measure::Duration }), FILE, &says).await?;
    let mut lines = lines(&tallies);
    lines.push(safe!("{} · sessions that last count until now", scope.small_print()));
    lines.extend(cut_short(sessions.len()));
    reply::enclose(
        ctx,
        vec![ReplyPage::new(safe!("🏆 {}", what), SafeText::join(lines, "\n"), reply::BLUE).picture(FILE)],
        vec![file],
        shared,
    )
    .await
}

fn lines(tallies: &[Tally]) -> Vec<SafeText> {
    let line = |(nth, tally): (usize, &Tally)| {
        let note = if tally.note.is_empty() { SafeText::default() } else { safe!(" · {}", quoted(&tally.note)) };
        let sessions = counted(tally.sessions, "session", "sessions");
        safe!("{}. **{}**{} · {} in {}", nth + 1, quoted(&tally.name), note, quoted(&chart::duration(tally.time)), sessions)
    };
    let mut lines: Vec<SafeText> = tallies.iter().take(MAX_LINES).enumerate().map(line).collect();
    if let Some(more) = tallies.len().checked_sub(MAX_LINES).filter(|more| *more > 0) {
        lines.push(safe!("… and {} more.", more));
    }
    lines
}

/// For people who can't see the picture.
fn plainly(tallies: &[Tally]) -> String {
    let said: Vec<String> = tallies.iter().take(MAX_LINES).map(|tally| format!("{} {}", tally.name, chart::duration(tally.time))).collect();
    format!("{}.", said.join(", "))
}
