//! `/alerts filter`.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::commands::context::{CommandContext, Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::route_wording::named;
use crate::commands::routes::{known_priorities, known_route, no_such_route};
use crate::commands::{autocomplete, reply};
use crate::ids::RouteId;
use crate::ingest::{Request, Tried, TryFilter};
use crate::render::text::{SafeText, safe};
use crate::route::{Criterion, Filter, FilterError, KnownPriorities, Route, Rule};

/// How long ingest may take to try a filter.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest sentence of a filter (UTF-16 units): the rest of the answer needs space too.
const SENTENCE: usize = 1_600;

/// What a route lets through; an option left out stays as it is
#[poise::command(slash_command, guild_only)]
#[expect(clippy::too_many_arguments, reason = "each is an option of the command")]
pub(super) async fn filter(
    ctx: Context<'_>,
    #[description = "Which route, as in /alerts list"]
    #[autocomplete = "autocomplete::route"]
    #[min = 1]
    route: i64,
    #[description = "Priorities, e.g. 1, 2 (any: all)"]
    #[autocomplete = "autocomplete::priorities"]
    #[max_length = 1500]
    priority: Option<String>,
    #[description = "Departments of the units, e.g. LSPD, BCSO (any: all)"]
    #[autocomplete = "autocomplete::departments"]
    #[max_length = 1500]
    department: Option<String>,
    #[description = "police, fire, ems, dispatch (any: all)"]
    #[autocomplete = "autocomplete::services"]
    #[max_length = 1500]
    service: Option<String>,
    #[description = "Only what mentions one of these, e.g. fire, smoke (any: whatever it says)"]
    #[max_length = 1500]
    include: Option<String>,
    #[description = "Nothing that mentions one of these, e.g. drill (any: whatever it says)"]
    #[max_length = 1500]
    exclude: Option<String>,
    #[description = "Postals, e.g. 9001, 90*, 9000-9099 (any: all)"]
    #[max_length = 1500]
    postal: Option<String>,
    #[description = "True: no filter at all"] off: Option<bool>,
) -> Result<(), Error> {
    let route = RouteId(route);
    ctx.defer_response(true).await?;
    let (guild, context) = (guild_of(ctx)?, ctx.data());
    let typed = [priority, department, service, include, exclude, postal];
    let changes: Vec<(Criterion, String)> =
        Criterion::ALL.into_iter().zip(typed).filter_map(|(criterion, typed)| Some((criterion, typed?))).collect();
    if off == Some(true) && !changes.is_empty() {
        return Err(Error::refused("`off:True` takes the whole filter away: leave the other options out, or leave `off:` out."));
    }
    let known = if off == Some(true) {
        let changed = context.store.change_rule(guild, route, |rule| rule.filter = Filter::default()).await?;
        changed.ok_or_else(|| no_such_route(route))?.0
    } else if changes.is_empty() {
        known_route(context, guild, route)?
    } else {
        let priorities = known_priorities(context, guild).await?;
        let changed = context.store.change_rule(guild, route, move |rule| change(rule, &changes, &priorities)).await?;
        let Some((route, outcome)) = changed else { return Err(no_such_route(route)) };
        outcome?;
        route
    };
    let tried = tried(context, &known).await.map(|tried| safe!(" {}", tried)).unwrap_or_default();
    let sentence = known.spec.rule.filter.sentence(known.spec.event).cut(SENTENCE);
    reply::say(ctx, safe!("🔎 {}: {}{}", named(&known), sentence, tried)).await
}

/// Every change or, if one can't be used, none.
fn change(rule: &mut Rule, changes: &[(Criterion, String)], priorities: &KnownPriorities) -> Result<(), FilterError> {
    let mut filter = rule.filter.clone();
    for (criterion, typed) in changes {
        filter.change_known(*criterion, typed, priorities)?;
    }
    filter.check()?;
    rule.filter = filter;
    Ok(())
}

/// What the route's filter would have done to the latest events. Empty for a filter without criteria.
async fn tried(context: &CommandContext, route: &Route) -> Option<SafeText> {
    if route.spec.rule.filter.is_empty() {
        return None;
    }
    let community = context.community(route.guild).ok()?;
    let (done, outcome) = oneshot::channel();
    let request = TryFilter { guild: route.guild, route: route.id, filter: route.spec.rule.filter.clone(), done };
    let asked = async {
        community.requests.send(Request::Try(request)).await.ok()?;
        outcome.await.ok()
    };
    let tried = tokio::time::timeout(PATIENCE, asked).await.ok().flatten();
    Some(tried.map_or_else(|| "It's active now. The bot is too busy to try it on past events.".into(), sentence))
}

fn sentence(tried: Tried) -> SafeText {
    match (tried.through, tried.of) {
        (_, 0) => "No event that this route listens to has come yet, so it could not be tried.".into(),
        (0, 1) => "It would not have let through the only event so far.".into(),
        (0, of) => safe!(
            "⚠️ Check its values: with them this route would have been silent. It would have let through 0 of the last {} events.",
            of
        ),
        (_, 1) => "It would have let through the only event so far.".into(),
        (through, of) => safe!("It would have let through {} of the last {} events.", through, of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Labels;

    #[test]
    fn criteria_change_together_or_not_at_all() {
        let mut rule = Rule::default();
        let typed = |criterion, typed: &str| (criterion, typed.to_owned());
        let known = KnownPriorities::named(&Labels::default().priorities);
        change(&mut rule, &[typed(Criterion::Priority, "1"), typed(Criterion::Exclude, "drill")], &known).unwrap();
        let before = rule.clone();
        change(&mut rule, &[typed(Criterion::Exclude, "any"), typed(Criterion::Service, "navy")], &known).unwrap_err();
        change(&mut rule, &[typed(Criterion::Include, "drill")], &known).unwrap_err();
        assert_eq!(rule, before);
        change(&mut rule, &[typed(Criterion::Exclude, "any")], &known).unwrap();
        assert_eq!((rule.filter.count(Criterion::Exclude), rule.filter.count(Criterion::Priority)), (0, 1));
    }

    #[test]
    fn the_preview_says_what_the_filter_would_do() {
        let said = |through, of| sentence(Tried { through, of });
        assert_eq!(said(12, 50), "It would have let through 12 of the last 50 events.");
        assert!(
            said(0, 50).starts_with("⚠️ Check its values") && said(0, 50).ends_with("It would have let through 0 of the last 50 events.")
        );
        assert_eq!(said(0, 1), "It would not have let through the only event so far.");
        assert_eq!(said(1, 1), "It would have let through the only event so far.");
        assert!(said(0, 0).contains("has come yet"));
    }
}
