//! Accounts and characters: `EVENT_CHAR_SELECTED`, `EVENT_COMMUNITY_LINK_VERIFIED`.

use super::normalise::Item;
use super::{DecodeError, Event};

pub(super) fn character_selected(item: Item<'_>) -> Result<Event, DecodeError> {
    let character = item.data.word("id").ok_or(DecodeError::Missing("id"))?;
    Ok(Event::CharacterSelected { account: item.data.word("accId"), character })
}

pub(super) fn link_verified(item: Item<'_>) -> Result<Event, DecodeError> {
    let community_user = item.data.word("communityUserId").ok_or(DecodeError::Missing("communityUserId"))?;
    Ok(Event::LinkVerified { community_user, account: item.data.word("accountUuid") })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::decode_one;
    use super::*;

    #[test]
    fn nobody_in_particular_is_refused() {
        for id in [json!(""), json!(null), json!([1])] {
            assert_eq!(decode_one("EVENT_CHAR_SELECTED", json!({"accId": "a", "id": id})), Err(DecodeError::Missing("id")), "{id}");
            let link = decode_one("EVENT_COMMUNITY_LINK_VERIFIED", json!({"accountUuid": "a", "communityUserId": id}));
            assert_eq!(link, Err(DecodeError::Missing("communityUserId")), "{id}");
        }
    }

    #[test]
    fn keys_lose_the_blanks_around_them() {
        let link = decode_one("EVENT_COMMUNITY_LINK_VERIFIED", json!({"communityUserId": " discord:1 "}));
        assert_eq!(link, Ok(Event::LinkVerified { community_user: "discord:1".into(), account: None }));
    }
}
