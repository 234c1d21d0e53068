//! `/alerts thread`.

use super::errors::Error;
use super::options::ThreadsChoice;
use super::rules::{known_route, named};
use super::{Context, asker, autocomplete, checks, reply};
use crate::render::Style;
use crate::route::{Route, Threads};
use crate::store::Store;

/// Whether calls get threads, in which their notes are written
#[poise::command(slash_command, guild_only)]
pub(super) async fn thread(
    ctx: Context<'_>,
    #[description = "Which route, as in /alerts list"]
    #[autocomplete = "autocomplete::route"]
    #[min = 1]
    route: i64,
    #[description = "When a call gets its thread"] mode: ThreadsChoice,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let (asker, desk, mode) = (asker(ctx)?, ctx.data(), mode.0);
    let known = known_route(desk, asker.guild, route)?;
    if mode != Threads::Off {
        if let Some(sentence) = cannot(&known) {
            return Err(Error::Refused(sentence));
        }
        let standing = checks::standing(desk, asker.guild, known.channel, asker.here).await?;
        if let Some(hindrance) = standing.hindrance_to_threads(known.channel) {
            return Err(Error::Refused(hindrance));
        }
    }
    let Some(changed) = set(&desk.store, &known, mode).await? else { return Err(super::alerts_remove::no_such_route(route)) };
    reply::say(ctx, sentence(&changed, mode)).await
}

async fn set(store: &Store, known: &Route, mode: Threads) -> Result<Option<Route>, Error> {
    let changed = store.change_rule(known.guild, known.id, move |rule| rule.threads = mode).await?;
    Ok(changed.map(|(route, ())| route))
}

/// Why this route can have no threads, with what to do instead.
fn cannot(route: &Route) -> Option<String> {
    let (name, id) = (named(route), route.id);
    if !route.event.has_cards() {
        return Some(format!(
            "{name} has no cards of calls, so nothing to open a thread on: choose a route for `911`, `civil`, `panic`, `dispatch` or `all`."
        ));
    }
    match route.style {
        Style::Card | Style::Compact => None,
        Style::Log => Some(format!(
            "{name} writes log lines, and a thread needs a card: give it another style first with `/alerts edit route:{id} style:card`."
        )),
        Style::Public => Some(format!(
            "{name} is public, and notes with names would stand in its threads: give it another style first with `/alerts edit route:{id} style:card`, or let another route have threads."
        )),
    }
}

fn sentence(route: &Route, mode: Threads) -> String {
    let name = named(route);
    match (mode, route.forum) {
        (Threads::Off, false) => format!("🧵 {name} opens no threads. Those that are open stay."),
        (Threads::Off, true) => format!("🧵 {name}: each call is a post of the forum still, and its notes stand on the card only."),
        (_, true) => format!("🧵 {name}: each call is a post of the forum, and its notes are written into it."),
        (Threads::OnFirstNote, false) => {
            format!("🧵 {name} opens a thread on a call's card with the first note; all its notes are written there.")
        }
        (Threads::Always, false) => format!("🧵 {name} opens a thread on every new call's card; all its notes are written there."),
    }
}
