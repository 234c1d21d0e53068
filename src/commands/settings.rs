//! What `/cad export`, `/cad import` and `/cad audit` share: settings as a file, whether they are possible here, what they would change, and
//! the buttons under the answers.

pub(super) mod buttons;
pub(super) mod check;
pub(super) mod difference;
pub(super) mod file;
pub(super) mod restore;
