//! Between rows and types. A row that cannot be read is an error with its column's name, never a default.

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, Type, ValueRef};
use rusqlite::{Connection, Row};

use crate::ids::{BoardId, ChannelId, CommunityId, GuildId, MessageId, RoleId, RouteId, ServerId, UserId};
use crate::outbox::Place;
use crate::render::Style;
use crate::route::Threads;

/// Numbers that the database itself gives.
macro_rules! key {
    ($($id:ident),*) => {
        $(
            impl ToSql for $id {
                fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                    self.0.to_sql()
                }
            }

            impl FromSql for $id {
                fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                    FromSql::column_result(value).map(Self)
                }
            }
        )*
    };
}
key!(BoardId, RouteId);

/// Snowflakes as SQLite's signed integers: Discord's ids stay below 2⁶³.
pub(super) fn flake(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

pub(super) fn unflake(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, Box::new(error)))
}

fn unflake_option(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<u64>> {
    let value: Option<i64> = row.get(column)?;
    Ok(value.and_then(|value| u64::try_from(value).ok()))
}

pub(super) fn guild(row: &Row<'_>, column: &str) -> rusqlite::Result<GuildId> {
    unflake(row, column).map(GuildId)
}

pub(super) fn user(row: &Row<'_>, column: &str) -> rusqlite::Result<UserId> {
    unflake(row, column).map(UserId)
}

pub(super) fn channel(row: &Row<'_>, column: &str) -> rusqlite::Result<ChannelId> {
    unflake(row, column).map(ChannelId)
}

pub(super) fn channel_option(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<ChannelId>> {
    Ok(unflake_option(row, column)?.map(ChannelId))
}

pub(super) fn role_option(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<RoleId>> {
    Ok(unflake_option(row, column)?.map(RoleId))
}

pub(super) fn message_option(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<MessageId>> {
    Ok(unflake_option(row, column)?.map(MessageId))
}

pub(super) fn community(row: &Row<'_>, column: &str) -> rusqlite::Result<CommunityId> {
    let value: String = row.get(column)?;
    Ok(CommunityId::new(&value))
}

pub(super) fn server_option(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<ServerId>> {
    let value: Option<u32> = row.get(column)?;
    Ok(value.map(ServerId))
}

/// A JSON column.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    of_json(&row.get::<_, String>(column)?)
}

pub(super) fn of_json<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(unreadable)
}

/// A JSON column that may be NULL.
pub(super) fn json_option<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
    let value: Option<String> = row.get(column)?;
    value.map(|value| serde_json::from_str(&value).map_err(unreadable)).transpose()
}

pub(super) fn style(row: &Row<'_>, column: &str) -> rusqlite::Result<Style> {
    style_of(row.get(column)?)
}

pub(super) fn style_of(word: String) -> rusqlite::Result<Style> {
    serde_json::from_value(serde_json::Value::String(word)).map_err(unreadable)
}

pub(super) fn style_text(style: Style) -> &'static str {
    match style {
        Style::Card => "card",
        Style::Compact => "compact",
        Style::Log => "log",
        Style::Public => "public",
    }
}

/// A word of a closed set.
pub(super) fn place(row: &Row<'_>, column: &str) -> rusqlite::Result<Place> {
    place_of(&row.get::<_, String>(column)?)
}

pub(super) fn place_of(word: &str) -> rusqlite::Result<Place> {
    Place::parse(word).ok_or_else(|| unknown(word))
}

/// How a call's notes are written.
pub(super) fn threads(row: &Row<'_>, column: &str) -> rusqlite::Result<Threads> {
    threads_of(&row.get::<_, String>(column)?)
}

pub(super) fn threads_of(word: &str) -> rusqlite::Result<Threads> {
    Threads::ALL.into_iter().find(|mode| mode.as_str() == word).ok_or_else(|| unknown(word))
}

fn unknown(word: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, format!("unknown word {word:?}").into())
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// How many numbers of a table are reserved at once.
const NUMBERS: i64 = 1_000;

/// Reserves numbers, if this one is the first of as many: then SQLite need not write the table's counter with each row, since it does so only
/// when a number is greater. After a restart the numbers go on behind the reserved ones.
pub(super) fn reserve(connection: &Connection, table: &str, number: i64) -> rusqlite::Result<()> {
    if number % NUMBERS != 0 {
        return Ok(());
    }
    let mut reserve = connection.prepare_cached("UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1")?;
    reserve.execute((table, number.saturating_add(NUMBERS - 1))).map(|_| ())
}

fn unreadable(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
}
