//! Shared by `/cad export`, `/cad import` and `/cad audit`: settings as a file, whether they are possible here, what they would change, and
//! how a change is undone.

pub(super) mod check;
pub(super) mod difference;
pub(super) mod file;
pub(super) mod restore;
