//! The SignalR wire protocol (JSON hub protocol over WebSocket). Knows no CAD.
