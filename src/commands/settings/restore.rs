//! *Restore* under the answer of a command that changed routes: undoes the change. The button holds a number; the old routes are
//! in the store for a day, so that they survive a restart.

use serenity::all::{ButtonStyle, CreateActionRow, CreateButton};

use super::difference::changes;
use crate::clock::UnixMs;
use crate::commands::announce::announce;
use crate::commands::context::{Asker, CommandContext};
use crate::commands::custom_id::CustomId;
use crate::commands::errors::Error;
use crate::commands::reply::{GREEN, ReplyPage};
use crate::commands::route_wording::named;
use crate::commands::wording::and;
use crate::ids::{ChannelId, GuildId, UserId};
use crate::render::text::{SafeText, safe};
use crate::route::{Route, RouteSpec};
use crate::store::Undone;
use crate::store::audit::{AuditEntry, AuditKind};
use crate::store::settings::RouteSetting;

/// The button for a change.
pub(in super::super) fn row(change: i64) -> CreateActionRow {
    CreateActionRow::Buttons(vec![
        CreateButton::new(CustomId::RestoreRoutes(change).to_string()).label("Restore").style(ButtonStyle::Secondary),
    ])
}

/// What is different between two states of one route, in words.
pub(in super::super) fn differences(was: &Route, is: &Route) -> SafeText {
    // A mute counts as stored: whether it has run out doesn't matter.
    let of = |route: &Route| RouteSetting::of(route, UnixMs(i64::MIN));
    SafeText::join(changes(&of(was), &of(is)), "; ")
}

/// *Restore*.
pub(in super::super) async fn restore(context: &CommandContext, by: (GuildId, UserId), change: i64) -> Result<ReplyPage, Error> {
    let ((guild, user), now) = (by, context.clock.now());
    let entry = AuditEntry {
        guild,
        at: now,
        user,
        kind: AuditKind::Setting,
        action: "Restore".to_owned(),
        target: String::new(),
        detail: "as before the last change".to_owned(),
        outcome: "done".to_owned(),
    };
    let back = match context.store.undo(guild, change, entry, now).await? {
        Undone::Done(back) => back,
        Undone::Gone => {
            return Err(Error::refused(
                "This can't be restored anymore: it was restored already, or it's more than a day old. `/alerts list` shows your routes.",
            ));
        }
        Undone::Moved(routes) => {
            let routes: Vec<SafeText> = routes.iter().map(|route| safe!("#{}", route)).collect();
            let (route, was) = if routes.len() == 1 { ("Route", "was") } else { ("Routes", "were") };
            return Err(Error::refused(safe!(
                "Nothing was restored. {} {} {} changed or removed since: use `/alerts edit` or `/alerts ping` to change what you want back.",
                route,
                and(&routes),
                was
            )));
        }
    };
    let lines: Vec<SafeText> = back.iter().map(|(was, is)| safe!("{}: {}", named(is), differences(was, is))).collect();
    let asker = Asker { guild, user, here: None };
    let mut channels: Vec<ChannelId> = back.iter().filter(|(_, is)| !is.spec.forum).map(|(_, is)| is.spec.channel).collect();
    channels.dedup();
    for channel in channels {
        let new: Vec<&RouteSpec> = back.iter().map(|(_, is)| &is.spec).filter(|spec| spec.channel == channel).collect();
        announce(context, asker, channel, "restored", &new).await;
    }
    Ok(ReplyPage::new("↩️ Restored", safe!("{}\n\nEverything else stays as it is.", SafeText::join(lines, "\n")), GREEN))
}
