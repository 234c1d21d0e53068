//! `/lookup`: records of the CAD, told to the asker alone.

mod name;
mod plate;

use serde_json::{Map, json};

use super::errors::Error;
use super::{Context, acts, reply};
use crate::cad::rest::{Lookup, Notify, Object, Wanted};
use crate::event::{Envelope, Event, Record, decode};
use crate::render::{self, Message};

/// Records shown.
const MOST: usize = 5;

/// Records in the CAD, for you alone
#[poise::command(
    slash_command,
    guild_only,
    subcommand_required,
    subcommands("plate::plate", "name::name"),
    default_member_permissions = "MANAGE_GUILD",
    interaction_context = "Guild"
)]
pub(super) async fn lookup(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}

/// Looks it up and shows what was found. The command has been deferred before.
pub(super) async fn show(ctx: Context<'_>, wanted: Wanted, partial: bool, open_in_cad: bool) -> Result<(), Error> {
    let (acting, actor) = (ctx.data().acting()?, acts::actor_of(ctx)?);
    let notify = open_in_cad.then_some(Notify::Discord(actor.user.0));
    let found = acting.lookup(&actor, &Lookup { wanted, types: Vec::new(), partial, notify }).await?;
    let opened = if open_in_cad { " It opens in your CAD too, if you are signed in there." } else { "" };
    if found.is_empty() {
        let fix = if partial { "" } else { " `partial:True` finds parts of it too." };
        return reply::say(ctx, format!("The CAD has no record of that.{fix}")).await;
    }
    let mut message = page(&found);
    message.content = message.content.map(|content| format!("{content}{opened}"));
    reply::message(ctx, &message).await
}

fn page(found: &[Object]) -> Message {
    let records: Vec<Record> = found.iter().filter_map(read).collect();
    let embeds = records.iter().take(MOST).map(render::found).collect::<Vec<_>>();
    let mut said = match found.len() {
        1 => "1 record.".to_owned(),
        n => format!("{n} records."),
    };
    if found.len() > embeds.len() {
        said = format!("{said} Shown are {}, … and {} more: the CAD shows all.", embeds.len(), found.len() - embeds.len());
    }
    render::limits::fit(Message { content: Some(said), embeds, ..Message::default() })
}

/// A record as an event would tell it: one reader for both.
fn read(record: &Object) -> Option<Record> {
    let envelope = Envelope { kind: "EVENT_RECORD_ADD".to_owned(), data: json!({ "record": record }), extras: Map::new() };
    decode(&envelope).ok()?.into_iter().find_map(|event| match event {
        Event::Record { record, .. } => Some(record),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: usize, text: &str) -> Object {
        let fields: Vec<_> = (0..12).map(|at| json!({ "label": format!("Field {at} {text}"), "value": text })).collect();
        let record = json!({ "id": n, "type": 5, "name": text, "sections": [{ "fields": fields }] });
        record.as_object().cloned().unwrap()
    }

    #[test]
    fn five_are_shown_within_discords_limits_and_the_rest_is_counted() {
        let hostile = "**@everyone** <@1> [x](https://evil.example) ".repeat(40);
        let found: Vec<Object> = (0..12).map(|n| record(n, &hostile)).collect();
        let message = page(&found);
        assert_eq!(message.content.as_deref(), Some("12 records. Shown are 5, … and 7 more: the CAD shows all."));
        assert_eq!(message.embeds.len(), 5);
        assert!(message.embeds.iter().map(render::limits::size).sum::<usize>() <= render::limits::TOTAL);
        let all = serde_json::to_string(&message.embeds).unwrap();
        assert!(!all.contains("@everyone") && !all.contains("<@1>") && !all.contains("https://"), "{all}");
        assert!(message.embeds.iter().all(|embed| embed.fields.len() <= 10));
    }

    #[test]
    fn one_record_says_what_it_is() {
        let message = page(&[record(7, "BKT 4471")]);
        assert_eq!(message.content.as_deref(), Some("1 record."));
        let embed = &message.embeds[0];
        assert_eq!((embed.title.as_deref(), embed.fields.len()), (Some("🔵 BKT 4471 (vehicle registration)"), 9));
    }
}
