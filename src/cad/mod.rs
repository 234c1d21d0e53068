//! Sonoran CAD: hub sessions, HTTP listener, REST client.
