//! `/alerts escalate`.

use serenity::all as serenity;

use crate::commands::context::{Context, asker};
use crate::commands::create_routes::unpingable;
use crate::commands::errors::Error;
use crate::commands::route_wording::{named, steps};
use crate::commands::routes::{known_route, no_such_route};
use crate::commands::wording::and;
use crate::commands::{autocomplete, checks, reply};
use crate::event::Topic;
use crate::ids::{RoleId, RouteId};
use crate::render::text::{SafeText, safe};
use crate::route::{Escalation, EscalationStep, Listens, MAX_STEPS, Route};

/// Who is called next when nobody takes a 911, a panic or a page
#[poise::command(slash_command, guild_only)]
pub(super) async fn escalate(
    ctx: Context<'_>,
    #[description = "Which route, as in /alerts list"]
    #[autocomplete = "autocomplete::route"]
    #[min = 1]
    route: i64,
    #[description = "After so many minutes without an answer"]
    #[min = 1]
    #[max = 120]
    minutes: Option<u32>,
    #[description = "Role to ping then"] role: Option<serenity::RoleId>,
    #[description = "True: nobody else is called; with minutes, takes only that step away"] off: Option<bool>,
) -> Result<(), Error> {
    let route = RouteId(route);
    ctx.defer_response(true).await?;
    let (asker, context) = (asker(ctx)?, ctx.data());
    let known = known_route(context, asker.guild, route)?;
    if off == Some(true) {
        if role.is_some() {
            return Err(Error::refused("`off:True` takes steps away: leave `role:` out, or leave `off:` out."));
        }
        let changed = context.store.change_rule(asker.guild, route, move |rule| match minutes {
            Some(minutes) => rule.escalation.remove(minutes),
            None => {
                rule.escalation = Escalation::default();
                true
            }
        });
        let Some((route, found)) = changed.await? else { return Err(no_such_route(route)) };
        let said = match (found, route.spec.rule.escalation.is_empty()) {
            (false, _) => safe!("👌 Nothing changed: there is no such step. {}", shown(&route)),
            (true, true) => safe!("🔕 {} calls nobody else when nobody answers.", named(&route)),
            (true, false) => shown(&route),
        };
        return reply::say(ctx, said).await;
    }
    let (minutes, role) = match (minutes, role.map(|role| RoleId(role.get()))) {
        (None, None) => return reply::say(ctx, shown(&known)).await,
        (Some(minutes), Some(role)) => (minutes, role),
        _ => {
            return Err(Error::refused(
                "A step needs both `minutes:` and `role:`, as in `/alerts escalate route: minutes:5 role:`. Nothing was changed.",
            ));
        }
    };
    if !waits_for_answers(known.spec.event) {
        return Err(Error::refused(safe!(
            "{} has nothing that waits for an answer: choose a route for `911`, `panic`, `pager` or `all`.",
            named(&known)
        )));
    }
    checks::not_everyone(asker.guild, Some(role))?;
    let access = checks::channel_access(context, asker.guild, known.spec.channel, asker.here).await?;
    let hint = unpingable(context, asker.guild, Some(role), access).await;
    let step = EscalationStep { minutes, role, since: context.clock.now() };
    let changed = context.store.change_rule(asker.guild, route, move |rule| rule.escalation.set(step)).await?;
    match changed {
        None => Err(no_such_route(route)),
        Some((route, false)) => Err(Error::refused(safe!(
            "{} has {} steps already, which is as many as there may be: give one of them another role, or take one away with `/alerts escalate route:{} minutes: off:True`.",
            named(&route),
            MAX_STEPS,
            route.id
        ))),
        Some((route, true)) => {
            let said: Vec<SafeText> = [Some(shown(&route)), hint].into_iter().flatten().collect();
            reply::say(ctx, SafeText::join(said, "\n")).await
        }
    }
}

fn waits_for_answers(event: Listens) -> bool {
    match event {
        Listens::All => true,
        Listens::To(topic) => Escalation::is_for(topic),
    }
}

/// The rule as a sentence.
fn shown(route: &Route) -> SafeText {
    let steps = steps(&route.spec.rule.escalation);
    if steps.is_empty() {
        return safe!(
            "{} calls nobody else when nobody answers. `/alerts escalate route:{} minutes:5 role:` adds a step; there may be {}.",
            named(route),
            route.id,
            MAX_STEPS
        );
    }
    let what = match route.spec.event {
        Listens::All => "911 call, panic or page",
        Listens::To(Topic::Panic) => "panic",
        Listens::To(Topic::Pager) => "page",
        Listens::To(_) => "911 call",
    };
    safe!(
        "⏰ {}: a {} that nobody takes or attaches to calls {}, each once. Mute and quiet hours hold it back.",
        named(route),
        what,
        and(&steps)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_taken_is_called_out() {
        let may: Vec<&str> = Topic::ALL.into_iter().filter(|topic| waits_for_answers(Listens::To(*topic))).map(Topic::as_str).collect();
        assert_eq!(may, ["911", "panic", "pager"]);
        assert!(waits_for_answers(Listens::All));
    }
}
