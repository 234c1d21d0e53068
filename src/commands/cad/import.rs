//! `/cad import`: replaces all settings of this server by those of a file, after showing what would change.
//!
//! ```text
//! file ─ fetched, read, checked ─▶ difference shown, file kept for 15 min ─┬─ Replace ─ checked again ─▶ replaced, once
//!                                          ▲                                 │      └─ something changed meanwhile ─┐
//!                                          └─────────────────────────────────┼──────────────────────────────────────┘
//!                                                                            └─ Cancel, or time ─▶ nothing
//! ```

use std::collections::BTreeSet;

use serenity::all::{self as serenity, ButtonStyle, CreateActionRow, CreateButton};

use crate::clock::UnixMs;
use crate::commands::board::redraw::redraw;
use crate::commands::board::remove::take_away;
use crate::commands::context::{CommandContext, Context, guild_of};
use crate::commands::custom_id::CustomId;
use crate::commands::errors::Error;
use crate::commands::reply;
use crate::commands::reply::{BLUE, GREEN, ReplyPage, YELLOW};
use crate::commands::settings::check::GuildSnapshot;
use crate::commands::settings::difference::{counts, difference};
use crate::commands::settings::file::{SettingsFile, read};
use crate::commands::wording::counted;
use crate::ids::{ChannelId, GuildId, UserId};
use crate::render::text::{self, SafeText, safe};
use crate::store::audit::{AuditEntry, AuditKind};
use crate::store::settings::{HeldImport, Replaced, Replacing, Settings};

/// Largest file (bytes): two hundred routes with long filters are half of it.
const MAX_FILE_BYTES: usize = 256 * 1024;
/// Longest text of an answer (UTF-16 units); a description takes 4,096.
const MAX_ANSWER_LENGTH: usize = 3_400;
/// Longest line of it.
const LINE: usize = 700;

/// Replace all settings of this server by those of a file: shows the difference first
#[poise::command(slash_command, guild_only)]
pub(super) async fn import(
    ctx: Context<'_>,
    #[description = "A file that /cad export made"] file: serenity::Attachment,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let (guild, context) = (guild_of(ctx)?, ctx.data());
    if usize::try_from(file.size).unwrap_or(usize::MAX) > MAX_FILE_BYTES {
        return Err(not_fetched(&crate::discord::files::FileError::TooLarge(MAX_FILE_BYTES)));
    }
    let bytes = context.rest.file(&file.url, MAX_FILE_BYTES).await.map_err(|error| not_fetched(&error))?;
    let Ok(body) = String::from_utf8(bytes) else {
        return Err(Error::refused("The file is no text: take one that `/cad export` made."));
    };
    let by = (guild, UserId(ctx.interaction.user.id.get()));
    let page = match weigh(context, guild, &body, context.clock.now()).await? {
        Weighed::Impossible(problems) => impossible(&problems),
        Weighed::Possible(plan) => offer(context, by, body, &plan, None).await?,
    };
    reply::show(ctx, page).await
}

fn not_fetched(error: &crate::discord::files::FileError) -> Error {
    Error::refused(text::line(&error.to_string(), 300))
}

/// What a file would do.
struct Plan {
    before: Settings,
    after: Settings,
    lines: Vec<SafeText>,
    hints: Vec<SafeText>,
}

enum Weighed {
    Impossible(Vec<SafeText>),
    Possible(Box<Plan>),
}

/// Reads and checks a file against the guild as it is now.
async fn weigh(context: &CommandContext, guild: GuildId, body: &str, now: UnixMs) -> Result<Weighed, Error> {
    let routing = context.store.routing_now();
    let mut seen = context.store.priorities_seen(&context.community(guild)?.id).await?;
    // What is stored must come back, whatever earlier versions took.
    let own = routing.routes.iter().filter(|route| route.guild == guild);
    seen.extend(own.flat_map(|route| route.spec.rule.filter.priorities.iter().cloned()));
    let file = match read(body.as_bytes(), now, &seen) {
        Ok(file) => file,
        Err(problems) => return Ok(Weighed::Impossible(problems)),
    };
    let mut hints: Vec<SafeText> = file.warnings.iter().map(|warning| safe!("💡 {}", warning)).collect();
    let snapshot = GuildSnapshot::ask(context, guild).await?;
    let after = match snapshot.settle(SettingsFile { warnings: Vec::new(), ..file }, &context.community(guild)?.servers) {
        Ok(after) => after,
        Err(problems) => return Ok(Weighed::Impossible(problems)),
    };
    hints.extend(snapshot.hints(&after));
    let before = Settings::of(&routing, guild, now);
    let lines = difference(&before, &after, now);
    Ok(Weighed::Possible(Box::new(Plan { before, after, lines, hints })))
}

fn impossible(problems: &[SafeText]) -> ReplyPage {
    let title = safe!("Nothing was changed: {} in the file", counted(problems.len(), "problem", "problems"));
    let lines: Vec<SafeText> = problems.iter().map(|problem| safe!("❌ {}", problem)).collect();
    let (text, cut) = some(&lines, MAX_ANSWER_LENGTH);
    ReplyPage { file: cut.then(|| all("problems", &lines)), ..ReplyPage::new(title, text, YELLOW) }
}

/// The whole of what a page could show only in part.
fn all(name: &str, lines: &[SafeText]) -> (String, Vec<u8>) {
    (format!("{name}.txt"), lines.join("\n").into_bytes())
}

/// As many lines as fit, and how many are left. Also whether anything is.
fn some(lines: &[SafeText], max: usize) -> (SafeText, bool) {
    let (mut text, mut cut) = (SafeText::default(), false);
    for (nth, line) in lines.iter().enumerate() {
        cut |= text::units(line) > LINE;
        let line = line.cut(LINE);
        if text::units(&text) + text::units(&line) + 40 > max {
            return (safe!("{}\n… and {} more.", text, counted(lines.len() - nth, "line", "lines")), true);
        }
        text = if nth > 0 { safe!("{}\n{}", text, line) } else { line };
    }
    (text, cut)
}

/// Shows the difference with its buttons, and keeps the file for them.
async fn offer(
    context: &CommandContext,
    by: (GuildId, UserId),
    body: String,
    plan: &Plan,
    why: Option<&'static str>,
) -> Result<ReplyPage, Error> {
    let (hints, _) = some(&plan.hints, 700);
    if plan.lines.is_empty() {
        let text = safe!("The settings of this server are exactly those of the file.\n{}", hints);
        return Ok(ReplyPage::new("👌 Nothing would change", text.trimmed(), BLUE));
    }
    let (guild, user) = by;
    let import = context.store.hold_import(guild, user, body, plan.lines.join("\n"), context.clock.now()).await?;
    let (shown, cut) = some(&plan.lines, MAX_ANSWER_LENGTH - 800);
    let text = safe!(
        "{}{}\n\n{}\nThe file waits for 15 minutes. `/cad export` keeps what is set now.",
        why.map(|why| safe!("{}\n\n", why)).unwrap_or_default(),
        shown,
        hints
    );
    let mut page = ReplyPage::new(safe!("Replace all settings? {}", counts(&plan.lines)), text, YELLOW);
    page.file = cut.then(|| all("difference", &plan.lines));
    page.rows = vec![CreateActionRow::Buttons(vec![
        CreateButton::new(CustomId::ReplaceSettings(import).to_string()).label("Replace settings").style(ButtonStyle::Danger),
        CreateButton::new(CustomId::KeepSettings(import).to_string()).label("Cancel").style(ButtonStyle::Secondary),
    ])];
    Ok(page)
}

const GONE: &str = "This import does not wait any more: it was done, cancelled, replaced by a newer one, or is older than 15 minutes. Run `/cad import` again.";

/// The import of a press, if it is that person's.
async fn held(context: &CommandContext, by: (GuildId, UserId), import: i64) -> Result<HeldImport, Error> {
    let (guild, user) = by;
    let held = context.store.held_import(import).await?.filter(|held| held.guild == guild);
    let held = held.ok_or_else(|| Error::refused(GONE))?;
    if held.user != user {
        return Err(Error::refused(safe!("Only <@{}>, who ran `/cad import`, may decide this: run it yourself.", held.user)));
    }
    if held.is_over(context.clock.now()) {
        context.store.drop_import(import).await?;
        return Err(Error::refused("The difference was shown more than 15 minutes ago: run `/cad import` again."));
    }
    Ok(held)
}

/// *Cancel*.
pub(in crate::commands) async fn keep(context: &CommandContext, by: (GuildId, UserId), import: i64) -> Result<ReplyPage, Error> {
    held(context, by, import).await?;
    context.store.drop_import(import).await?;
    Ok(ReplyPage::new("Nothing was changed", "The settings stay as they are.", BLUE))
}

/// *Replace settings*.
pub(in crate::commands) async fn replace(context: &CommandContext, by: (GuildId, UserId), import: i64) -> Result<ReplyPage, Error> {
    let (guild, user) = by;
    let held = held(context, by, import).await?;
    let now = context.clock.now();
    let plan = match weigh(context, guild, &held.body, now).await? {
        Weighed::Impossible(problems) => {
            context.store.drop_import(import).await?;
            return Ok(impossible(&problems));
        }
        Weighed::Possible(plan) => plan,
    };
    if plan.lines.is_empty() {
        context.store.drop_import(import).await?;
    }
    const MOVED: &str = "⚠️ Something was changed since you looked: this is the difference now.";
    if plan.lines.join("\n") != held.shown {
        return offer(context, by, held.body, &plan, Some(MOVED)).await;
    }
    let entry = AuditEntry {
        guild,
        at: now,
        user,
        kind: AuditKind::Setting,
        action: "/cad import".to_owned(),
        target: counts(&plan.lines).into_string(),
        detail: plan.lines.join(" "),
        outcome: "done".to_owned(),
    };
    let community = context.community(guild)?.id.clone();
    let replacing = Replacing { import, guild, community, user, before: plan.before.clone(), after: plan.after.clone(), entry, now };
    let gone = match context.store.replace_settings(replacing).await? {
        Replaced::Done(gone) => gone,
        Replaced::Gone => return Err(Error::refused(GONE)),
        Replaced::Moved => {
            return match weigh(context, guild, &held.body, now).await? {
                Weighed::Impossible(problems) => Ok(impossible(&problems)),
                Weighed::Possible(plan) => offer(context, by, held.body, &plan, Some(MOVED)).await,
            };
        }
    };
    let mut said = vec![safe!("{}. `/cad audit` remembers it.", counts(&plan.lines))];
    // The settings are stored: if a consequence fails, that is reported, but not as if they weren't.
    for channel in places(&plan.after).difference(&places(&plan.before)) {
        if let Err(error) = context.open_again(guild, *channel).await {
            tracing::warn!(%channel, %error, "a channel could not be opened again");
        }
    }
    for told in futures_util::future::join_all(gone.iter().map(|board| take_away(context, board))).await {
        said.push(told.unwrap_or_else(|error| error.sentence("an import")));
    }
    redraw(context, guild, None).await;
    Ok(ReplyPage::new("✅ The settings are replaced", some(&said, MAX_ANSWER_LENGTH).0, GREEN))
}

/// Every channel that something is posted in.
fn places(settings: &Settings) -> BTreeSet<ChannelId> {
    let routes = settings.routes.iter().map(|route| route.spec.channel);
    routes.chain(settings.boards.iter().map(|board| board.channel)).chain(settings.notices).collect()
}
