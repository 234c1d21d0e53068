//! `/cad diagnose`: checks whether everything that was set up works, and gives the fix if not.
//!
//! A line that begins with ❌ is a problem with its fix. "Everything works" appears only if there is none, everything was checked, and
//! something is set up at all.

use std::collections::BTreeMap;

use super::status::NOTHING;
use crate::commands::checks::{ChannelAccess, Pingable, Standpoint};
use crate::commands::context::{CommandContext, Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::route_wording::{ever_pings, named, not_configured};
use crate::commands::wording::and;
use crate::commands::{announce, reply};
use crate::community::Community;
use crate::ids::{ChannelId, GuildId, RoleId, RouteId};
use crate::render::text::{self, SafeText, safe};
use crate::route::{Board, Quiet, Route, Threads};
use crate::status::{Link, contested};

/// Channels checked at once: each is a request to Discord.
const MAX_CHANNELS_AT_ONCE: usize = 50;

/// Check permissions, roles and settings, and whether Discord and the CAD can be reached
#[poise::command(slash_command, guild_only)]
pub(super) async fn diagnose(ctx: Context<'_>) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let guild = guild_of(ctx)?;
    let context = ctx.data();
    let routing = context.store.routing_now();
    let routes: Vec<&Route> = routing.routes.iter().filter(|route| route.guild == guild).collect();
    let boards: Vec<&Board> = routing.boards.iter().filter(|board| board.guild == guild).collect();
    let community = context.community(guild)?;
    let mut lines = vec![cad(&community).await];
    lines.extend(links(context, &community));
    let here = Standpoint::ask(context, guild).await?;
    lines.push("✅ Discord answers.".into());
    let own = routing.guilds.get(&guild);
    let uses = Uses::of(&routes, &boards, own.and_then(|own| own.notices));
    let channel_access = uses.look(context, guild, &here, &mut lines).await?;
    for route in &routes {
        lines.extend(route_problems(context, &community, &here, route, channel_access.get(&route.spec.channel).copied()));
    }
    let lost = boards.iter().filter_map(|board| Some((board, board.server.filter(|server| !community.servers.contains(server))?)));
    lines.extend(lost.map(|(board, server)| safe!("❌ Board #{}: {}", board.id, not_configured(server))));
    if let Some(role) = own.and_then(|own| own.action_rule.role).filter(|role| !here.has_role(*role)) {
        lines.push(safe!("❌ `/cad actions`: the role that may act in the CAD was deleted (id {}), so nobody may. Choose another with `/cad actions role:`, or let everybody with `/cad actions any_role:True`.", role));
    }
    lines.extend(own.and_then(|own| own.quiet.as_ref()).and_then(Quiet::hint));
    let empty = routes.is_empty() && boards.is_empty();
    if empty {
        lines.push(NOTHING.into());
    }
    let checked = match uses.0.len() > MAX_CHANNELS_AT_ONCE {
        _ if empty => Checked::Nothing,
        true => Checked::Part,
        false => Checked::Everything,
    };
    let (title, color) = verdict(&lines, checked);
    reply::list(ctx, title, &lines, color).await
}

/// How much of what is set up was checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Checked {
    /// No route and no board is set up.
    Nothing,
    /// Some channels were left out, because there are so many.
    Part,
    Everything,
}

/// What the heading may claim.
fn verdict(lines: &[SafeText], checked: Checked) -> (&'static str, u32) {
    let any = |sign: char| lines.iter().any(|line| line.starts_with(sign));
    match (any('❌'), any('⏳')) {
        (true, _) => ("🩺 Something needs your attention", reply::YELLOW),
        _ if checked == Checked::Nothing => ("🩺 Nothing is set up yet", reply::YELLOW),
        (_, true) => ("🩺 Not everything is ready yet", reply::YELLOW),
        _ if checked == Checked::Part => ("🩺 No problem in what was checked", reply::YELLOW),
        _ => ("🩺 Everything works", reply::GREEN),
    }
}

async fn cad(community: &Community) -> SafeText {
    let Some(cad) = &community.cad else { return "❌ The CAD cannot be asked: its address or key is not set.".into() };
    match cad.version().await {
        Ok(_) => "✅ The CAD answers and takes the key.".into(),
        Err(error) => safe!("❌ {}", super::wizard::of_the_cad(&error)),
    }
}

fn links(context: &CommandContext, community: &Community) -> Vec<SafeText> {
    let mut lines: Vec<SafeText> = community
        .servers
        .iter()
        .filter_map(|server| match community.status.link_of(*server) {
            Link::Off if community.hub => Some(safe!("❌ Server {}: its hub session has not begun.", server)),
            Link::Off | Link::Ready => None,
            Link::Connecting => Some(safe!("⏳ Server {}: its hub session is connecting.", server)),
            Link::Contested => Some(safe!("❌ {}", contested(*server))),
            Link::Down(why) | Link::Rejected(why) => Some(safe!("❌ Server {}: {}", server, text::line(&why, 300))),
        })
        .collect();
    if !community.hub && context.facts.listen.is_empty() {
        lines.push(
            "❌ No event can reach the bot: SONORAN_HUB is off and LISTEN_ADDR is not set. Set one of them and restart the bot.".into(),
        );
    }
    let snapshot = community.status.snapshot();
    if let Some(reason) = snapshot.stopped {
        lines.push(safe!("❌ Sending has stopped: {}", text::line(&reason, 300)));
    }
    if let Some((since, why)) = snapshot.unstored {
        lines.push(safe!("❌ Events can't be stored since <t:{}:R>: {}", since.secs(), text::line(&why, 300)));
    }
    for server in &community.servers {
        let Some(known) = snapshot.servers.get(server) else { continue };
        for (part, reading) in &known.readings {
            if let Some((since, why)) = &reading.trouble {
                let (part, since) = (part.as_str(), since.secs());
                lines.push(safe!("❌ Server {}: {} can't be read since <t:{}:R>: {}", server, part, since, text::line(why, 300)));
            }
        }
    }
    lines
}

/// What a channel is used for.
#[derive(Default)]
struct Use {
    routes: Vec<RouteId>,
    threads: bool,
    /// The bot's own messages: boards and notices, which a forum doesn't accept.
    words: Vec<SafeText>,
}

impl Use {
    /// `routes #1 and #2, board #3`.
    fn said(&self) -> SafeText {
        let routes: Vec<SafeText> = self.routes.iter().map(|route| safe!("#{}", route)).collect();
        let routes = match routes.as_slice() {
            [] => None,
            [one] => Some(safe!("route {}", one)),
            some => Some(safe!("routes {}", and(some))),
        };
        SafeText::join(routes.into_iter().chain(self.words.iter().cloned()), ", ")
    }
}

/// Channels that routes, boards or notices use.
struct Uses(BTreeMap<ChannelId, Use>);

impl Uses {
    fn of(routes: &[&Route], boards: &[&Board], notices: Option<ChannelId>) -> Self {
        let mut uses: BTreeMap<ChannelId, Use> = BTreeMap::new();
        for route in routes {
            let known = uses.entry(route.spec.channel).or_default();
            known.routes.push(route.id);
            known.threads |= route.spec.threads() != Threads::Off;
        }
        for board in boards {
            uses.entry(board.channel).or_default().words.push(safe!("board #{}", board.id));
        }
        if let Some(channel) = notices {
            uses.entry(channel).or_default().words.push("notices".into());
        }
        Self(uses)
    }

    /// One line per channel, and what the bot may do there. Reopens those that are fine again.
    async fn look(
        &self,
        context: &CommandContext,
        guild: GuildId,
        here: &Standpoint,
        lines: &mut Vec<SafeText>,
    ) -> Result<BTreeMap<ChannelId, ChannelAccess>, Error> {
        let mut channel_access = BTreeMap::new();
        for (channel, used) in self.0.iter().take(MAX_CHANNELS_AT_ONCE) {
            let (hindrance, forum) = match here.in_channel(context, *channel).await {
                Ok(access) => {
                    channel_access.insert(*channel, access);
                    let routes = if used.routes.is_empty() {
                        None
                    } else if used.threads {
                        access.hindrance_to_threads(*channel)
                    } else {
                        access.hindrance(*channel)
                    };
                    let words = if used.words.is_empty() { None } else { access.hindrance_to_words(*channel) };
                    (routes.or(words), access.is_forum())
                }
                Err(Error::Refused(sentence)) => (Some(sentence), false),
                Err(error) => return Err(error),
            };
            lines.push(match hindrance {
                Some(hindrance) => safe!("❌ {} Used by: {}.", hindrance, used.said()),
                None if context.open_again(guild, *channel).await? => {
                    if !forum {
                        let text = "The bot may post here again. What waited follows.".into();
                        announce::post(context, guild, *channel, "open-again", "✅ Alerts go on".into(), text).await;
                    }
                    safe!("✅ <#{}> is open again: what waited for it goes out now.", channel)
                }
                None => safe!("✅ <#{}>", channel),
            });
        }
        if self.0.len() > MAX_CHANNELS_AT_ONCE {
            lines.push(safe!("… and {} more channels that weren't checked.", self.0.len() - MAX_CHANNELS_AT_ONCE));
        }
        Ok(channel_access)
    }
}

/// What stands in the way of one route, beside its channel's permissions.
fn route_problems(
    context: &CommandContext,
    community: &Community,
    here: &Standpoint,
    route: &Route,
    there: Option<ChannelAccess>,
) -> Vec<SafeText> {
    let (name, id) = (named(route), route.id);
    let mut lines = Vec::new();
    if let Some(server) = route.spec.server.filter(|server| !community.servers.contains(server)) {
        lines.push(safe!("❌ {}: {}", name, not_configured(server)));
    }
    if !route.enabled {
        lines.push(safe!("⚪ {} is switched off: run `/alerts add` for it again to switch it on.", name));
    }
    if route.spec.rule.thread_notes && !context.facts.message_content {
        lines.push(safe!("❌ {}: what members write in its threads can't become notes, since the bot may not read messages. Set DISCORD_MESSAGE_CONTENT=on, or run `/alerts thread route:{} notes:off`.", name, id));
    }
    let mut role = |role: RoleId, pings: bool, whom: SafeText, fix: SafeText| {
        let state = match there {
            Some(there) => here.pingable(role, there),
            None if here.has_role(role) => Pingable::Yes,
            None => Pingable::Gone,
        };
        match state {
            Pingable::Gone => lines.push(safe!("❌ {}: {} was deleted (id {}), so nobody is pinged. {}", name, whom, role, fix)),
            Pingable::No if pings => lines.push(safe!("❌ {}: Discord won't ping <@&{}> ({}). Turn on \"Allow anyone to @mention this role\" in Server Settings > Roles, or give the bot Mention Everyone in <#{}>.", name, role, whom, route.spec.channel)),
            Pingable::No | Pingable::Yes => {}
        }
    };
    if let Some(pinged) = route.spec.role {
        let fix = safe!("Choose another with `/alerts ping route:{} role:`, or ping nobody with `/alerts ping route:{} off:True`.", id, id);
        role(pinged, ever_pings(route), "the role that it pings".into(), fix);
    }
    for step in route.spec.rule.escalation.steps() {
        let minutes = step.minutes;
        let fix = safe!(
            "Choose another with `/alerts escalate route:{} minutes:{} role:`, or take the step away with `/alerts escalate route:{} minutes:{} off:True`.",
            id,
            minutes,
            id,
            minutes
        );
        role(step.role, true, safe!("the role that is called after {} min", minutes), fix);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_everything_works_is_said_only_if_it_does() {
        let of = |lines: &[&'static str], checked| verdict(&lines.iter().map(|line| (*line).into()).collect::<Vec<_>>(), checked).0;
        assert_eq!(of(&["✅ a", "💡 b"], Checked::Everything), "🩺 Everything works");
        assert_eq!(of(&["✅ a", "❌ b"], Checked::Everything), "🩺 Something needs your attention");
        assert_eq!(of(&["❌ b"], Checked::Nothing), "🩺 Something needs your attention");
        assert_eq!(of(&["✅ a"], Checked::Nothing), "🩺 Nothing is set up yet");
        assert_eq!(of(&["⏳ a"], Checked::Everything), "🩺 Not everything is ready yet");
        assert_eq!(of(&["✅ a"], Checked::Part), "🩺 No problem in what was checked");
    }
}
