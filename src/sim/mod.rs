//! A pretend CAD and a pretend Discord, for the demo and the tests. Shares no type with the other rooms.

pub mod cad;
pub mod discord;
pub mod page;
pub mod scenario;
