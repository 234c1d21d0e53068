//! Finds the cause of a rejected request in Discord's JSON error codes. Only Discord's own rejection of a body is final; after any other code the
//! message waits and is retried. Discord's reference: Opcodes and Status Codes, "JSON Error Codes".

use serde_json::Value;

use crate::outbox::Obstacle;

/// The message has a thread already.
pub(super) const HAS_THREAD: i64 = 160_004;
pub(super) const UNKNOWN_CHANNEL: i64 = 10_003;
pub(super) const UNKNOWN_MESSAGE: i64 = 10_008;
/// An old message was edited too often.
pub(super) const OLD_EDITS: i64 = 30_046;
const INVALID_FORM: i64 = 50_035;

/// The cause of a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusalCause {
    /// The text or the files: it will never be accepted.
    Body,
    /// The name of a thread: another one may be.
    Name,
    /// The channel: nothing may be sent there until a person changes something.
    Place,
    /// Something else, which is temporary.
    Way(Obstacle),
}

/// Reads a rejection. `None` if this isn't Discord's own answer but that of a proxy in front of it.
pub(super) fn about(body: &[u8], status: u16) -> Option<RefusalCause> {
    let answer = own(body)?;
    Some(match answer.get("code").and_then(Value::as_i64)? {
        INVALID_FORM => form(&answer),
        code => about_code(code, status),
    })
}

/// The same for a rejection with only a code.
pub(super) fn about_code(code: i64, status: u16) -> RefusalCause {
    match code {
        // Empty message; file or request too large; attachments too many or invalid; not JSON; no such kind of message; voice messages.
        INVALID_FORM | 50_006 | 40_005 | 30_015 | 50_045 | 50_046 | 50_068 | 50_109 | 50_138 | 50_160 | 50_161 => RefusalCause::Body,
        // AutoMod on the title of a forum post.
        200_001 => RefusalCause::Name,
        // Missing Access, Missing Permissions, Unknown Channel, Unknown Guild, wrong kind of channel, verification level, no history.
        50_001 | 50_013 | UNKNOWN_CHANNEL | 10_004 | 50_008 | 50_009 | 50_024 | 40_058 | 160_002 => RefusalCause::Place,
        160_005 | 50_083 => RefusalCause::Way(Obstacle::Locked),
        160_006 | 160_007 => RefusalCause::Way(Obstacle::Full),
        40_067 => RefusalCause::Way(Obstacle::Tags),
        200_000 | 240_000 => RefusalCause::Way(Obstacle::Blocked),
        40_333 => RefusalCause::Way(Obstacle::Edge),
        // Overloaded; sending or a feature is disabled for a while.
        130_000 | 40_004 | 40_006 | 40_062 => RefusalCause::Way(Obstacle::Down),
        // Slow mode, limits of writing in a channel or guild, of announcements, of pins, of old edits.
        20_016 | 20_022 | 20_028 | 20_029 | 30_003 | OLD_EDITS => RefusalCause::Way(Obstacle::Limit(code)),
        0 => RefusalCause::Way(Obstacle::Unknown(status.into())),
        code => RefusalCause::Way(Obstacle::Unknown(code)),
    }
}

/// Discord's JSON, if it is that. Anything else comes from a proxy between us and Discord.
pub(super) fn own(body: &[u8]) -> Option<Value> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let is_own = answer.get("code").is_some_and(Value::is_i64) && answer.get("message").is_some_and(Value::is_string);
    is_own.then_some(answer)
}

/// Invalid Form Body: which field?
fn form(answer: &Value) -> RefusalCause {
    let Some(fields) = answer.get("errors").and_then(Value::as_object) else { return RefusalCause::Body };
    let has = |name: &str| fields.contains_key(name);
    if has("name") {
        RefusalCause::Name
    } else if has("applied_tags") {
        RefusalCause::Way(Obstacle::Tags)
    } else if fields.keys().all(|field| matches!(&**field, "message_reference" | "auto_archive_duration" | "rate_limit_per_user")) {
        RefusalCause::Way(Obstacle::Unknown(INVALID_FORM))
    } else {
        RefusalCause::Body
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Option<RefusalCause> {
        about(body.to_string().as_bytes(), 400)
    }

    fn code(code: i64) -> Option<RefusalCause> {
        read(&json!({ "message": "words", "code": code }))
    }

    #[test]
    fn only_what_discord_says_about_the_body_is_final() {
        let form = |field: &str| read(&json!({ "message": "Invalid Form Body", "code": 50035, "errors": { field: { "_errors": [] } } }));
        for field in ["content", "embeds", "components", "message", "allowed_mentions", "attachments"] {
            assert_eq!(form(field), Some(RefusalCause::Body), "{field}");
        }
        assert_eq!(read(&json!({ "message": "Invalid Form Body", "code": 50035 })), Some(RefusalCause::Body));
        assert_eq!(form("name"), Some(RefusalCause::Name));
        assert_eq!(form("applied_tags"), Some(RefusalCause::Way(Obstacle::Tags)));
        assert_eq!(form("message_reference"), Some(RefusalCause::Way(Obstacle::Unknown(50_035))));
        let finals: Vec<i64> = (0..250_000).filter(|number| code(*number) == Some(RefusalCause::Body)).collect();
        assert_eq!(finals, [30_015, 40_005, 50_006, 50_035, 50_045, 50_046, 50_068, 50_109, 50_138, 50_160, 50_161]);
    }

    #[test]
    fn a_channel_is_closed_only_by_discords_own_codes() {
        let closed: Vec<i64> = (0..250_000).filter(|number| code(*number) == Some(RefusalCause::Place)).collect();
        assert_eq!(closed, [10_003, 10_004, 40_058, 50_001, 50_008, 50_009, 50_013, 50_024, 160_002]);
        assert_eq!(code(40_333), Some(RefusalCause::Way(Obstacle::Edge)));
        assert_eq!(code(160_006), Some(RefusalCause::Way(Obstacle::Full)));
        assert_eq!(code(99_999), Some(RefusalCause::Way(Obstacle::Unknown(99_999))));
        assert_eq!(code(0), Some(RefusalCause::Way(Obstacle::Unknown(400))));
    }

    #[test]
    fn what_is_not_discords_json_is_not_discords_word() {
        for body in
            ["", "<html>403 Forbidden</html>", "null", "[]", "\"50001\"", "{}", r#"{"code":50001}"#, r#"{"code":"50001","message":"x"}"#]
        {
            assert_eq!(about(body.as_bytes(), 403), None, "{body}");
        }
    }
}
