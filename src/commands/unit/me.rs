//! `/unit me`.

use crate::actions::WhoAmI;
use crate::authorization::{Member, VALIDATED};
use crate::commands::context::Context;
use crate::commands::errors::Error;
use crate::commands::reply::{BLUE, ReplyPage, YELLOW};
use crate::commands::wording::and;
use crate::commands::{autocomplete, cad_args, reply};
use crate::ids::ServerId;
use crate::render::text::{self, SafeText, safe};

/// Permissions that matter here: name in the CAD's answer, what it lets one do.
const PERMISSIONS: [(&str, &str); 5] = [
    ("dispatch", "Dispatch: calls of all units"),
    ("selfdispatch", "Self-Dispatch: attach yourself, write notes, take 911s"),
    ("police", "Police"),
    ("fire", "Fire"),
    ("ems", "EMS"),
];

/// Who you are in the CAD, and what is missing
#[poise::command(slash_command, guild_only)]
pub(super) async fn me(
    ctx: Context<'_>,
    #[description = "Which CAD server; else the one you are on duty on"]
    #[autocomplete = "autocomplete::server"]
    server: Option<i64>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let actor = cad_args::actor_of(ctx)?;
    let cad_actions = ctx.data().cad_actions(actor.guild)?;
    let found = async {
        let server = cad_args::server(&cad_actions, &actor, server).await?;
        Ok::<_, Error>((server, cad_actions.who_am_i(&actor, server).await?))
    };
    let (server, found) = cad_args::patiently(ctx, found).await?;
    reply::show(ctx, page(&found, server)).await
}

/// What an account's status means (docs/cad-contract.md#n7).
pub(super) fn state(status: i64) -> &'static str {
    match status {
        0 => "waits for approval",
        VALIDATED => "validated",
        2 => "expired",
        3 => "removed",
        4 => "banned",
        _ => "not validated",
    }
}

/// The permissions that matter, in words.
pub(super) fn permissions(member: &Member) -> Vec<&'static str> {
    PERMISSIONS.iter().filter(|(name, _)| member.permissions.contains(*name)).map(|(_, words)| *words).collect()
}

fn page(found: &WhoAmI, server: ServerId) -> ReplyPage {
    let Some(member) = &found.member else {
        let text = "Your Discord account is not linked to an account of this community's CAD: `/unit link` says where to do it.";
        return ReplyPage::new("You in the CAD", text, YELLOW);
    };
    let name = if member.name.trim().is_empty() { "no name".into() } else { text::line(&member.name, 60) };
    let permissions = permissions(member);
    let permissions = if permissions.is_empty() {
        "none that matter here".into()
    } else {
        SafeText::join(permissions.into_iter().map(SafeText::constant), "; ")
    };
    let units: Vec<SafeText> = found.units.iter().map(|unit| text::line(unit, 60)).collect();
    let units = if units.is_empty() { safe!("off duty on server {}", server) } else { and(&units) };
    let calls: Vec<SafeText> = found.calls.iter().map(|call| safe!("call{:#}", call)).collect();
    let calls = if calls.is_empty() { "none".into() } else { and(&calls) };
    let mut lines = vec![
        safe!("**Account** {}, {}", name, state(member.status)),
        safe!("**Permissions** {}", permissions),
        safe!("**On duty** {}", units),
        safe!("**Calls** {}", calls),
    ];
    let missing = missing(found, member);
    let color = if missing.is_empty() { BLUE } else { YELLOW };
    if missing.is_empty() {
        lines.push("Nothing is missing.".into());
    } else {
        lines.push(safe!("⚠️ {} `/unit link` says what to do.", SafeText::join(missing, " ")));
    }
    ReplyPage::new("You in the CAD", SafeText::join(lines, "\n"), color)
}

fn missing(found: &WhoAmI, member: &Member) -> Vec<SafeText> {
    let mut missing = Vec::new();
    if let Some(role) = found.role {
        missing.push(role.sentence());
    }
    if member.status != VALIDATED {
        missing.push("Your account is not validated.".into());
    }
    if !["dispatch", "selfdispatch"].iter().any(|name| member.permissions.contains(*name)) {
        missing.push("Without Self-Dispatch or Dispatch you cannot attach yourself to calls.".into());
    }
    if found.units.is_empty() {
        missing.push("You are not on duty.".into());
    }
    missing
}
