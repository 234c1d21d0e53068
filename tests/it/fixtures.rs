//! To come with its room.
