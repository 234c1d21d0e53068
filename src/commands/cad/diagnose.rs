//! `/cad diagnose`: may the bot do what its routes want of it?

use std::collections::BTreeSet;

use crate::commands::checks::Standpoint;
use crate::commands::errors::Error;
use crate::commands::{Context, Desk, guild_of, make, reply};
use crate::ids::{ChannelId, GuildId};
use crate::route::Threads;
use crate::status::Link;

/// Channels looked at in one go: each is a question to Discord.
const MOST: usize = 50;

/// Check every channel's permissions and whether Discord and the CAD can be reached
#[poise::command(slash_command, guild_only)]
pub(super) async fn diagnose(ctx: Context<'_>) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let guild = guild_of(ctx)?;
    let desk = ctx.data();
    let mut lines = vec![cad(desk).await];
    lines.extend(links(desk));
    lines.extend(channels(desk, guild).await?);
    let fine = !lines.iter().any(|line| line.starts_with('❌'));
    let (title, color) = if fine { ("🩺 Everything works", reply::GREEN) } else { ("🩺 Something needs your hand", reply::YELLOW) };
    reply::list(ctx, title, &lines, color).await
}

async fn cad(desk: &Desk) -> String {
    let Some(cad) = &desk.cad else { return "❌ The CAD cannot be asked: its address or key is not set.".to_owned() };
    match cad.version().await {
        Ok(_) => "✅ The CAD answers and takes the key.".to_owned(),
        Err(error) => format!("❌ {error}"),
    }
}

fn links(desk: &Desk) -> Vec<String> {
    let facts = &desk.facts;
    let mut lines: Vec<String> = facts
        .servers
        .iter()
        .filter_map(|server| match desk.status.link_of(&facts.community, *server) {
            Link::Off if facts.hub => Some(format!("❌ Server {server}: its hub session has not begun.")),
            Link::Off | Link::Ready => None,
            Link::Connecting => Some(format!("⏳ Server {server}: its hub session is connecting.")),
            Link::Down(why) | Link::Rejected(why) => Some(format!("❌ Server {server}: {why}")),
        })
        .collect();
    let snapshot = desk.status.snapshot();
    if let Some(reason) = snapshot.stopped {
        lines.push(format!("❌ Sending has stopped: {reason}"));
    }
    lines
}

/// One line per channel that routes, boards or notices use. Opens those that are fine again.
async fn channels(desk: &Desk, guild: GuildId) -> Result<Vec<String>, Error> {
    let routing = desk.store.routing_now();
    let notices = routing.guilds.get(&guild).and_then(|guild| guild.notices);
    let routed = routing.routes.iter().filter(|route| route.guild == guild).map(|route| route.channel);
    let boards = routing.boards.iter().filter(|board| board.guild == guild).map(|board| board.channel);
    let wanted: BTreeSet<ChannelId> = routed.chain(boards).chain(notices).collect();
    if wanted.is_empty() {
        return Ok(vec!["No channel is in use yet: begin with `/cad setup`.".to_owned()]);
    }
    let here = Standpoint::ask(desk, guild).await?;
    let mut lines = vec!["✅ Discord answers.".to_owned()];
    for channel in wanted.iter().take(MOST) {
        let threads =
            routing.routes.iter().any(|route| route.channel == *channel && route.guild == guild && route.threads() != Threads::Off);
        let (hindrance, forum) = match here.in_channel(desk, *channel).await {
            Ok(standing) if threads => (standing.hindrance_to_threads(*channel), standing.is_forum()),
            Ok(standing) => (standing.hindrance(*channel), standing.is_forum()),
            Err(Error::Refused(sentence)) => (Some(sentence), false),
            Err(error) => return Err(error),
        };
        lines.push(match hindrance {
            Some(hindrance) => format!("❌ {hindrance}"),
            None if desk.open_again(*channel).await? => {
                if !forum {
                    let text = "The bot may post here again. What waited follows.".to_owned();
                    make::tell(desk, guild, *channel, "open-again", "✅ Alerts go on".to_owned(), text).await;
                }
                format!("✅ <#{channel}> is open again: what waited for it goes out now.")
            }
            None => format!("✅ <#{channel}>"),
        });
    }
    if wanted.len() > MOST {
        lines.push(format!("… and {} channels that were not looked at.", wanted.len() - MOST));
    }
    Ok(lines)
}
