//! `/alerts test`: a sample event on the real path.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::commands::context::{CommandContext, Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::options::TestEvent;
use crate::commands::routes::no_such_route;
use crate::commands::wording::and;
use crate::commands::{autocomplete, reply};
use crate::event::Topic;
use crate::ids::{ChannelId, GuildId, RouteId};
use crate::ingest::{Request, TestAlert};
use crate::render::text::{SafeText, safe};
use crate::route::{Listens, Route};

/// Time limit for ingest.
const PATIENCE: Duration = Duration::from_secs(20);

/// Send a made-up alert the way a real one would go
#[poise::command(slash_command, guild_only)]
pub(super) async fn test(
    ctx: Context<'_>,
    #[description = "What to pretend"] event: TestEvent,
    #[description = "Only over this route (default: every route that fits)"]
    #[autocomplete = "autocomplete::route"]
    #[min = 1]
    route: Option<i64>,
    #[description = "Also ping, as a real alert would (default: no)"] full: Option<bool>,
) -> Result<(), Error> {
    let route = route.map(RouteId);
    ctx.defer_response(true).await?;
    let full = full.unwrap_or(false);
    let channels = send(ctx.data(), guild_of(ctx)?, event.0, route, full).await?;
    reply::say(ctx, sentence(event.0, &channels, full)).await
}

/// A description of what was sent.
pub(in crate::commands) fn sentence(topic: Topic, channels: &[ChannelId], full: bool) -> SafeText {
    let places: Vec<SafeText> = channels.iter().map(|channel| safe!("<#{}>", channel)).collect();
    let pings = if full { "It pings as a real one would." } else { "It pings nobody." };
    safe!("🧪 A test alert ({}) is on its way to {}. {}", topic.as_str(), and(&places), pings)
}

/// Gives a test to ingest. Returns the channels it goes to: at least one.
pub(in crate::commands) async fn send(
    context: &CommandContext,
    guild: GuildId,
    topic: Topic,
    route: Option<RouteId>,
    full: bool,
) -> Result<Vec<ChannelId>, Error> {
    let routing = context.store.routing_now();
    let own: Vec<&Route> = routing.routes.iter().filter(|known| known.guild == guild).collect();
    let fits = |known: &&&Route| known.enabled && (known.spec.event == Listens::All || known.spec.event == Listens::To(topic));
    let chosen = match route {
        None => own.iter().find(fits),
        Some(id) => {
            let known = own.iter().find(|known| known.id == id).ok_or_else(|| no_such_route(id))?;
            if !fits(&known) {
                let what = if known.enabled {
                    safe!("listens to {}, not to {}", known.spec.event.as_str(), topic.as_str())
                } else {
                    "is switched off".into()
                };
                return Err(Error::refused(safe!("Route #{} {}: choose another event or route.", id, what)));
            }
            Some(known)
        }
    };
    let Some(chosen) = chosen else {
        return Err(Error::refused(safe!(
            "Nothing in this server listens to {}: add a route with `/alerts add event:{} channel:#your-channel`.",
            topic.as_str(),
            topic.as_str()
        )));
    };
    // A test for a server that no route wants would go nowhere.
    let our = context.community(guild)?;
    let server = chosen.spec.server.unwrap_or_else(|| our.first_server());
    let (done, outcome) = oneshot::channel();
    let test = TestAlert { guild, server, topic, route, full, done };
    let busy = || Error::refused("The bot is busy taking in events: try again in a moment.");
    let asked = async {
        our.requests.send(Request::Test(test)).await.map_err(|_| busy())?;
        outcome.await.map_err(|_| busy())
    };
    let channels = match tokio::time::timeout(PATIENCE, asked).await {
        Err(_) => return Err(busy()),
        Ok(answer) => answer?.map_err(|_| Error::refused("The test could not be stored: ask the bot's operator to check its disk."))?,
    };
    if channels.is_empty() {
        let id = chosen.id;
        return Err(Error::refused(safe!(
            "The test went nowhere: route #{} shows nothing of such an event in its style. Choose another style with `/alerts edit`.",
            id
        )));
    }
    Ok(channels)
}
