//! Checks whether the settings of a file are possible in a guild: finds every channel and role, checks every permission and limit, and
//! reports every problem before anything is replaced.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::file::{Named, SettingsFile};
use crate::authorization::ActionRule;
use crate::clock::UnixMs;
use crate::commands::checks::{ChannelAccess, Standpoint};
use crate::commands::context::CommandContext;
use crate::commands::errors::Error;
use crate::commands::route_wording::{not_configured, not_in_forum, not_pinged};
use crate::ids::{ChannelId, GuildId, RoleId, ServerId};
use crate::render::text::{self, SafeText, safe};
use crate::route::{Escalation, EscalationStep, Threads};
use crate::store::settings::{BoardSetting, RouteKey, Settings};

/// A guild's channels, roles, and the bot's permissions, as an import needs them. Three requests to Discord.
#[derive(Debug)]
pub(in super::super) struct GuildSnapshot {
    guild: GuildId,
    here: Standpoint,
    channels: Vec<Place>,
    roles: Vec<Role>,
}

#[derive(Debug)]
struct Role {
    id: RoleId,
    name: String,
    /// Everybody may mention it; `None` if Discord does not say.
    mentionable: Option<bool>,
}

#[derive(Debug)]
struct Place {
    id: ChannelId,
    name: String,
    /// Discord's kind: 0 text, 5 announcement, 15 forum.
    kind: u64,
    value: Value,
}

impl GuildSnapshot {
    /// Asks Discord.
    pub(in super::super) async fn ask(context: &CommandContext, guild: GuildId) -> Result<Self, Error> {
        let me = context.facts.bot.user;
        let [channels, roles, member] = ["channels".to_owned(), "roles".to_owned(), format!("members/{me}")];
        let [channels, roles, member] = [channels, roles, member].map(|what| format!("/guilds/{guild}/{what}"));
        let (channels, roles, member) = tokio::join!(context.rest.ask(&channels), context.rest.ask(&roles), context.rest.ask(&member));
        Ok(Self::of(guild, me, channels?, &roles?, &member?))
    }

    pub(in super::super) fn of(guild: GuildId, me: u64, channels: Value, roles: &Value, member: &Value) -> Self {
        let id = |one: &Value| one.get("id").and_then(Value::as_str).and_then(|id| id.parse::<u64>().ok());
        let name = |one: &Value| one.get("name").and_then(Value::as_str).map(str::to_owned);
        let here = Standpoint::of(guild, me, roles, member);
        let role = |one: &Value| {
            let mentionable = one.get("mentionable").and_then(Value::as_bool);
            Some(Role { id: RoleId(id(one)?), name: name(one)?, mentionable })
        };
        let roles = roles.as_array().into_iter().flatten().filter_map(role).collect();
        let Value::Array(channels) = channels else { return Self { guild, here, channels: Vec::new(), roles } };
        let place = |mut value: Value| {
            // A list of one guild's channels need not include the guild.
            value.as_object_mut()?.entry("guild_id").or_insert_with(|| guild.to_string().into());
            let kind = value.get("type").and_then(Value::as_u64)?;
            Some(Place { id: ChannelId(id(&value)?), name: name(&value)?, kind, value })
        };
        Self { guild, here, channels: channels.into_iter().filter_map(place).collect(), roles }
    }

    fn channel_access(&self, channel: ChannelId) -> ChannelAccess {
        self.channels.iter().find(|place| place.id == channel).map_or(ChannelAccess::Gone, |place| self.here.channel_access(&place.value))
    }

    fn channel(&self, wanted: &Named) -> Result<ChannelId, SafeText> {
        if let Some(place) = self.channels.iter().find(|place| Some(place.id.0) == wanted.id) {
            return Ok(place.id);
        }
        let fits = |place: &&Place| matches!(place.kind, 0 | 5 | 15) && Some(&place.name) == wanted.name.as_ref();
        only(self.channels.iter().filter(fits).map(|place| place.id), "channel", wanted)
    }

    fn role(&self, wanted: &Named) -> Result<RoleId, SafeText> {
        if wanted.id == Some(self.guild.0) {
            return Err("the role @everyone is never pinged by this bot: choose a role of your own, or null.".into());
        }
        if let Some(role) = self.roles.iter().find(|role| Some(role.id.0) == wanted.id) {
            return Ok(role.id);
        }
        let fits = |role: &&Role| role.id.0 != self.guild.0 && Some(&role.name) == wanted.name.as_ref();
        only(self.roles.iter().filter(fits).map(|role| role.id), "role", wanted)
    }

    /// Hints about roles that Discord would not ping where these settings want them.
    pub(in super::super) fn hints(&self, settings: &Settings) -> Vec<SafeText> {
        let deaf = |role: &RoleId| self.roles.iter().any(|known| known.id == *role && known.mentionable == Some(false));
        let wanted = settings.routes.iter().map(|route| &route.spec).filter(|spec| !self.channel_access(spec.channel).pings_any_role());
        wanted.filter_map(|spec| spec.role).filter(deaf).collect::<BTreeSet<RoleId>>().into_iter().map(not_pinged).collect()
    }

    /// The settings of a file, in this guild.
    ///
    /// # Errors
    /// Every problem, as sentences that begin with their places in the file.
    pub(in super::super) fn settle(&self, file: SettingsFile, servers: &[ServerId]) -> Result<Settings, Vec<SafeText>> {
        let mut said = Said::default();
        let mut settings = Settings { labels: file.labels, quiet: file.quiet, ..Settings::default() };
        if let Some(action_rule) = file.action_rule {
            let role = action_rule.role.as_ref().map(|role| self.role(role)).transpose();
            let role = said.keep("acting.role", role).flatten();
            let emergency_role = action_rule.emergency_role.as_ref().map(|role| self.role(role)).transpose();
            let emergency_role = said.keep("acting.emergency_role", emergency_role).flatten();
            settings.action_rule = ActionRule { role, buttons: action_rule.buttons, emergency: action_rule.emergency, emergency_role };
        }
        let mut seen: BTreeMap<RouteKey, SafeText> = BTreeMap::new();
        for route in file.routes {
            let path = route.path.clone();
            let at = |key: &'static str| safe!("{}.{}", path, key);
            let role = said.keep(at("role"), route.role.as_ref().map(|role| self.role(role)).transpose());
            if let Some(server) = route.server.filter(|server| !servers.contains(server)) {
                said.problem(at("server"), not_configured(server));
            }
            let Some(channel) = said.keep(at("channel"), self.channel(&route.channel)) else { continue };
            let access = self.channel_access(channel);
            let mut escalation = Escalation::default();
            for (nth, (minutes, role)) in route.escalation.iter().enumerate() {
                if let Some(role) = said.keep(safe!("{}.escalation[{}].role", path, nth), self.role(role)) {
                    // As many as are allowed, without duplicates: the parser ensured it.
                    // The store knows the times: it sees which steps are new.
                    let _fits = escalation.set(EscalationStep { minutes: *minutes, role, since: UnixMs(0) });
                }
            }
            let mut route = route.at(channel, access.is_forum(), role.flatten());
            route.spec.rule.escalation = escalation;
            // Which threads it would open, the style decides too.
            let threads = route.spec.threads() != Threads::Off;
            let hindrance = if threads { access.hindrance_to_threads(channel) } else { access.hindrance(channel) };
            if let Some(hindrance) = hindrance {
                said.problem(at("channel"), hindrance);
            } else if route.spec.forum && !route.spec.event.fits_forum(route.spec.style) {
                let why = not_in_forum(channel, std::iter::once((route.spec.event, route.spec.style)));
                said.problem(&path, why.unwrap_or_else(|| safe!("<#{}> is a forum: choose a text channel.", channel)));
            }
            said.once(&mut seen, route.key(), path);
            settings.routes.push(route);
        }
        let mut seen: BTreeMap<RouteKey, SafeText> = BTreeMap::new();
        for board in file.boards {
            let at = |key: &'static str| safe!("{}.{}", board.path, key);
            if let Some(server) = board.server.filter(|server| !servers.contains(server)) {
                said.problem(at("server"), not_configured(server));
            }
            let Some(channel) = said.keep(at("channel"), self.channel(&board.channel)) else { continue };
            if let Some(hindrance) = self.channel_access(channel).hindrance_to_words(channel) {
                said.problem(at("channel"), hindrance);
            }
            let setting = BoardSetting { kind: board.kind, channel, server: board.server };
            said.once(&mut seen, setting.key(), board.path);
            settings.boards.push(setting);
        }
        if let Some(notices) = file.notices {
            settings.notices = said.keep("notices", self.channel(&notices));
            if let Some(hindrance) = settings.notices.and_then(|channel| self.channel_access(channel).hindrance_to_words(channel)) {
                said.problem("notices", hindrance);
            }
        }
        if said.0.is_empty() { Ok(settings.in_order()) } else { Err(said.sentences()) }
    }
}

/// The one that there is.
fn only<T>(mut found: impl Iterator<Item = T>, what: &'static str, wanted: &Named) -> Result<T, SafeText> {
    let name = wanted.name.as_deref().map(|name| safe!("“{}”", text::line(name, 60)));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(safe!(
            "several {}s here are called {}: write the id of one of them (Developer Mode, Copy {} ID).",
            what,
            name.unwrap_or_default(),
            what
        )),
        (None, _) => {
            let by = [wanted.id.map(|id| safe!("id {}", id)), name.map(|name| safe!("name {}", name))];
            let by: Vec<SafeText> = by.into_iter().flatten().collect();
            Err(safe!("no {} of this server has the {}: make one, or change the file.", what, SafeText::join(by, " or the ")))
        }
    }
}

/// Problems with their places, in the order found. One problem in many places is reported once.
#[derive(Debug, Default)]
struct Said(Vec<(SafeText, Vec<SafeText>)>);

impl Said {
    fn problem(&mut self, path: impl Into<SafeText>, sentence: SafeText) {
        match self.0.iter_mut().find(|(known, _)| *known == sentence) {
            Some((_, paths)) => paths.push(path.into()),
            None => self.0.push((sentence, vec![path.into()])),
        }
    }

    fn keep<T>(&mut self, path: impl Into<SafeText>, found: Result<T, SafeText>) -> Option<T> {
        found.map_err(|sentence| self.problem(path, sentence)).ok()
    }

    fn once(&mut self, seen: &mut BTreeMap<RouteKey, SafeText>, key: RouteKey, path: SafeText) {
        if let Some(first) = seen.get(&key) {
            self.problem(&path, safe!("it is the same as `{}` (kind, channel and server): leave one of the two out.", first));
        } else {
            seen.insert(key, path);
        }
    }

    fn sentences(self) -> Vec<SafeText> {
        let told = |(sentence, paths): (SafeText, Vec<SafeText>)| {
            let shown: Vec<SafeText> = paths.iter().take(3).map(|path| safe!("`{}`", path)).collect();
            let more = if paths.len() > shown.len() { safe!(" and {} more", paths.len() - shown.len()) } else { SafeText::default() };
            safe!("{}{}: {}", SafeText::join(shown, ", "), more, sentence)
        };
        self.0.into_iter().map(told).collect()
    }
}
