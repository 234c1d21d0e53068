//! The name of every setting, its default, and how many entries a list may have.

/// A setting's name and its default as written in `.env`.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Name of the environment variable.
    pub name: &'static str,
    /// Used when the variable is absent or blank; `None` = no default.
    pub default: Option<&'static str>,
    /// Its value is never shown.
    pub secret: bool,
}

const fn var(name: &'static str, default: &'static str) -> Variable {
    Variable { name, default: Some(default), secret: false }
}

const fn bare(name: &'static str, secret: bool) -> Variable {
    Variable { name, default: None, secret }
}

/// Every setting. Names and defaults are public promises.
pub const VARIABLES: &[Variable] = &[
    bare("DISCORD_TOKEN", true),
    var("DISCORD_API_URL", "https://discord.com"),
    bare("DISCORD_GUILD_ID", false),
    var("DISCORD_EDIT_WINDOW_MS", "500"),
    var("DISCORD_REQUESTS_PER_SECOND", "50"),
    var("DISCORD_MESSAGE_CONTENT", "off"),
    bare("SONORAN_COMMUNITY_ID", false),
    bare("SONORAN_API_KEY", true),
    var("SONORAN_SERVER_IDS", "1"),
    var("SONORAN_API_URL", "https://api.sonorancad.com"),
    // Default: {SONORAN_API_URL}/apiWsHub.
    bare("SONORAN_HUB_URL", false),
    var("SONORAN_HUB", "on"),
    var("SONORAN_HUB_NEGOTIATE", "auto"),
    bare("SONORAN_HUB_REDIRECTS", false),
    var("SONORAN_RECONCILE_SECONDS", "60"),
    var("SONORAN_CALLS_PER_MINUTE", "2"),
    var("SONORAN_UNITS_PER_MINUTE", "1"),
    var("SONORAN_ACTION_SHARE", "70"),
    var("SONORAN_SILENCE_MINUTES", "10"),
    var("LISTEN_ADDR", "0.0.0.0:3232"),
    bare("TRUSTED_PROXIES", false),
    var("OPS_ADDR", "127.0.0.1:9464"),
    var("DATABASE_URL", "sqlite://data/tenfour.db"),
    var("DATABASE_MAX_MB", "0"),
    var("TENFOUR_LOG", "info"),
    var("TENFOUR_LOG_FORMAT", "text"),
    bare("TENFOUR_RECORD", false),
];

/// Limit on servers in `SONORAN_SERVER_IDS`: each costs a hub session and series in the metrics.
pub const MAX_SERVERS: usize = 64;

/// Limit on addresses in `LISTEN_ADDR`.
pub const MAX_LISTEN: usize = 64;

/// Limit on entries in `TRUSTED_PROXIES`.
pub const MAX_PROXIES: usize = 64;
