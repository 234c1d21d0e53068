//! Names of channels, roles and CAD servers, cached for a minute: lists are shown while a person types, and Discord and the CAD
//! limit requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::data::Data;
use crate::actions::{ActionError, Actor};
use crate::cad::rest::{CadServer, RestError, Template};
use crate::community::Community;
use crate::ids::{ChannelId, CommunityId, GuildId, RoleId, ServerId};

/// How long names are cached.
const FRESH: Duration = Duration::from_secs(60);
/// How long the community's time zone is cached: it hardly changes.
const ZONE_FRESH: Duration = Duration::from_secs(3_600);
/// Guilds cached; the oldest is dropped.
const MAX_GUILDS: usize = 256;
/// Longest wait for names: Discord gives an autocompletion three seconds.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// The names of a guild's channels and roles.
#[derive(Clone, Debug, Default)]
pub(super) struct GuildNames {
    channels: HashMap<ChannelId, String>,
    roles: HashMap<RoleId, String>,
}

impl GuildNames {
    pub(super) fn channel(&self, id: ChannelId) -> String {
        self.channels.get(&id).map_or_else(|| format!("channel {id}"), |name| format!("#{name}"))
    }

    pub(super) fn role(&self, id: RoleId) -> String {
        self.roles.get(&id).map_or_else(|| format!("role {id}"), |name| format!("@{name}"))
    }
}

impl super::settings::file::NameLookup for GuildNames {
    fn channel(&self, id: ChannelId) -> Option<String> {
        self.channels.get(&id).cloned()
    }

    fn role(&self, id: RoleId) -> Option<String> {
        self.roles.get(&id).cloned()
    }
}

/// What each community's CAD answered, and when.
type Known<T> = HashMap<CommunityId, (Instant, T)>;

/// The cache.
#[derive(Debug, Default)]
pub(super) struct NameCache {
    guilds: Mutex<HashMap<GuildId, (Instant, Arc<GuildNames>)>>,
    servers: Mutex<Known<Arc<Vec<CadServer>>>>,
    timezones: Mutex<Known<Option<String>>>,
    layouts: Mutex<Known<Arc<Vec<Template>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fresh(at: Instant) -> bool {
    at.elapsed() < FRESH
}

impl NameCache {
    /// A guild's names; empty if Discord doesn't answer in time.
    pub(super) async fn guild(&self, data: &Data, guild: GuildId) -> Arc<GuildNames> {
        if let Some((_, known)) = lock(&self.guilds).get(&guild).filter(|(at, _)| fresh(*at)) {
            return Arc::clone(known);
        }
        let (channels, roles) = (format!("/guilds/{guild}/channels"), format!("/guilds/{guild}/roles"));
        let asked = async { tokio::join!(data.rest.ask(&channels), data.rest.ask(&roles)) };
        let Ok((Ok(channels), Ok(roles))) = tokio::time::timeout(PATIENCE, asked).await else { return Arc::default() };
        let names = Arc::new(GuildNames {
            channels: named(&channels).map(|(id, name)| (ChannelId(id), name)).collect(),
            roles: named(&roles).map(|(id, name)| (RoleId(id), name)).collect(),
        });
        let mut guilds = lock(&self.guilds);
        if guilds.len() >= MAX_GUILDS
            && let Some(oldest) = guilds.iter().min_by_key(|(_, (at, _))| *at).map(|(guild, _)| *guild)
        {
            guilds.remove(&oldest);
        }
        guilds.insert(guild, (Instant::now(), Arc::clone(&names)));
        names
    }

    /// The CAD's servers, remembered.
    pub(super) async fn servers(&self, community: &Community) -> Result<Arc<Vec<CadServer>>, RestError> {
        if let Some((_, known)) = lock(&self.servers).get(&community.id).filter(|(at, _)| fresh(*at)) {
            return Ok(Arc::clone(known));
        }
        let Some(cad) = &community.cad else { return Err(RestError::Network { cause: "there is no client for it" }) };
        let servers = Arc::new(cad.servers().await?);
        keep(&self.servers, community, Arc::clone(&servers));
        Ok(servers)
    }

    /// The time zone that a guild's community is set to in the CAD; the last known one if the CAD doesn't answer in time.
    pub(super) async fn timezone(&self, data: &Data, guild: GuildId) -> Option<String> {
        let community = data.community(guild).ok()?;
        if let Some((_, known)) = lock(&self.timezones).get(&community.id).filter(|(at, _)| at.elapsed() < ZONE_FRESH) {
            return known.clone();
        }
        match tokio::time::timeout(PATIENCE, community.cad.as_ref()?.info()).await {
            Ok(Ok(info)) => keep(&self.timezones, &community, info.timezone),
            Ok(Err(error)) => tracing::debug!(%error, "the CAD does not say its time zone"),
            Err(_) => {}
        }
        lock(&self.timezones).get(&community.id).and_then(|(_, zone)| zone.clone())
    }

    /// The community's layouts of dispatch calls, remembered. Asked for in the name of somebody who may make calls.
    pub(super) async fn layouts(&self, community: &Community, actor: &Actor) -> Result<Arc<Vec<Template>>, ActionError> {
        if let Some((_, known)) = lock(&self.layouts).get(&community.id).filter(|(at, _)| fresh(*at)) {
            return Ok(Arc::clone(known));
        }
        let cad_actions = community.cad_actions.as_ref().ok_or(ActionError::NoCad)?;
        let layouts = Arc::new(cad_actions.templates(actor).await?);
        keep(&self.layouts, community, Arc::clone(&layouts));
        Ok(layouts)
    }

    /// The configured servers with the CAD's names for them, if it answers in time.
    pub(super) async fn configured(&self, community: &Community) -> Vec<CadServer> {
        let asked = tokio::time::timeout(PATIENCE, self.servers(community)).await;
        let known = asked.ok().and_then(Result::ok).unwrap_or_default();
        let name = |id: ServerId| known.iter().find(|server| server.id == id).and_then(|server| server.name.clone());
        community.servers.iter().map(|id| CadServer { id: *id, name: name(*id) }).collect()
    }
}

fn keep<T>(all: &Mutex<Known<T>>, community: &Community, value: T) {
    lock(all).insert(community.id.clone(), (Instant::now(), value));
}

fn named(all: &Value) -> impl Iterator<Item = (u64, String)> {
    let entry = |one: &Value| Some((one.get("id")?.as_str()?.parse().ok()?, one.get("name")?.as_str()?.to_owned()));
    all.as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(entry)
}
