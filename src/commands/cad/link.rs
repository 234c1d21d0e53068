//! `/cad link`: a Discord server proves that it may use the community's data, by its API key.
//!
//! Anybody may try from any server, so tries are few and counted before they are looked at, and nothing that was typed is kept: not in a log,
//! the audit, an answer or a custom id. Who runs it must have Manage Server there, whatever a server's Integrations say.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use serenity::all::{CreateInteractionResponse, CreateModal, ModalInteraction};
use subtle::ConstantTimeEq as _;

use crate::clock::UnixMs;
use crate::commands::components::{manages, private};
use crate::commands::errors::Error;
use crate::commands::forms::{Input, Typed};
use crate::commands::{Context, Desk, access, guild_of};
use crate::guild_access::{How, Standing};
use crate::ids::{GuildId, UserId};
use crate::store::Linked;
use crate::store::audit::{Entry, Kind};

/// The form's custom id. It holds nothing: the server is the one it is sent from.
pub(in crate::commands) const FORM: &str = "t1:link";
const COMMUNITY: &str = "community";
const KEY: &str = "key";
/// Longest id and key that are taken.
const LONGEST: u16 = 200;

/// Tries of one server, and of one person, in [`TRIES_WITHIN`].
const MOST_TRIES: usize = 5;
/// See [`MOST_TRIES`] (ms).
const TRIES_WITHIN: i64 = 3_600_000;
/// Servers and people whose tries are remembered. Beyond it nobody else may try until some are forgotten.
const MOST_REMEMBERED: usize = 10_000;

pub(super) const MANAGE_ONLY: &str =
    "Only someone with Manage Server on this Discord server can do this: ask them to run it, or ask for that permission.";

/// Link this Discord server to the CAD community, with the community's API key
#[poise::command(slash_command, guild_only)]
pub(super) async fn link(ctx: Context<'_>) -> Result<(), Error> {
    let (guild, desk) = (guild_of(ctx)?, ctx.data());
    let permissions = ctx.interaction.member.as_ref().and_then(|member| member.permissions);
    if let Some(no) = hindrance(desk, guild, manages(permissions)) {
        return Err(Error::refused(no));
    }
    desk.tries.may(guild, UserId(ctx.interaction.user.id.get()), desk.clock.now())?;
    let plain = Input { id: "", label: "", long: false, required: true, longest: LONGEST, placeholder: "", value: "" };
    let rows = [
        Input { id: COMMUNITY, label: "Community ID", placeholder: "mycommunity", ..plain },
        Input { id: KEY, label: "API key (Admin > In-Game Integration > API)", ..plain },
    ];
    let form = CreateModal::new(FORM, "Link this Discord server").components(rows.iter().map(Input::row).collect());
    ctx.interaction.create_response(ctx.serenity_context(), CreateInteractionResponse::Modal(form)).await?;
    // poise would answer in our place otherwise.
    ctx.has_sent_initial_response.store(true, Ordering::SeqCst);
    Ok(())
}

/// Why this server cannot be linked by this person now.
fn hindrance(desk: &Desk, guild: GuildId, manages: bool) -> Option<&'static str> {
    let access = &desk.store.routing_now().access;
    match access.standing(guild) {
        Standing::OtherGuildOnly => Some(access::OTHER_GUILD),
        _ if !manages => Some(MANAGE_ONLY),
        // One that was linked by itself may prove the key: nobody who has not can unlink it then.
        Standing::Served if access.is_proven(guild) => Some(
            "This Discord server is already linked. `/cad status` shows since when, `/alerts add` posts alerts, and `/cad unlink` removes the link.",
        ),
        Standing::Served | Standing::NotLinked => None,
    }
}

/// The form was sent.
pub(in crate::commands) async fn sent(ctx: &serenity::all::Context, desk: &Desk, modal: &ModalInteraction) -> Result<(), Error> {
    let guild = modal.guild_id.ok_or_else(|| Error::refused("This works in a server only, not in direct messages."))?;
    let permissions = modal.member.as_ref().and_then(|member| member.permissions);
    let who = (GuildId(guild.get()), UserId(modal.user.id.get()));
    let answer = match tried(desk, who, manages(permissions), &Typed::of(modal)).await {
        Ok(sentence) => sentence,
        Err(error) => error.sentence("/cad link"),
    };
    Ok(modal.create_response(ctx, private(&answer)).await?)
}

async fn tried(desk: &Desk, (guild, user): (GuildId, UserId), manages: bool, typed: &Typed) -> Result<String, Error> {
    if let Some(no) = hindrance(desk, guild, manages) {
        return Err(Error::refused(no));
    }
    let now = desk.clock.now();
    // Counted before it is looked at: of tries that come at once none is free.
    let left = desk.tries.take(guild, user, now)?;
    let Some(cad) = &desk.cad else {
        return Err(Error::refused("This bot has no API key to compare with: tell its operator to set SONORAN_API_KEY."));
    };
    let community = typed.get(COMMUNITY).unwrap_or_default().to_lowercase();
    let same_community = community.as_bytes().ct_eq(desk.facts.community.as_str().as_bytes());
    // Both are compared, whatever came of the first.
    let same = same_community & subtle::Choice::from(u8::from(cad.is_key(typed.get(KEY).unwrap_or_default())));
    if !bool::from(same) {
        tracing::warn!(%guild, %user, left, "somebody tried to link a Discord server with a wrong community ID or API key");
        return Err(Error::refused(format!(
            "That isn't the community ID and API key that this bot runs with, so nothing was linked. Copy both from Sonoran CAD (Admin > In-Game Integration > API), then run `/cad link` again. Tries left this hour: {left}."
        )));
    }
    let access = &desk.store.routing_now().access;
    let entry = |at: GuildId| Entry {
        guild: at,
        at: now,
        user,
        kind: Kind::Setting,
        action: "/cad link".to_owned(),
        target: format!("Discord server {guild}"),
        detail: String::new(),
        outcome: "done".to_owned(),
    };
    let entries = std::iter::once(guild).chain(access.first().map(|link| link.guild)).map(entry).collect();
    let linked = desk.store.link(guild, &desk.facts.community, Some(user), How::Key, now, entries).await?;
    if linked == Linked::Now {
        tracing::info!(%guild, %user, "a Discord server was linked with the community's API key");
        access::report_link(desk, guild, user, true).await;
    }
    Ok("✅ This Discord server is linked. `/cad setup` leads through the first alerts, `/alerts add` adds them one by one.".to_owned())
}

/// Who tried, and when. Forgotten by a restart, which nobody outside can cause.
#[derive(Debug, Default)]
pub(in crate::commands) struct Tries(Mutex<HashMap<Trier, Vec<UnixMs>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Trier {
    Guild(GuildId),
    User(UserId),
}

impl Tries {
    /// Whether there is a try left.
    fn may(&self, guild: GuildId, user: UserId, now: UnixMs) -> Result<(), Error> {
        self.count(guild, user, now, false).map(|_| ())
    }

    /// Takes one; how many are left.
    fn take(&self, guild: GuildId, user: UserId, now: UnixMs) -> Result<usize, Error> {
        self.count(guild, user, now, true)
    }

    fn count(&self, guild: GuildId, user: UserId, now: UnixMs, take: bool) -> Result<usize, Error> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, tries| {
            tries.retain(|at| now.since(*at) < TRIES_WITHIN);
            !tries.is_empty()
        });
        let triers = [Trier::Guild(guild), Trier::User(user)];
        let of = |trier: &Trier| all.get(trier).map_or(&[][..], Vec::as_slice);
        let made = triers.iter().map(|trier| of(trier).len()).max().unwrap_or(0);
        if made >= MOST_TRIES {
            let again = triers.iter().filter(|trier| of(trier).len() >= MOST_TRIES).filter_map(|trier| of(trier).first()).max();
            let at = again.map_or(now, |first| first.plus(TRIES_WITHIN)).secs();
            return Err(Error::refused(format!(
                "That was tried {MOST_TRIES} times within an hour, by you or on this Discord server. Try again <t:{at}:R>."
            )));
        }
        if all.len() + triers.iter().filter(|trier| !all.contains_key(trier)).count() > MOST_REMEMBERED {
            return Err(Error::refused("Too many people try to link their Discord servers right now. Try again in an hour."));
        }
        if take {
            for trier in triers {
                all.entry(trier).or_default().push(now);
            }
            return Ok(MOST_TRIES - made - 1);
        }
        Ok(MOST_TRIES - made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_790_000_000_000);

    #[test]
    fn five_tries_an_hour_of_a_guild_and_of_a_person() {
        let tries = Tries::default();
        for left in (0..5).rev() {
            assert_eq!(tries.take(GuildId(1), UserId(1), NOW).unwrap(), left);
        }
        assert!(tries.take(GuildId(1), UserId(2), NOW).is_err(), "another person there");
        assert!(tries.take(GuildId(2), UserId(1), NOW).is_err(), "the same person elsewhere");
        assert!(tries.may(GuildId(1), UserId(1), NOW).is_err());
        assert_eq!(tries.take(GuildId(2), UserId(2), NOW).unwrap(), 4);
        let refused = tries.take(GuildId(1), UserId(2), NOW).unwrap_err().sentence("");
        assert!(refused.contains(&format!("<t:{}:R>", NOW.plus(TRIES_WITHIN).secs())), "{refused}");
        // What was refused is not counted, and an hour later all is as in the beginning.
        assert_eq!(tries.take(GuildId(1), UserId(1), NOW.plus(TRIES_WITHIN)).unwrap(), 4);
    }

    #[test]
    fn tries_are_remembered_up_to_a_bound_and_nobody_gets_more_by_filling_it() {
        let tries = Tries::default();
        for _ in 0..5 {
            tries.take(GuildId(1), UserId(1), NOW).unwrap();
        }
        for n in 10..20_000 {
            tries.take(GuildId(n), UserId(n), NOW).ok();
        }
        assert!(tries.0.lock().unwrap().len() <= MOST_REMEMBERED);
        assert!(tries.take(GuildId(1), UserId(1), NOW).is_err());
        assert!(tries.take(GuildId(30_000), UserId(30_000), NOW).unwrap_err().sentence("").contains("in an hour"));
        assert!(tries.take(GuildId(30_000), UserId(30_000), NOW.plus(TRIES_WITHIN)).is_ok());
    }
}
