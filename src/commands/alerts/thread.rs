//! `/alerts thread`.

use crate::commands::context::{Context, asker};
use crate::commands::errors::Error;
use crate::commands::options::{Switch, ThreadsChoice};
use crate::commands::route_wording::named;
use crate::commands::routes::{known_route, no_such_route};
use crate::commands::{autocomplete, checks, reply, threads};
use crate::ids::RouteId;
use crate::render::Style;
use crate::render::text::{SafeText, safe};
use crate::route::{Route, Rule, Threads};
use crate::store::Store;

/// Whether calls get threads, in which their notes are written; an option left out stays as it is
#[poise::command(slash_command, guild_only)]
pub(super) async fn thread(
    ctx: Context<'_>,
    #[description = "Which route, as in /alerts list"]
    #[autocomplete = "autocomplete::route"]
    #[min = 1]
    route: i64,
    #[description = "When a call gets its thread"] mode: Option<ThreadsChoice>,
    #[description = "What members write there becomes notes of the call"] notes: Option<Switch>,
    #[description = "True: no threads"] off: Option<bool>,
) -> Result<(), Error> {
    let route = RouteId(route);
    ctx.defer_response(true).await?;
    let (asker, context) = (asker(ctx)?, ctx.data());
    let known = known_route(context, asker.guild, route)?;
    let (named_mode, notes) = (mode.map(|mode| mode.0), notes.map(|switch| switch.0));
    if off == Some(true) && named_mode.is_some_and(|mode| mode != Threads::Off) {
        return Err(Error::refused("`off:True` and `mode:` contradict each other: give one of them."));
    }
    let named_mode = if off == Some(true) { Some(Threads::Off) } else { named_mode };
    if named_mode.is_none() && notes.is_none() {
        return reply::say(ctx, sentence(&known, known.spec.rule.threads)).await;
    }
    let mode = named_mode.unwrap_or(known.spec.rule.threads);
    if notes == Some(true) && !context.facts.message_content {
        return Err(Error::refused(threads::NO_CONTENT));
    }
    if notes == Some(true) && mode == Threads::Off && !known.spec.forum {
        return Err(Error::refused(
            "Without threads there is nowhere to write notes: choose `mode:always` or `mode:on-first-note` with `notes:on`.",
        ));
    }
    if named_mode.is_some_and(|mode| mode != Threads::Off) {
        if let Some(sentence) = cannot(&known) {
            return Err(Error::refused(sentence));
        }
        let access = checks::channel_access(context, asker.guild, known.spec.channel, asker.here).await?;
        if let Some(hindrance) = access.hindrance_to_threads(known.spec.channel) {
            return Err(Error::refused(hindrance));
        }
    }
    let Some(changed) = set(&context.store, &known, named_mode, notes).await? else {
        return Err(no_such_route(route));
    };
    reply::say(ctx, sentence(&changed, changed.spec.rule.threads)).await
}

async fn set(store: &Store, known: &Route, mode: Option<Threads>, notes: Option<bool>) -> Result<Option<Route>, Error> {
    let change = move |rule: &mut Rule| {
        rule.threads = mode.unwrap_or(rule.threads);
        rule.thread_notes = notes.unwrap_or(rule.thread_notes);
    };
    let changed = store.change_rule(known.guild, known.id, change).await?;
    Ok(changed.map(|(route, ())| route))
}

/// Why this route can't have threads, with the fix.
fn cannot(route: &Route) -> Option<SafeText> {
    let (name, id) = (named(route), route.id);
    if !route.spec.event.has_cards() {
        return Some(safe!(
            "{} has no cards of calls, so nothing to open a thread on: choose a route for `911`, `civil`, `panic`, `dispatch` or `all`.",
            name
        ));
    }
    match route.spec.style {
        Style::Card | Style::Compact => None,
        Style::Log => Some(safe!(
            "{} writes log lines, and a thread needs a card: give it another style first with `/alerts edit route:{} style:card`.",
            name,
            id
        )),
        Style::Public => Some(safe!(
            "{} is public, and notes with names would stand in its threads: give it another style first with `/alerts edit route:{} style:card`, or let another route have threads.",
            name,
            id
        )),
    }
}

fn sentence(route: &Route, mode: Threads) -> SafeText {
    let notes = match (route.spec.rule.thread_notes, mode, route.spec.forum) {
        (false, ..) | (true, Threads::Off, false) => "",
        (true, ..) => " What members with the permission for it write there becomes a note of the call; `notes:off` ends that.",
    };
    let name = named(route);
    let threads = match (mode, route.spec.forum) {
        (Threads::Off, false) => safe!("🧵 {} opens no threads. Those that are open stay.", name),
        (Threads::Off, true) => safe!("🧵 {}: each call is a post of the forum still, and its notes stand on the card only.", name),
        (_, true) => safe!("🧵 {}: each call is a post of the forum, and its notes are written into it.", name),
        (Threads::OnFirstNote, false) => {
            safe!("🧵 {} opens a thread on a call's card with the first note; all its notes are written there.", name)
        }
        (Threads::Always, false) => safe!("🧵 {} opens a thread on every new call's card; all its notes are written there.", name),
    };
    safe!("{}{}", threads, notes)
}
