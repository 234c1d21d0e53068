//! The SignalR client against scripted servers on loopback. The timers are tested beside the code, in paused time.

mod connecting;
mod ends;
mod server;
mod talking;
mod tls;
