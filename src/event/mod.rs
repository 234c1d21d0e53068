//! Events of the CAD, in typed form. Every other module builds on these types.
//!
//! Turns the JSON of a push event into an [`Event`]: tolerates every form ever seen (docs/cad-contract.md#e1, #e9), but its output is
//! strict: ids are numbers, absent text is `None`, `"false"` is false. Never does I/O, never panics, never sees the
//! community's key ([`envelope`] removes it), never decides what is shown.
//!
//! ```text
//! bytes ─ envelope::open ─▶ (Envelope, Key) ─ RawEvent ─ decode ─▶ Vec<Event>
//!                                                          └ table of types ▶ one file per family ▶ normalise (the rules of c.1)
//! ```
//!
//! Texts are kept as the CAD sent them, hostile characters included: `render::text` makes them harmless.

pub mod dedup;
pub mod envelope;

mod callout;
mod civilian;
mod decode;
mod decode_error;
mod dispatch;
mod emergency;
mod listed;
mod normalise;
pub mod own;
mod pager;
mod panic;
mod record;
mod sign;
mod station;
#[cfg(test)]
mod testing;
mod tone;
mod topic;
mod unit;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMs;
use crate::ids::{CallId, Ident, ServerId, UserId};

pub use decode::{decode, known_kinds};
pub use decode_error::DecodeError;
pub use envelope::{Envelope, EnvelopeError};
pub use listed::{listed_dispatch, listed_emergency, listed_unit};
pub use topic::Topic;

/// How an event reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The SignalR hub.
    Hub,
    /// The HTTP listener: from the CAD or forwarded by the game server.
    Http,
    /// A read of the CAD's REST API: not an event, but it changes what is known.
    Rest,
    /// `/alerts test` and the like: created by the bot itself, takes the real path.
    Test,
    /// A member's action through the bot: from the answer of the CAD's API, which raises no event for it (docs/cad-contract.md#e2).
    #[serde(rename = "own")]
    Bot,
}

impl Source {
    /// Every source of events, for closed label sets.
    pub const ALL: [Self; 4] = [Self::Hub, Self::Http, Self::Test, Self::Bot];

    /// The name for logs, rows and labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Http => "http",
            Self::Rest => "rest",
            Self::Test => "test",
            Self::Bot => "own",
        }
    }
}

/// An incoming event without its key. `server` is known only from the session or the listener route: no payload
/// carries it (docs/cad-contract.md#h8).
#[derive(Clone, Debug)]
pub struct RawEvent {
    /// Which of its servers.
    pub server: ServerId,
    /// The way it came.
    pub source: Source,
    /// When we got it.
    pub received_at: UnixMs,
    /// Type and data, without the key.
    pub envelope: Arc<Envelope>,
}

/// Something that happened. `data` of an array yields one `Event` per element.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// `EVENT_911`: a new 911 or civil call.
    EmergencyNew(EmergencyCall),
    /// `EVENT_REMOVE_911`.
    EmergencyRemoved {
        /// At least one.
        calls: Vec<CallId>,
    },
    /// `EVENT_UNIT_PANIC`.
    Panic {
        /// At least one.
        idents: Vec<Ident>,
        /// On or off; absent in the CAD's old form means on.
        on: bool,
    },
    /// `EVENT_UNIT_LOGIN`.
    UnitLogin {
        /// At least one.
        units: Vec<Unit>,
    },
    /// `EVENT_UNIT_LOGOUT`.
    UnitLogout {
        /// At least one.
        idents: Vec<Ident>,
    },
    /// `EVENT_UNIT_STATUS`: by number, or by whole units in the older form. Both lists may be empty: nothing changed.
    UnitStatus {
        /// Units named by number.
        idents: Vec<Ident>,
        /// Their new status; `None` only if `idents` is empty.
        status: Option<i64>,
        /// Units sent whole.
        units: Vec<Unit>,
    },
    /// `EVENT_UNIT_UPDATE`: units sent whole.
    UnitUpdate {
        /// May be empty.
        units: Vec<Unit>,
    },
    /// `EVENT_UNIT_GROUP_ADD`.
    GroupAdd {
        /// At least one.
        idents: Vec<Ident>,
        group: String,
    },
    /// `EVENT_UNIT_GROUP_REMOVE`.
    GroupRemove {
        /// At least one.
        idents: Vec<Ident>,
        /// The group, if given.
        group: Option<String>,
    },
    /// `EVENT_UNIT_GROUP_CHANGE_NAME`.
    GroupRename {
        /// The members; may be empty.
        idents: Vec<Ident>,
        /// Name before.
        old: Option<String>,
        /// Name now.
        new: String,
    },
    /// `EVENT_DISPATCH_NEW`.
    DispatchNew(DispatchCall),
    /// `EVENT_DISPATCH_EDIT`: the whole call as it is now.
    DispatchEdited(DispatchCall),
    /// `EVENT_DISPATCH_CLOSED`.
    DispatchClosed {
        by: Option<Ident>,
        /// At least one.
        calls: Vec<CallId>,
    },
    /// `EVENT_DISPATCH_NOTE`.
    DispatchNote {
        /// The dispatch call.
        call: CallId,
        note: Note,
    },
    /// `EVENT_DISPATCH_UNIT_ATTACH`.
    UnitAttach {
        by: Option<Ident>,
        /// At least one.
        idents: Vec<Ident>,
        /// To which dispatch call.
        call: CallId,
    },
    /// `EVENT_DISPATCH_UNIT_DETACH`.
    UnitDetach {
        by: Option<Ident>,
        /// At least one.
        idents: Vec<Ident>,
        /// From which dispatch call.
        call: CallId,
    },
    /// [`own::ACKNOWLEDGED`]: a member acknowledges a subject.
    Acknowledged {
        /// The subject as text.
        subject: String,
        by: UserId,
    },
    /// [`own::EMERGENCY_NOTE`]: a note on a 911, for which the CAD has no place.
    EmergencyNote {
        /// The 911.
        call: CallId,
        note: Note,
    },
    /// `EVENT_DISPATCH_TOGGLE_BODYCAM`.
    Bodycam {
        /// Whose camera.
        ident: Ident,
        /// Switched on or off.
        on: bool,
    },
    /// `EVENT_TONE`.
    Tone {
        /// Address of the sound; kept only if http(s).
        url: Option<String>,
        /// The targets; may be empty.
        targets: Vec<ToneTarget>,
    },
    /// `EVENT_STREETSIGN_UPDATED`.
    StreetSign {
        /// Sign numbers.
        ids: Vec<i64>,
        /// Up to three lines, blank ones left out.
        lines: Vec<String>,
    },
    /// `EVENT_RECORD_ADD`, `_EDIT`, `_REMOVE`.
    Record {
        /// The kind of change.
        action: RecordAction,
        record: Record,
    },
    /// `EVENT_CHAR_SELECTED`.
    CharacterSelected {
        /// Account uuid.
        account: Option<String>,
        /// Record number or sync key.
        character: String,
    },
    /// `EVENT_COMMUNITY_LINK_VERIFIED`.
    LinkVerified {
        /// The community's own name for the user.
        community_user: String,
        /// Account uuid.
        account: Option<String>,
    },
    /// `EVENT_NEW_CALLOUT`.
    Callout(Callout),
    /// `EVENT_STATION_ALERT`.
    StationAlert(StationAlert),
    /// `EVENT_PAGER_REBORN`.
    Pager(Page),
    /// `EVENT_PRINT_RECORD`.
    PrintRecord {
        /// Who prints.
        ident: Option<Ident>,
        /// The PDF; kept only if http(s).
        url: Option<String>,
    },
    /// Known, but of no interest to people: `GET_LOGS`, retired `EVENT_UNIT_CALL_CLEAR`.
    Ignored,
    /// An unknown type; counted and shown in the status, never posted.
    Unknown,
}

/// A 911 or civil call (docs/cad-contract.md#e4).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EmergencyCall {
    /// Number in the CAD's 911 table.
    pub id: Option<CallId>,
    /// False = civil / non-emergency.
    pub is_emergency: bool,
    /// Empty for anonymous callers.
    pub caller: Option<String>,
    pub location: Option<String>,
    pub description: Option<String>,
    /// Known and unknown keys, values as text, blank values left out, in key order.
    pub meta: Meta,
    /// When the CAD last changed it.
    pub updated: Option<UnixMs>,
}

/// The key of [`Meta`] for a call's number if that is a text instead of a number. No field of the CAD has this name.
pub const NUMBER_AS_SENT: &str = "#";

/// `metaData`: values as text.
pub type Meta = std::collections::BTreeMap<String, String>;

/// A dispatch call (docs/cad-contract.md#e5). `None` in a field of an edit means that it is empty: edits carry the whole call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DispatchCall {
    /// Number in the CAD's dispatch table. Always there in decoded events.
    pub id: Option<CallId>,
    /// Who made the change (`eventOriginIdent`).
    pub by: Option<Ident>,
    /// 0 caller, 1 radio, 2 observed, 3 walk-up (docs/cad-contract.md#n3).
    pub origin: Option<i64>,
    /// 0 pending, 1 active, 2 closed.
    pub status: Option<i64>,
    /// 1 to 3, or a word of the community's own layout.
    pub priority: Option<Priority>,
    pub block: Option<String>,
    pub address: Option<String>,
    pub postal: Option<String>,
    pub title: Option<String>,
    /// Free text, e.g. `10-62 - Burglary`.
    pub code: Option<String>,
    pub description: Option<String>,
    /// `None` = the field was absent or a blank text; an empty list = the CAD says there are none.
    pub notes: Option<Vec<Note>>,
    /// `None` = the field was absent; an empty list = nobody is attached.
    pub idents: Option<Vec<Ident>>,
    /// The primary unit, if any (numbers below 1 mean none).
    pub primary: Option<Ident>,
    /// The primary's position becomes the call's.
    pub track_primary: bool,
    /// 911 call it came from: `metaData.origin911` or `metaData.createdFromId`.
    pub from_911: Option<CallId>,
    /// The rest of `metaData`.
    pub meta: Meta,
    /// When the CAD last changed it.
    pub updated: Option<UnixMs>,
}

/// A call's priority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Priority {
    /// 1 is the highest. Any number is kept; 1 to 3 are documented.
    Level(i64),
    /// A word of a custom layout.
    Word(String),
}

/// A note on a dispatch call (docs/cad-contract.md#e6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// A clock time (`19:47:30`) or an ISO time, as sent.
    pub time: Option<String>,
    /// Who, usually a callsign.
    pub label: Option<String>,
    /// `text`, `image`…; `text` where absent.
    pub kind: String,
    /// The note.
    pub content: String,
}

/// A unit as the CAD sends it whole (docs/cad-contract.md#e3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// The identifier's number; a unit without one is dropped by decoding.
    pub ident: Ident,
    /// Account uuid.
    pub account: Option<String>,
    /// docs/cad-contract.md#n1; labels are the community's.
    pub status: Option<i64>,
    /// `None` if absent.
    pub is_panic: Option<bool>,
    /// Last known location, free text.
    pub location: Option<String>,
    /// Area of patrol.
    pub aop: Option<String>,
    /// Works at the dispatch desk. `None` if absent.
    pub is_dispatch: Option<bool>,
    /// Callsign (`unitNum`).
    pub callsign: Option<String>,
    /// Person's name.
    pub name: Option<String>,
    pub district: Option<String>,
    pub department: Option<String>,
    pub subdivision: Option<String>,
    pub rank: Option<String>,
    /// Group name.
    pub group: Option<String>,
    /// 0 police, 1 fire, 2 EMS, 3 dispatch, −1 unknown.
    pub page: Option<i64>,
    /// Identities in the order of docs/cad-contract.md#e3: communityUserIds, communityUserId, apiIds, apiId1, apiId2; unique.
    pub identities: Vec<String>,
}

/// The target of a tone (docs/cad-contract.md#n6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToneTarget {
    /// 0 all … 6 unit group.
    pub kind: Option<i64>,
    /// Number or name, as text.
    pub value: Option<String>,
    /// For people.
    pub label: Option<String>,
}

/// The kind of change to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordAction {
    /// Created.
    Added,
    /// Changed.
    Edited,
    /// Deleted.
    Removed,
}

/// A custom record (docs/cad-contract.md#e9).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Record number or key, as text.
    pub id: Option<String>,
    /// The kind's number in this community.
    pub record_type: Option<i64>,
    /// 3 BOLO, 2 warrant, … (docs/cad-contract.md#n8).
    pub kind: Option<i64>,
    /// Name of the record, e.g. `BOLO`.
    pub name: Option<String>,
    /// Fields with a label and a non-blank value, in the order sent; without the one behind `closed`. Flags are one text,
    /// joined by commas.
    pub fields: Vec<RecordField>,
    /// From the state field: 0 active, 1 closed.
    pub closed: Option<bool>,
}

/// One field of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordField {
    /// For people.
    pub label: String,
    /// As text.
    pub value: String,
}

/// An ERS callout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callout {
    /// As text.
    pub id: Option<String>,
    pub name: Option<String>,
    pub descriptions: Vec<String>,
    /// Free text, if sent.
    pub location: Option<String>,
    pub postal: Option<String>,
}

/// A station alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StationAlert {
    /// The stations; may be empty.
    pub stations: Vec<Station>,
    /// Text to be spoken, or nothing.
    pub message: Option<StationMessage>,
    /// As sent, e.g. `#FF6B00`.
    pub colors: Vec<String>,
    /// Name or address of the tone.
    pub tone: Option<String>,
}

/// One station of an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Station {
    pub name: Option<String>,
    /// Doors to open.
    pub open: Vec<String>,
    /// Doors to close.
    pub close: Vec<String>,
}

/// The message of a station alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StationMessage {
    /// Words.
    Text(String),
    /// Base64 audio, decoded only when it is attached: never shown as text. At most 10 MiB decoded.
    Audio {
        /// File name ending by the sound's own first bytes: `mp3`, `wav`, `ogg`, `flac`, `webm`, `m4a` or `bin`.
        extension: String,
        /// The sound as base64 without data-URL prefix, standard alphabet, padded: a strict decoder accepts it.
        base64: String,
    },
}

/// A page of the pager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The addressees; may be empty.
    pub addresses: Vec<String>,
    /// Units; may be empty.
    pub idents: Vec<Ident>,
    /// How urgent.
    pub nature: PageNature,
    pub body: Option<String>,
}

/// How urgent a page is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PageNature {
    /// Pings.
    Emergency,
    /// Does not.
    #[default]
    NonEmergency,
    /// Does not.
    Administrative,
    /// A word of the community's own.
    Other(String),
}
