//! Buttons under the answers of `/cad audit`, `/cad import` and of commands that change routes. As with `components`, a custom id holds all there is to know, and is read
//! strictly: only what would be written is read.
//!
//! ```text
//! t2:audit:user:kind:days:upto:page      numbers in base 36, `-` for any; kind `s` or `c`
//! t2:replace:import · t2:keep:import · t2:restore:change
//! ```

use serenity::all::{ComponentInteraction, Context, CreateAllowedMentions, CreateInteractionResponse, CreateInteractionResponseFollowup};

use crate::commands::cad::audit::Question;
use crate::commands::components::{NOT_YOURS, from36, may_press, private, to36};
use crate::commands::errors::Error;
use crate::commands::{Desk, cad};
use crate::ids::{GuildId, UserId};
use crate::store::audit::Kind;

/// Ids of another form belong to another version, or are not ours.
const VERSION: &str = "t2";
/// Discord's limit of a custom id.
const LONGEST: usize = 100;

/// What a press asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Turn {
    /// A page of the audit.
    Audit(Question),
    /// Do the import of this number.
    Replace(i64),
    /// Do not.
    Keep(i64),
    /// Put routes back as they were before the change of this number.
    Restore(i64),
}

/// The custom id of a press.
pub(in super::super) fn id(turn: &Turn) -> String {
    let number = |number: i64| to36(u64::try_from(number).unwrap_or(0));
    match turn {
        Turn::Replace(import) => format!("{VERSION}:replace:{}", number(*import)),
        Turn::Keep(import) => format!("{VERSION}:keep:{}", number(*import)),
        Turn::Restore(change) => format!("{VERSION}:restore:{}", number(*change)),
        Turn::Audit(Question { user, kind, days, upto, page }) => {
            let user = user.map_or_else(|| "-".to_owned(), |user| to36(user.0));
            let kind = match kind {
                None => "-",
                Some(Kind::Setting) => "s",
                Some(Kind::Cad) => "c",
            };
            format!("{VERSION}:audit:{user}:{kind}:{}:{}:{}", to36(u64::from(*days)), number(*upto), to36(u64::from(*page)))
        }
    }
}

/// Back from a custom id. `None` unless [`id`] would write exactly this.
pub(in super::super) fn parse(custom_id: &str) -> Option<Turn> {
    if custom_id.len() > LONGEST {
        return None;
    }
    let rest = custom_id.strip_prefix(VERSION)?.strip_prefix(':')?;
    let number = |text: &str| from36(text).and_then(|number| i64::try_from(number).ok());
    let small = |text: &str| from36(text).and_then(|number| u32::try_from(number).ok());
    match rest.split(':').collect::<Vec<_>>().as_slice() {
        ["replace", import] => number(import).map(Turn::Replace),
        ["keep", import] => number(import).map(Turn::Keep),
        ["restore", change] => number(change).map(Turn::Restore),
        ["audit", user, kind, days, upto, page] => {
            let user = if *user == "-" { None } else { Some(UserId(from36(user)?)) };
            let kind = match *kind {
                "-" => None,
                "s" => Some(Kind::Setting),
                "c" => Some(Kind::Cad),
                _ => return None,
            };
            Some(Turn::Audit(Question { user, kind, days: small(days)?, upto: number(upto)?, page: small(page)? }))
        }
        _ => None,
    }
}

/// Whether a press is for this file.
pub(in super::super) fn is_ours(custom_id: &str) -> bool {
    custom_id.starts_with("t2:")
}

/// Answers a press.
pub(in super::super) async fn press(ctx: &Context, desk: &Desk, component: &ComponentInteraction) -> Result<(), Error> {
    let Some((turn, guild)) = parse(&component.data.custom_id).zip(component.guild_id) else {
        let stale = private("This button is from another version of the bot: run the command again.");
        return Ok(component.create_response(ctx, stale).await?);
    };
    if !may_press(component) {
        return Ok(component.create_response(ctx, private(NOT_YOURS)).await?);
    }
    // Discord waits three seconds; an import asks it for channels and roles first.
    component.create_response(ctx, CreateInteractionResponse::Acknowledge).await?;
    let by = (GuildId(guild.get()), UserId(component.user.id.get()));
    let turned = match turn {
        Turn::Audit(question) => cad::audit::page(desk, by.0, question).await,
        Turn::Replace(import) => cad::import::replace(desk, by, import).await,
        Turn::Keep(import) => cad::import::keep(desk, by, import).await,
        Turn::Restore(change) => super::restore::restore(desk, by, change).await,
    };
    match turned {
        Ok(page) => {
            component.edit_response(ctx, page.edit()).await?;
        }
        Err(error) => {
            let sentence = error.sentence("a button");
            let told =
                CreateInteractionResponseFollowup::new().content(sentence).ephemeral(true).allowed_mentions(CreateAllowedMentions::new());
            component.create_followup(ctx, told).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn turns() -> impl Strategy<Value = Turn> {
        let question = (
            prop::option::of(any::<u64>().prop_map(UserId)),
            prop::option::of(prop::sample::select(Kind::ALL.to_vec())),
            any::<u32>(),
            0..=i64::MAX,
            any::<u32>(),
        )
            .prop_map(|(user, kind, days, upto, page)| Turn::Audit(Question { user, kind, days, upto, page }));
        prop_oneof![
            question,
            (0..=i64::MAX).prop_map(Turn::Replace),
            (0..=i64::MAX).prop_map(Turn::Keep),
            (0..=i64::MAX).prop_map(Turn::Restore),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_back_and_fits(turn in turns()) {
            let written = id(&turn);
            prop_assert!(written.len() <= LONGEST && is_ours(&written), "{written}");
            prop_assert_eq!(parse(&written), Some(turn));
        }

        #[test]
        fn only_what_we_would_write_is_read(text in "t2:(audit|replace|keep|restore|[a-z]{0,4}):[-0-9a-zA-Z+]{0,4}(:[-sc0-9a-z]{0,3}){0,5}") {
            if let Some(turn) = parse(&text) {
                prop_assert_eq!(id(&turn), text);
            }
        }

        #[test]
        fn anything_else_is_nothing(text in ".{0,120}") {
            prop_assert!(parse(&text).is_none_or(|turn| id(&turn) == text));
        }
    }
}
