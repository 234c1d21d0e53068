//! `/lookup name`.

use super::records::{RecordSearch, show};
use crate::cad::rest::LookupKind;
use crate::commands::context::Context;
use crate::commands::errors::Error;

/// Records of a person
#[poise::command(slash_command, guild_only)]
pub(super) async fn name(
    ctx: Context<'_>,
    #[description = "First name"]
    #[max_length = 60]
    first: Option<String>,
    #[description = "Last name"]
    #[max_length = 60]
    last: Option<String>,
    #[description = "Parts of the names are enough"] partial: Option<bool>,
    #[description = "Open the result in your CAD too"] open_in_cad: Option<bool>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
    if first.trim().is_empty() && last.trim().is_empty() {
        return Err(Error::refused("Type a first name, a last name, or both."));
    }
    let kind = LookupKind::Name { first, mi: String::new(), last };
    show(ctx, RecordSearch { kind, partial: partial == Some(true), open_in_cad: open_in_cad == Some(true) }).await
}
