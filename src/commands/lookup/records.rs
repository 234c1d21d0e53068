//! Looks up records, and shows them.

use serde_json::{Map, json};

use crate::actions::ActionError;
use crate::authorization::{Need, Permission};
use crate::cad::rest::{Lookup, LookupKind, Notify, Object};
use crate::commands::context::Context;
use crate::commands::errors::Error;
use crate::commands::wording::counted;
use crate::commands::{cad_args, reply};
use crate::event::{Envelope, Event, Record, decode};
use crate::render::text::{self, safe};
use crate::render::{self, Message};

/// Records shown.
const MAX_RECORDS_SHOWN: usize = 5;

/// What is looked up, and how.
pub(super) struct RecordSearch {
    pub(super) kind: LookupKind,
    /// Parts of names or plates match too.
    pub(super) partial: bool,
    /// The result also opens in the CAD of whoever asks.
    pub(super) open_in_cad: bool,
}

/// Looks it up and shows the result. The command was deferred before.
pub(super) async fn show(ctx: Context<'_>, search: RecordSearch) -> Result<(), Error> {
    let RecordSearch { kind: wanted, partial, open_in_cad } = search;
    let actor = cad_args::actor_of(ctx)?;
    let community = ctx.data().community(actor.guild)?;
    let cad_actions = ctx.data().cad_actions(actor.guild)?;
    let (all, found) = cad_args::patiently(ctx, async {
        // The CAD doesn't check permissions for this.
        let need = Need { permission: Permission::PoliceRecords, on_duty: None };
        let all = match cad_actions.may(&actor, community.first_server(), need).await {
            Ok(()) => true,
            // It would be the same request again, and nobody waits for that twice.
            Err(refused @ ActionError::Unread(_)) => return Err(refused),
            Err(_) => false,
        };
        // Results that open in the CAD can't be filtered there.
        let notify = (open_in_cad && all).then_some(Notify::Discord(actor.user.0));
        let found = cad_actions.lookup(&actor, &Lookup { wanted, types: Vec::new(), partial, notify }).await?;
        Ok((all, found))
    })
    .await?;
    let found = Found::new(&found, all);
    let note = match (all, open_in_cad) {
        (true, false) => "",
        (true, true) => " It opens in your CAD too, if you are signed in there.",
        (false, false) => POLICE_ONLY,
        (false, true) => " Records of the police are for Police and Dispatch, so it does not open in your CAD either.",
    };
    if found.count == 0 {
        let fix = if partial { "" } else { " `partial:True` finds parts of it too." };
        // Nothing was found that could have opened.
        return reply::say(ctx, safe!("The CAD has no record of that.{}{}", fix, if all { "" } else { note })).await;
    }
    let mut message = found.page();
    message.content = message.content.map(|content| safe!("{}{}", content, note));
    reply::message(ctx, &message).await
}

const POLICE_ONLY: &str = " Records of the police are for Police and Dispatch.";

/// Record types of the CAD (docs/cad-contract.md#n8) that every department may see: license, vehicle registration, character, medical,
/// fire, DMV. The others are for the police: warrant, BOLO, police and law records and reports; and unknown types may be.
const FOR_ALL: [i64; 8] = [4, 5, 7, 10, 11, 12, 13, 14];

/// What was found for somebody.
struct Found {
    count: usize,
    /// The records that may be shown.
    records: Vec<Record>,
}

impl Found {
    fn new(found: &[Object], all: bool) -> Self {
        let records: Vec<Record> = found.iter().filter_map(read).collect();
        if all {
            return Self { count: found.len(), records };
        }
        let for_all = |record: &Record| record.kind.is_some_and(|kind| FOR_ALL.contains(&kind));
        let records: Vec<Record> = records.into_iter().filter(for_all).collect();
        Self { count: records.len(), records }
    }

    fn page(&self) -> Message {
        let embeds = self.records.iter().take(MAX_RECORDS_SHOWN).map(render::found).collect::<Vec<_>>();
        let mut message = render::limits::fit(Message { embeds, ..Message::default() });
        let shown = message.embeds.len();
        let said = text::line(&counted(self.count, "record", "records"), 40);
        message.content = Some(match shown {
            0 if self.count == 1 => safe!("{}, which cannot be shown here: open the CAD for it.", said),
            0 => safe!("{}, none of which can be shown here: open the CAD for them.", said),
            _ if shown == self.count => safe!("{}.", said),
            1 => safe!("{}, 1 is shown: open the CAD for the rest.", said),
            _ if self.records.len() == self.count => safe!("{}, the first {} are shown: open the CAD for the rest.", said, shown),
            // One between them could not be read.
            _ => safe!("{}, {} are shown: open the CAD for the rest.", said, shown),
        });
        message
    }
}

/// A record as an event would carry it: one decoder for both.
fn read(record: &Object) -> Option<Record> {
    let envelope = Envelope { kind: "EVENT_RECORD_ADD".into(), data: json!({ "record": record }), extras: Map::new() };
    decode(&envelope).ok()?.into_iter().find_map(|event| match event {
        Event::Record { record, .. } => Some(record),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

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
        let message = Found::new(&found, true).page();
        assert_eq!(message.content.as_deref(), Some("12 records, the first 5 are shown: open the CAD for the rest."));
        assert_eq!(message.embeds.len(), 5);
        assert!(message.embeds.iter().map(render::limits::size).sum::<usize>() <= render::limits::TOTAL);
        let all = serde_json::to_string(&message.embeds).unwrap();
        assert!(!all.contains("@everyone") && !all.contains("<@1>") && !all.contains("https://"), "{all}");
        assert!(message.embeds.iter().all(|embed| embed.fields.len() <= 10));
    }

    #[test]
    fn one_record_says_what_it_is() {
        let message = Found::new(&[record(7, "BKT 4471")], true).page();
        assert_eq!(message.content.as_deref(), Some("1 record."));
        let embed = &message.embeds[0];
        assert_eq!((embed.title.as_deref(), embed.fields.len()), (Some("🔵 BKT 4471 (vehicle registration)"), 9));
    }

    #[test]
    fn what_cannot_be_shown_is_counted() {
        let said = |good: usize, bad: usize| {
            let found: Vec<Object> = (0..good).map(|n| record(n, "BKT")).chain(vec![Object::new(); bad]).collect();
            Found::new(&found, true).page().content.unwrap()
        };
        assert_eq!(said(0, 1), "1 record, which cannot be shown here: open the CAD for it.");
        assert_eq!(said(0, 3), "3 records, none of which can be shown here: open the CAD for them.");
        assert_eq!(said(1, 1), "2 records, 1 is shown: open the CAD for the rest.");
        assert_eq!(said(3, 1), "4 records, 3 are shown: open the CAD for the rest.");
        assert_eq!((said(2, 0), said(5, 0)), ("2 records.".into(), "5 records.".into()));
    }

    #[test]
    fn what_the_police_wrote_and_what_is_not_known_is_for_police_and_dispatch() {
        let of = |kind: Value| {
            let mut record = record(1, "BKT");
            record.insert("type".into(), kind);
            record
        };
        let found: Vec<Object> = (0..=20).map(|kind| of(json!(kind))).chain([of(json!(null)), of(json!("x")), Object::new()]).collect();
        let kinds = |all| Found::new(&found, all).records.iter().filter_map(|record| record.kind).collect::<Vec<_>>();
        assert_eq!(kinds(false), [4, 5, 7, 10, 11, 12, 13, 14]);
        assert_eq!(kinds(true).len(), 21);
        assert_eq!((Found::new(&found, false).count, Found::new(&found, true).count), (8, 24));
    }
}
