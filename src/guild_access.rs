//! Which Discord servers may use which community's data. Pure: the links and the setting in, yes or no out.
//!
//! Anybody who has the invite link can add a bot to a server of their own, so being in a server means nothing. This is the only place that
//! decides; the store, ingest, delivery and the commands ask it. Never allows a server that nobody vouched for, and never gives a server more
//! than one community:
//!
//! ```text
//! DISCORD_GUILD_ID is set ─▶ that server, and no other
//! otherwise               ─▶ servers with a link: the bot's only one when it was linked, or somebody there knew the API key
//! ```

use std::collections::BTreeSet;

use crate::clock::UnixMs;
use crate::ids::{CommunityId, GuildId, UserId};

/// How a server was linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It was the only server that had the bot.
    OnlyGuild,
    /// `DISCORD_GUILD_ID` named it.
    Setting,
    /// Somebody with Manage Server entered the community's API key.
    Key,
    /// It had routes or boards before servers had to be linked.
    Upgrade,
}

impl How {
    const WORDS: [(Self, &'static str); 4] =
        [(Self::OnlyGuild, "only-guild"), (Self::Setting, "setting"), (Self::Key, "key"), (Self::Upgrade, "upgrade")];

    /// Whether somebody vouched for the server: with the key, or whoever runs the bot. Who was merely there first has proven nothing.
    #[must_use]
    pub fn is_proven(self) -> bool {
        matches!(self, Self::Setting | Self::Key)
    }

    /// The word in the database and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(how, _)| *how == self).map_or("key", |(_, word)| word)
    }

    /// Back from the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(how, _)| *how)
    }
}

/// One server's link, also after it was undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub guild: GuildId,
    /// Whose data.
    pub community: CommunityId,
    /// Since when.
    pub linked_at: UnixMs,
    /// `None`: no person did it.
    pub linked_by: Option<UserId>,
    /// On what grounds.
    pub how: How,
    /// `/cad unlink`: it is no link any more, and must not come back by itself.
    pub unlinked_at: Option<UnixMs>,
    /// The bot is not in that server now.
    pub left_at: Option<UnixMs>,
}

/// What a server may do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Use everything.
    Served,
    /// Nothing: `DISCORD_GUILD_ID` names another server.
    OtherGuildOnly,
    /// Nothing until it is linked.
    NotLinked,
}

/// The links, and the settings that decide what they are worth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The communities that this process runs; links to others count for nothing. Empty until set in the store: every link counts.
    communities: BTreeSet<CommunityId>,
    /// `DISCORD_GUILD_ID`.
    only: Option<GuildId>,
    /// Every link there ever was.
    links: Vec<Link>,
}

impl Access {
    /// From what is stored.
    #[must_use]
    pub fn new(communities: BTreeSet<CommunityId>, only: Option<GuildId>, links: Vec<Link>) -> Self {
        Self { communities, only, links }
    }

    /// The communities that this process runs.
    #[must_use]
    pub fn communities(&self) -> &BTreeSet<CommunityId> {
        &self.communities
    }

    /// Whose data a server may use.
    #[must_use]
    pub fn community_of(&self, guild: GuildId) -> Option<&CommunityId> {
        self.linked().find(|link| link.guild == guild && self.serves(guild)).map(|link| &link.community)
    }

    /// What concerns one community.
    #[must_use]
    pub fn of(&self, community: &CommunityId) -> Self {
        let links = self.links.iter().filter(|link| link.community == *community).cloned().collect();
        Self { communities: BTreeSet::from([community.clone()]), only: self.only, links }
    }

    /// `DISCORD_GUILD_ID`: the only server that is served, whatever the links say.
    #[must_use]
    pub fn only(&self) -> Option<GuildId> {
        self.only
    }

    /// What a server may do.
    #[must_use]
    pub fn standing(&self, guild: GuildId) -> Standing {
        match self.only {
            Some(only) if only == guild => Standing::Served,
            Some(_) => Standing::OtherGuildOnly,
            None if self.linked().any(|link| link.guild == guild) => Standing::Served,
            None => Standing::NotLinked,
        }
    }

    /// Whether a server may use a community's data.
    #[must_use]
    pub fn serves(&self, guild: GuildId) -> bool {
        self.standing(guild) == Standing::Served
    }

    /// The links that count now, the oldest first.
    #[must_use]
    pub fn served(&self) -> Vec<&Link> {
        let mut served: Vec<&Link> = self.linked().filter(|link| self.serves(link.guild)).collect();
        served.sort_by_key(|link| (link.linked_at, link.guild));
        served
    }

    /// The links to a community that count now, the oldest first.
    #[must_use]
    pub fn served_by(&self, community: &CommunityId) -> Vec<&Link> {
        self.served().into_iter().filter(|link| link.community == *community).collect()
    }

    /// Whether somebody decided that a server is served.
    #[must_use]
    pub fn is_proven(&self, guild: GuildId) -> bool {
        self.served().iter().any(|link| link.guild == guild && link.how.is_proven())
    }

    /// The server whose settings are the community's: of those that are served, the one that was linked first. One that the bot was removed
    /// from counts only if it is in no other, or nobody could change those settings any more.
    #[must_use]
    pub fn first(&self, community: &CommunityId) -> Option<&Link> {
        let served = self.served_by(community);
        served.iter().find(|link| link.left_at.is_none()).or(served.first()).copied()
    }

    /// Whether a server may unlink another one of its community: the first, any but one that has proven what it has not itself; and one that has
    /// proven it, any that has not. So a stranger who was there before the owner can be removed, and can remove nobody who vouched for
    /// themselves.
    #[must_use]
    pub fn may_unlink(&self, guild: GuildId, target: GuildId) -> bool {
        let Some(community) = self.community_of(guild) else { return false };
        if self.community_of(target) != Some(community) {
            return false;
        }
        let is_first = self.first(community).map(|link| link.guild) == Some(guild);
        match (self.is_proven(guild), self.is_proven(target)) {
            (true, false) => true,
            (false, true) => false,
            _ => is_first,
        }
    }

    /// The server that is to be linked now because no other has the bot, given all the servers that do. Nobody is linked by themselves once
    /// there is, or was, a link of this community: a server that the bot is moved to, or that is left over, proves the key. Nor if there are
    /// several communities: nobody knows which is meant.
    #[must_use]
    pub fn alone(&self, present: &BTreeSet<GuildId>) -> Option<GuildId> {
        let [alone] = present.iter().copied().collect::<Vec<_>>()[..] else { return None };
        let was_linked = self.links.iter().any(|link| self.is_ours(link));
        (self.only.is_none() && self.communities.len() <= 1 && !was_linked).then_some(alone)
    }

    fn is_ours(&self, link: &Link) -> bool {
        self.communities.is_empty() || self.communities.contains(&link.community)
    }

    fn linked(&self) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(|link| link.unlinked_at.is_none() && self.is_ours(link))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: GuildId = GuildId(1);
    const B: GuildId = GuildId(2);

    fn c() -> CommunityId {
        CommunityId::new("c")
    }

    fn link(guild: GuildId, at: i64) -> Link {
        Link { guild, community: c(), linked_at: UnixMs(at), linked_by: None, how: How::Key, unlinked_at: None, left_at: None }
    }

    fn access(only: Option<GuildId>, links: Vec<Link>) -> Access {
        Access::new([c()].into(), only, links)
    }

    fn present(guilds: &[GuildId]) -> BTreeSet<GuildId> {
        guilds.iter().copied().collect()
    }

    #[test]
    fn a_guild_without_a_link_is_not_served() {
        assert_eq!(Access::default().standing(A), Standing::NotLinked);
        assert_eq!(access(None, vec![link(A, 1)]).standing(B), Standing::NotLinked);
        assert_eq!(access(None, vec![link(A, 1)]).standing(A), Standing::Served);
    }

    #[test]
    fn the_setting_serves_one_guild_whatever_the_links_say() {
        let set = access(Some(A), vec![link(B, 1)]);
        assert_eq!((set.standing(A), set.standing(B)), (Standing::Served, Standing::OtherGuildOnly));
        assert!(set.served().is_empty(), "the store adds the link of the guild that the setting names");
        assert_eq!(access(Some(A), vec![link(A, 5), link(B, 1)]).first(&c()).map(|link| link.guild), Some(A));
        assert_eq!(set.alone(&present(&[B])), None);
    }

    #[test]
    fn a_link_to_another_community_counts_for_nothing() {
        let other = Access::new([CommunityId::new("other")].into(), None, vec![link(A, 1)]);
        assert_eq!(other.standing(A), Standing::NotLinked);
        assert_eq!(other.alone(&present(&[A])), Some(A), "its own first link");
    }

    #[test]
    fn each_guild_has_the_community_of_its_link_and_none_can_unlink_another_communitys() {
        let of = |guild, community: &str, at| Link { community: CommunityId::new(community), ..link(guild, at) };
        let (d, third) = (CommunityId::new("d"), GuildId(3));
        let two =
            Access::new([c(), d.clone()].into(), None, vec![of(A, "c", 1), of(B, "d", 2), of(third, "c", 3), of(GuildId(4), "gone", 0)]);
        assert_eq!((two.community_of(A), two.community_of(B), two.community_of(third)), (Some(&c()), Some(&d), Some(&c())));
        assert_eq!((two.community_of(GuildId(4)), two.standing(GuildId(4))), (None, Standing::NotLinked));
        assert_eq!((two.first(&c()).map(|link| link.guild), two.first(&d).map(|link| link.guild)), (Some(A), Some(B)));
        assert_eq!((two.may_unlink(A, third), two.may_unlink(A, B), two.may_unlink(B, A)), (true, false, false));
        let empty = Access::new([c(), d].into(), None, Vec::new());
        assert_eq!(empty.alone(&present(&[A])), None, "which community is meant?");
    }

    #[test]
    fn only_the_only_guild_is_linked_by_itself() {
        let none = access(None, Vec::new());
        assert_eq!(none.alone(&present(&[A])), Some(A));
        assert_eq!(none.alone(&present(&[])), None);
        assert_eq!(none.alone(&present(&[A, B])), None);
    }

    #[test]
    fn nobody_is_linked_by_themselves_while_there_is_a_link_or_after_one_was_undone() {
        assert_eq!(access(None, vec![link(A, 1)]).alone(&present(&[B])), None, "the bot was moved");
        let undone = Link { unlinked_at: Some(UnixMs(2)), ..link(A, 1) };
        let access = access(None, vec![undone]);
        assert_eq!((access.alone(&present(&[A])), access.alone(&present(&[B]))), (None, None));
        assert_eq!((access.standing(A), access.first(&c())), (Standing::NotLinked, None));
    }

    #[test]
    fn the_first_guild_is_the_one_linked_first_of_those_that_still_have_the_bot() {
        let gone = Link { left_at: Some(UnixMs(9)), ..link(A, 1) };
        assert_eq!(access(None, vec![link(B, 2), link(A, 1)]).first(&c()).map(|link| link.guild), Some(A));
        assert_eq!(access(None, vec![link(B, 2), gone.clone()]).first(&c()).map(|link| link.guild), Some(B));
        assert_eq!(access(None, vec![gone]).first(&c()).map(|link| link.guild), Some(A));
    }

    #[test]
    fn whoever_proved_the_key_can_remove_who_was_merely_there_first_and_not_the_other_way_round() {
        let there = |how| Link { how, ..link(B, 1) };
        for how in [How::OnlyGuild, How::Upgrade] {
            let both = access(None, vec![there(how), link(A, 5)]);
            assert_eq!(both.first(&c()).map(|link| link.guild), Some(B), "{how:?}");
            assert_eq!((both.may_unlink(A, B), both.may_unlink(B, A)), (true, false));
        }
        let proven = access(None, vec![there(How::Key), link(A, 5)]);
        assert_eq!((proven.may_unlink(A, B), proven.may_unlink(B, A)), (false, true), "the first of equals");
    }

    #[test]
    fn every_way_of_linking_has_a_word_of_its_own() {
        for (how, word) in How::WORDS {
            assert_eq!((how.as_str(), How::parse(word)), (word, Some(how)));
        }
        assert_eq!(How::parse("magic"), None);
    }
}
