//! `/cad audit`: who changed which setting, who did what in the CAD.

use std::time::Duration;

use serenity::all::{self as serenity, ButtonStyle, CreateActionRow, CreateButton};

use crate::clock::UnixMs;
use crate::commands::context::{CommandContext, Context, guild_of};
use crate::commands::custom_id::{AuditQuery, CustomId};
use crate::commands::errors::Error;
use crate::commands::options::EntryKind;
use crate::commands::reply::{BLUE, ReplyPage};
use crate::commands::wording::counted;
use crate::commands::{csv, reply};
use crate::ids::{GuildId, UserId};
use crate::render::text::{self, SafeText, safe};
use crate::store::audit::{AuditEntry, AuditFilter, AuditKind, KEEP, MAX_ENTRIES, PAGE};

/// Longest line of a page (UTF-16 units): fifteen of them fit a description.
const LINE: usize = 265;
/// Largest file that is attached (bytes): Discord takes 10 MiB.
const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;
const DAY: Duration = Duration::from_secs(86_400);
/// As long as entries are kept.
const ALL_DAYS: u32 = 90;

/// Who changed which setting, and who did what in the CAD
#[poise::command(slash_command, guild_only)]
pub(super) async fn audit(
    ctx: Context<'_>,
    #[description = "Only what this person did"] user: Option<serenity::User>,
    #[description = "Only changes of settings, or only what was done in the CAD"] kind: Option<EntryKind>,
    #[description = "Only the last days (default: 90, which is all)"]
    #[min = 1]
    #[max = 90]
    days: Option<u32>,
    #[description = "As a file for spreadsheets"] export: Option<bool>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let (guild, context) = (guild_of(ctx)?, ctx.data());
    let query = AuditQuery {
        user: user.map(|user| UserId(user.id.get())),
        kind: kind.map(|kind| kind.0),
        days: days.unwrap_or(ALL_DAYS),
        upto: 0,
        page: 0,
    };
    if export != Some(true) {
        return reply::show(ctx, page(context, guild, query).await?).await;
    }
    let entries = context.store.all_audited(guild, filter(&query, context.clock.now())).await?;
    if entries.is_empty() {
        return reply::say(ctx, NOTHING).await;
    }
    let (file, rows) = table(&entries);
    let left =
        if rows < entries.len() || entries.len() == MAX_ENTRIES as usize { " Older ones are left out: ask for fewer `days:`." } else { "" };
    let page = ReplyPage::new("🗂️ Audit", safe!("{}, newest first.{}", counted(rows, "entry", "entries"), left), BLUE);
    reply::file(ctx, page, &format!("tenfour-audit-{}.csv", day(context.clock.now())), file).await
}

const NOTHING: &str = "Nothing of that kind was written down. Entries are kept for 90 days.";

/// `2026-01-31`, in UTC.
pub(super) fn day(at: UnixMs) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| "undated".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

fn filter(query: &AuditQuery, now: UnixMs) -> AuditFilter {
    let longest = KEEP.min(DAY.saturating_mul(query.days));
    AuditFilter { user: query.user, kind: query.kind, since: now.minus(longest), upto: Some(query.upto).filter(|upto| *upto > 0) }
}

/// One page, with buttons to its neighbours.
pub(in crate::commands) async fn page(context: &CommandContext, guild: GuildId, query: AuditQuery) -> Result<ReplyPage, Error> {
    let found = context.store.audited(guild, filter(&query, context.clock.now()), query.page).await?;
    if found.total == 0 {
        return Ok(ReplyPage::new("🗂️ Audit", NOTHING, BLUE));
    }
    let pages = found.total.div_ceil(PAGE);
    let entries = counted(usize::try_from(found.total).unwrap_or(usize::MAX), "entry", "entries");
    let title = safe!("🗂️ Audit: {}", entries);
    let title = if pages > 1 { safe!("{}, page {} of {}", title, query.page.saturating_add(1), pages) } else { title };
    let lines: Vec<SafeText> = found.entries.iter().map(line).collect();
    let mut page = ReplyPage::new(title, SafeText::join(lines, "\n"), BLUE);
    if pages > 1 {
        let at = |page: u32| CustomId::Audit(AuditQuery { upto: found.newest, page, ..query }).to_string();
        let (newer, older) = (query.page.saturating_sub(1), query.page.saturating_add(1));
        let button =
            |label: &str, id: String, there: bool| CreateButton::new(id).label(label).style(ButtonStyle::Secondary).disabled(!there);
        // Both ids must differ, even for disabled buttons.
        page.rows = vec![CreateActionRow::Buttons(vec![
            button("◀ Newer", at(if query.page == 0 { u32::MAX } else { newer }), query.page > 0),
            button("Older ▶", at(older), older < pages),
        ])];
    }
    Ok(page)
}

fn line(entry: &AuditEntry) -> SafeText {
    let icon = match entry.kind {
        AuditKind::Setting => "⚙️",
        AuditKind::Cad => "🚓",
    };
    let head = safe!("{} <t:{}:f> <@{}> **{}**", icon, entry.at.secs(), entry.user, text::line(&entry.action, 60));
    let target = if entry.target.is_empty() { SafeText::default() } else { safe!(" · {}", shown(&entry.target, 70)) };
    let outcome = if entry.outcome == "done" { SafeText::default() } else { safe!(" · {}", shown(&entry.outcome, 60)) };
    let left = LINE.saturating_sub(text::units(&head) + text::units(&target) + text::units(&outcome) + 3);
    let detail = if entry.detail.is_empty() || left < 8 { SafeText::default() } else { safe!(" · {}", shown(&entry.detail, left)) };
    safe!("{}{}{}{}", head, target, detail, outcome)
}

/// Harmless, except for mentions of channels, roles and people in Discord's syntax: here they ping nobody.
fn shown(raw: &str, max: usize) -> SafeText {
    let (mut safe, mut rest) = (SafeText::default(), raw);
    while let Some(at) = rest.find('<') {
        let (plain, tail) = rest.split_at(at);
        let (mention, after) = tail.split_at(tail.find('>').map_or(0, |end| end + 1));
        safe = pushed(safe, plain, max);
        if let Some(mention) = mentioned(mention) {
            if text::units(&safe) + mention.len() > max {
                return safe.cut(max);
            }
            safe = safe!("{}{}", safe, mention);
            rest = after;
        } else {
            safe = pushed(safe, "<", max);
            rest = tail.get(1..).unwrap_or_default();
        }
    }
    // Spaces between the parts weren't counted.
    pushed(safe, rest, max).cut(max)
}

/// The mention of a channel, a role or a person that a text is.
fn mentioned(raw: &str) -> Option<SafeText> {
    let digits = raw.trim_start_matches(['<', '@', '#', '&']).strip_suffix('>').filter(|digits| (15..=20).contains(&digits.len()))?;
    let id: u64 = digits.parse().ok()?;
    [safe!("<#{}>", id), safe!("<@{}>", id), safe!("<@&{}>", id)].into_iter().find(|mention| mention == raw)
}

fn pushed(safe: SafeText, raw: &str, max: usize) -> SafeText {
    let left = max.saturating_sub(text::units(&safe));
    if left == 0 || raw.is_empty() {
        return safe;
    }
    // Discord trims, and between two mentions there is often only a space and a word.
    let space = |there: bool| if there { " " } else { "" };
    let (front, back) = (space(raw.starts_with(char::is_whitespace)), space(raw.ends_with(char::is_whitespace)));
    match text::visible(Some(raw)) {
        Some(raw) => safe!("{}{}{}{}", safe, front, text::line(raw, left), back),
        None => safe!("{}{}", safe, front),
    }
}

/// As many entries as fit a file, and their number.
fn table(entries: &[AuditEntry]) -> (Vec<u8>, usize) {
    let mut file = String::from("time,user,kind,action,target,detail,outcome\r\n");
    let mut rows = 0;
    for entry in entries {
        let time = jiff::Timestamp::from_millisecond(entry.at.0).map(|at| at.to_string()).unwrap_or_default();
        // As a mention: spreadsheets round long numbers.
        let user = format!("<@{}>", entry.user);
        let row = csv::row([&time, &user, entry.kind.as_str(), &entry.action, &entry.target, &entry.detail, &entry.outcome]);
        if file.len() + row.len() > MAX_FILE_BYTES {
            break;
        }
        file.push_str(&row);
        rows += 1;
    }
    (file.into_bytes(), rows)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(detail: &str) -> AuditEntry {
        AuditEntry {
            guild: GuildId(1),
            at: UnixMs(1_790_000_000_000),
            user: UserId(u64::MAX),
            kind: AuditKind::Setting,
            action: "/alerts add".into(),
            target: "route #3".into(),
            detail: detail.into(),
            outcome: "done".into(),
        }
    }

    #[test]
    fn mentions_are_shown_and_nothing_else_is_formatted() {
        let told = shown("event:911 channel:<#123456789012345678> role:<@&123456789012345679> <@5> <#x> *a* <https://x.y>", 300);
        assert_eq!(
            told.replace('\u{200B}', ""),
            "event:911 channel:<#123456789012345678> role:<@&123456789012345679> <@5> <\\#x> \\*a\\* <https://x.y>"
        );
        assert_eq!(shown("", 10), "");
    }

    #[test]
    fn a_file_stays_below_what_discord_takes() {
        let entries = vec![AuditEntry { target: "\"".repeat(300), ..entry(&"\u{1F6A8}".repeat(300)) }; 6_000];
        let (file, rows) = table(&entries);
        assert!(file.len() <= MAX_FILE_BYTES && rows < entries.len() && rows > 3_000, "{} {rows}", file.len());
        assert!(file.ends_with(b"\r\n"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn fifteen_lines_of_anything_fit_a_page(detail in "(.{0,100}|<[@#&]{0,2}[0-9]{0,20}>| ){0,12}") {
            let told = line(&entry(&detail));
            prop_assert!(text::units(&told) <= LINE && !told.contains('\n'), "{told}");
            prop_assert!(!told.contains("@everyone") && !told.contains("@here"), "{told}");
        }
    }
}
