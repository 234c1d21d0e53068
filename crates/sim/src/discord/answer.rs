//! What a route returns: an answer, or an error in Discord's format.

use serde_json::{Value, json};

use super::model::Id;
use super::validate::Problems;

/// A successful answer.
pub(super) struct Answer {
    pub(super) status: u16,
    /// `None` for 204.
    pub(super) body: Option<Value>,
}

impl Answer {
    pub(super) fn ok(body: Value) -> Self {
        Self { status: 200, body: Some(body) }
    }

    pub(super) fn none() -> Self {
        Self { status: 204, body: None }
    }
}

/// An error in Discord's format.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: u16,
    code: u32,
    message: String,
    errors: Option<Value>,
}

impl ApiError {
    pub(super) fn new(status: u16, code: u32, message: &str) -> Self {
        Self { status, code, message: message.to_owned(), errors: None }
    }

    pub(super) fn form(problems: Problems) -> Self {
        Self { status: 400, code: 50035, message: "Invalid Form Body".to_owned(), errors: Some(problems.into_value()) }
    }

    pub(super) fn unknown_message() -> Self {
        Self::new(404, 10008, "Unknown Message")
    }

    pub(super) fn empty_message() -> Self {
        Self::new(400, 50006, "Cannot send an empty message")
    }

    pub(super) fn method() -> Self {
        Self::new(405, 0, "405: Method Not Allowed")
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, 0, "404: Not Found")
    }

    pub(super) fn missing_access() -> Self {
        Self::new(403, 50001, "Missing Access")
    }

    pub(super) fn missing_permissions() -> Self {
        Self::new(403, 50013, "Missing Permissions")
    }

    pub(super) fn into_value(self) -> Value {
        let mut value = json!({"message": self.message, "code": self.code});
        if let (Some(map), Some(errors)) = (value.as_object_mut(), self.errors) {
            map.insert("errors".into(), errors);
        }
        value
    }
}

/// A path segment as a snowflake.
pub(super) fn id(segment: &str) -> Result<Id, ApiError> {
    segment.parse().map_err(|_| {
        let mut problems = Problems::default();
        problems.add("id", "NUMBER_TYPE_COERCE", format!("Value \"{segment}\" is not snowflake."));
        ApiError::form(problems)
    })
}
