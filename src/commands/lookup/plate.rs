//! `/lookup plate`.

use super::records::{RecordSearch, show};
use crate::cad::rest::LookupKind;
use crate::commands::context::Context;
use crate::commands::errors::Error;

/// Records of a vehicle
#[poise::command(slash_command, guild_only)]
pub(super) async fn plate(
    ctx: Context<'_>,
    #[description = "Its plate"]
    #[max_length = 40]
    plate: String,
    #[description = "Parts of the plate are enough"] partial: Option<bool>,
    #[description = "Open the result in your CAD too"] open_in_cad: Option<bool>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    if plate.trim().is_empty() {
        return Err(Error::refused("Type a plate, or a part of it with `partial:True`."));
    }
    let kind = LookupKind::Plate(plate);
    show(ctx, RecordSearch { kind, partial: partial == Some(true), open_in_cad: open_in_cad == Some(true) }).await
}
