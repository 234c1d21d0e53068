//! `/cad export`: all settings of this server as a file.

use serde_json::Value;

use super::audit::day;
use crate::commands::context::{Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::reply;
use crate::commands::reply::{BLUE, ReplyPage};
use crate::commands::settings::file::write;
use crate::commands::wording::counted;
use crate::render::text::{self, safe};
use crate::store::settings::Settings;

/// All settings of this server as a file: to keep, to copy to another server, to change by hand
#[poise::command(slash_command, guild_only)]
pub(super) async fn export(ctx: Context<'_>) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let (guild, context) = (guild_of(ctx)?, ctx.data());
    let now = context.clock.now();
    let settings = Settings::of(&context.store.routing_now(), guild, now);
    // Ids alone are enough for an import: the names are for people.
    let names = context.names.guild(context, guild).await;
    let known = context.rest.ask(&format!("/guilds/{guild}")).await.ok();
    let name = known.as_ref().and_then(|known| known.get("name")).and_then(Value::as_str);
    let file = write(&settings, guild, name, names.as_ref(), now).map_err(anyhow::Error::from)?;
    let of = name.map(plain).filter(|name| !name.is_empty()).unwrap_or_else(|| guild.to_string());
    let said = safe!(
        "{} and {}, the notices channel, words and quiet hours. It holds no keys, no messages and no audit. `/cad import` reads it back, here or in another server.",
        counted(settings.routes.len(), "route", "routes"),
        counted(settings.boards.len(), "board", "boards")
    );
    let title = name.map_or_else(|| "Settings".into(), |name| safe!("Settings of {}", text::line(name, 100)));
    reply::file(ctx, ReplyPage::new(title, said, BLUE), &format!("tenfour-settings-{of}-{}.json", day(now)), file).await
}

/// Valid in a file name everywhere.
fn plain(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase().chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_guilds_name_becomes_part_of_a_files() {
        assert_eq!(plain("Los Santos 🌴 RP / v2"), "los-santos-rp-v2");
        assert_eq!(plain("../../etc"), "etc");
        assert_eq!(plain("ロスサントス"), "");
        assert_eq!(plain(&"x".repeat(100)).len(), 40);
    }
}
