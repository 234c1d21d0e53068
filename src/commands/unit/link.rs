//! `/unit link`: the steps from a Discord account to acting in the CAD, done and missing.

use super::me;
use crate::actions::WhoAmI;
use crate::authorization::{Refusal, VALIDATED};
use crate::commands::context::Context;
use crate::commands::errors::Error;
use crate::commands::reply::{GREEN, ReplyPage, YELLOW};
use crate::commands::{autocomplete, cad_args, reply};
use crate::ids::ServerId;
use crate::render::text::{self, SafeText, safe};

/// What is needed to act in the CAD from here, step by step
#[poise::command(slash_command, guild_only)]
pub(super) async fn link(
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

/// `None`: unknown until an earlier step is done.
type Step = (Option<bool>, SafeText);

fn steps(found: &WhoAmI, server: ServerId) -> [Step; 5] {
    let member = found.member.as_ref();
    let linked = match member {
        Some(member) => safe!("Your Discord account is linked to the CAD account {}.", text::line(&member.name, 60)),
        None => "Link your Discord account: sign in at <https://sonorancad.com> with Discord (or add Discord in your Sonoran account's \
                 settings), or use `/linkme` of the official Sonoran bot if your community has it. Then join your community's CAD."
            .into(),
    };
    let role = match found.role {
        Some(Refusal::Role { role }) => safe!("Get the role <@&{}> on this Discord server: ask its staff.", role),
        Some(refusal @ Refusal::RoleElsewhere { .. }) => refusal.sentence(),
        _ => "No role is missing on this Discord server.".into(),
    };
    let validated = match member.map(|member| member.status) {
        Some(VALIDATED) => "Your CAD account is validated.".into(),
        Some(status) => safe!(
            "Your CAD account is not validated ({}): ask your community's staff to validate it (Admin > Accounts).",
            me::state(status)
        ),
        None => "Your CAD account must be validated by your community's staff.".into(),
    };
    let may = member.map(|member| ["dispatch", "selfdispatch"].iter().any(|name| member.permissions.contains(*name)));
    let permission = match may {
        Some(true) => "You have the permission Self-Dispatch or Dispatch.".into(),
        _ => {
            "You need the permission Self-Dispatch (for your own unit) or Dispatch (for all) in the CAD: ask your community's staff.".into()
        }
    };
    let on_duty = member.map(|_| !found.units.is_empty());
    let duty = match on_duty {
        Some(true) => safe!("You are on duty on server {}.", server),
        _ => safe!("Open the CAD, choose your identifier and go on duty on server {}.", server),
    };
    let validated_step = (member.map(|member| member.status == VALIDATED), validated);
    [(Some(member.is_some()), linked), (Some(found.role.is_none()), role), validated_step, (may, permission), (on_duty, duty)]
}

fn page(found: &WhoAmI, server: ServerId) -> ReplyPage {
    let steps = steps(found, server);
    let left = steps.iter().filter(|(done, _)| *done != Some(true)).count();
    let lines = steps.iter().enumerate().map(|(nth, (done, words))| {
        let mark = match done {
            Some(true) => "✅",
            Some(false) => "❌",
            None => "▫️",
        };
        safe!("{} **{}.** {}", mark, nth + 1, words)
    });
    let text = SafeText::join(lines, "\n");
    let (title, color) = if left == 0 { ("You can act in the CAD from here", GREEN) } else { ("What is missing", YELLOW) };
    ReplyPage::new(title, text, color)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorization::Member;
    use crate::ids::RoleId;

    fn found(member: Option<Member>) -> WhoAmI {
        WhoAmI { member, role: Some(Refusal::Role { role: RoleId(7) }), units: Vec::new(), calls: Vec::new() }
    }

    #[test]
    fn each_step_says_whether_it_is_done() {
        let marks = |found: &WhoAmI| page(found, ServerId(1)).text.lines().map(|line| line.chars().next().unwrap()).collect::<String>();
        assert_eq!(marks(&found(None)), "❌❌▫▫▫");
        let mut all = found(Some(Member { status: 1, permissions: ["selfdispatch".to_owned()].into(), ..Member::default() }));
        assert_eq!(marks(&all), "✅❌✅✅❌");
        (all.role, all.units) = (None, vec!["A-1".into()]);
        assert_eq!(marks(&all), "✅✅✅✅✅");
        assert_eq!(page(&all, ServerId(1)).title, "You can act in the CAD from here");
        assert!(page(&found(None), ServerId(1)).text.contains("/linkme"));
    }
}
