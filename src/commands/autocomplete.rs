//! Lists that are shown while a person types.

use std::sync::Arc;

use serenity::all::{AutocompleteChoice, CreateAutocompleteResponse};

use super::context::{Context, guild_of};
use super::duty::report;
use super::routes::known_priorities;
use crate::community::Community;
use crate::ids::GuildId;
use crate::render::text;
use crate::route::filter::Service;
use crate::route::{Board, Route};
use crate::store::duty::DutyMember;

/// Discord's limit on choices.
const MAX_CHOICES: usize = 25;
/// Longest name of a choice (UTF-16 units).
const NAME: usize = 100;

fn community(ctx: Context<'_>) -> Option<Arc<Community>> {
    ctx.data().community(guild_of(ctx).ok()?).ok()
}

/// This guild's routes, as `#3 911 → #dispatch · @Dispatch`.
pub(super) async fn route(ctx: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    let Some(guild) = ctx.interaction.guild_id.map(|id| GuildId(id.get())) else { return CreateAutocompleteResponse::new() };
    let context = ctx.data();
    let routing = context.store.routing_now();
    let own: Vec<&Route> = routing.routes.iter().filter(|route| route.guild == guild).collect();
    if own.is_empty() {
        return CreateAutocompleteResponse::new();
    }
    let names = context.names.guild(context, guild).await;
    let shown = own.into_iter().map(|route| {
        let role = route.spec.role.map(|role| format!(" · {}", names.role(role))).unwrap_or_default();
        let server = route.spec.server.map(|server| format!(" · server {server}")).unwrap_or_default();
        (format!("#{} {} → {}{server}{role}", route.id, route.spec.event.as_str(), names.channel(route.spec.channel)), route.id.0)
    });
    choices(shown, partial)
}

/// This guild's boards, as `#3 both → #duty · server 2`.
pub(super) async fn board(ctx: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    let Some(guild) = ctx.interaction.guild_id.map(|id| GuildId(id.get())) else { return CreateAutocompleteResponse::new() };
    let context = ctx.data();
    let routing = context.store.routing_now();
    let own: Vec<&Board> = routing.boards.iter().filter(|board| board.guild == guild).collect();
    if own.is_empty() {
        return CreateAutocompleteResponse::new();
    }
    let names = context.names.guild(context, guild).await;
    let shown = own.into_iter().map(|board| {
        let server = board.server.map(|server| format!(" · server {server}")).unwrap_or_default();
        (format!("#{} {} → {}{server}", board.id, board.kind.as_str(), names.channel(board.channel)), board.id.0)
    });
    choices(shown, partial)
}

/// The configured servers by the CAD's names for them.
pub(super) async fn server(ctx: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    let Some(community) = community(ctx) else { return CreateAutocompleteResponse::new() };
    let servers = ctx.data().names.configured(&community).await;
    let shown = servers.into_iter().map(|server| {
        let name = server.name.map_or_else(|| format!("Server {}", server.id), |name| format!("{name} (server {})", server.id));
        (name, i64::from(server.id.0))
    });
    choices(shown, partial)
}

/// Who was on duty recently: the value is the CAD's account where it is known.
pub(super) async fn member(ctx: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    let Some(community) = community(ctx) else { return CreateAutocompleteResponse::new() };
    let known = ctx.data().store.duty_members(&community.id).await.unwrap_or_default();
    words(
        known.into_iter().map(|(member, name, callsign)| {
            let shown = report::shown(&name, &callsign);
            let value = match member {
                DutyMember::Account(account) => account,
                DutyMember::Unit(..) => shown.clone(),
            };
            (shown, value)
        }),
        partial,
    )
}

/// Departments of those who were on duty.
pub(super) async fn department(ctx: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    let Some(community) = community(ctx) else { return CreateAutocompleteResponse::new() };
    let known = ctx.data().store.duty_departments(&community.id).await.unwrap_or_default();
    words(known.into_iter().map(|name| (name.clone(), name)), partial)
}

/// The community's priorities, for a list that is being typed.
pub(super) async fn priorities(ctx: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    let Some(guild) = ctx.interaction.guild_id.map(|id| GuildId(id.get())) else { return CreateAutocompleteResponse::new() };
    let Ok(known) = known_priorities(ctx.data(), guild).await else { return CreateAutocompleteResponse::new() };
    let known = known.choices().into_iter().map(|(value, shown)| (value, text::name(&shown, 100).into_string()));
    several(known.collect(), partial, false)
}

/// Departments of those who were on duty, for a list that is being typed. Other departments may be typed too.
pub(super) async fn departments(ctx: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    let Some(community) = community(ctx) else { return CreateAutocompleteResponse::new() };
    let known = ctx.data().store.duty_departments(&community.id).await.unwrap_or_default();
    several(known.into_iter().map(|name| (name.clone(), name)).collect(), partial, true)
}

/// Services, for a list that is being typed.
pub(super) async fn services(_: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    several(Service::ALL.map(|service| (service.as_str().to_owned(), service.label().to_owned())).to_vec(), partial, false)
}

/// Choices for a list of values and names, of which the last is being typed: each keeps what was typed before.
fn several(known: Vec<(String, String)>, partial: &str, free: bool) -> CreateAutocompleteResponse {
    let choices = longer(&known, partial, free).into_iter().map(|(name, value)| AutocompleteChoice::new(name, value));
    CreateAutocompleteResponse::new().set_choices(choices.collect())
}

/// As (name, value). `free`: what was typed is a choice too.
fn longer(known: &[(String, String)], partial: &str, free: bool) -> Vec<(String, String)> {
    let (before, last) = partial.rsplit_once(',').map_or(("", partial), |(before, last)| (before.trim(), last));
    let taken: Vec<String> = before.split(',').map(|value| value.trim().to_lowercase()).collect();
    let wanted = last.trim().to_lowercase();
    let list = |last: &str| if before.is_empty() { last.to_owned() } else { format!("{before}, {last}") };
    let fits = |value: &str, name: &str| {
        !taken.contains(&value.to_lowercase()) && (value.to_lowercase().contains(&wanted) || name.to_lowercase().contains(&wanted))
    };
    let known = known.iter().filter(|(value, name)| fits(value, name)).map(|(value, name)| (list(name), list(value)));
    let mut shown: Vec<(String, String)> = known.collect();
    let typed = (list(last.trim()), list(last.trim()));
    if free && !wanted.is_empty() && !shown.iter().any(|(_, value)| value.eq_ignore_ascii_case(&typed.1)) {
        shown.insert(0, typed);
    }
    // A truncated value would be a different one.
    shown.retain(|(_, value)| text::units(value) <= NAME);
    shown.truncate(MAX_CHOICES);
    shown
        .into_iter()
        .map(|(name, value)| (text::plain(&name, NAME).into_string(), value))
        .filter(|(name, _)| !name.trim().is_empty())
        .collect()
}

/// Choices that are texts. Discord takes none without a name, or with more than 100 characters.
fn words(shown: impl Iterator<Item = (String, String)>, partial: &str) -> CreateAutocompleteResponse {
    let wanted = partial.trim().to_lowercase();
    let fits =
        |(name, value): &(String, String)| wanted.is_empty() || value.to_lowercase() == wanted || name.to_lowercase().contains(&wanted);
    let choices = shown.filter(fits).map(|(name, value)| (text::plain(&name, NAME), text::cut(&value, NAME)));
    let choices = choices.filter(|(name, value)| !name.trim().is_empty() && !value.trim().is_empty()).take(MAX_CHOICES);
    CreateAutocompleteResponse::new().set_choices(choices.map(|(name, value)| AutocompleteChoice::new(name, value)).collect())
}

/// Time zones, the likely ones first.
pub(super) async fn timezone(_: Context<'_>, partial: &str) -> CreateAutocompleteResponse {
    let named = crate::route::timezones(partial).into_iter().take(MAX_CHOICES).map(|name| AutocompleteChoice::new(name.clone(), name));
    CreateAutocompleteResponse::new().set_choices(named.collect())
}

fn choices(shown: impl Iterator<Item = (String, i64)>, partial: &str) -> CreateAutocompleteResponse {
    let shown = fitting(shown, partial);
    CreateAutocompleteResponse::new().set_choices(shown.into_iter().map(|(name, value)| AutocompleteChoice::new(name, value)).collect())
}

fn fitting(shown: impl Iterator<Item = (String, i64)>, partial: &str) -> Vec<(String, i64)> {
    let wanted = partial.trim().trim_start_matches('#').to_lowercase();
    shown
        .filter(|(name, value)| wanted.is_empty() || value.to_string() == wanted || name.to_lowercase().contains(&wanted))
        .map(|(name, value)| (text::cut(&name, NAME), value))
        .take(MAX_CHOICES)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_list_is_completed() {
        let known = [("1".to_owned(), "1 (Hot)".to_owned()), ("2".to_owned(), "2 (Cold)".to_owned())];
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(longer(&known, "", false), [pair("1 (Hot)", "1"), pair("2 (Cold)", "2")]);
        assert_eq!(longer(&known, "hO", false), [pair("1 (Hot)", "1")]);
        assert_eq!(longer(&known, "1, ", false), [pair("1, 2 (Cold)", "1, 2")]);
        assert_eq!(longer(&known, "nothing", false), []);
        assert_eq!(longer(&known, "2, LSPD", true), [pair("2, LSPD", "2, LSPD")]);
        assert!(longer(&known, &"x, ".repeat(60), false).is_empty(), "too long for Discord");
    }

    #[test]
    fn what_is_typed_narrows_and_limits_hold() {
        let all = || (1..=60).map(|id| (format!("#{id} 911 → #{}", "x".repeat(120)), id));
        let shown = fitting(all(), "");
        assert_eq!(shown.len(), MAX_CHOICES);
        assert!(shown.iter().all(|(name, _)| text::units(name) <= NAME));
        assert_eq!(fitting(all(), " #60 ").iter().map(|(_, id)| *id).collect::<Vec<_>>(), [60]);
        assert_eq!(fitting([("Main (server 1)".to_owned(), 1), ("Event".to_owned(), 2)].into_iter(), "mAiN").len(), 1);
        assert!(fitting(all(), "nothing").is_empty());
    }
}
