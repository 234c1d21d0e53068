//! Parses text into typed values, one method per kind of setting. Each reports its problem and continues, so that a person sees all
//! problems at once. None repeats the value; a problem in a list is located by position.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::problem::SettingProblem;
use super::variables::{MAX_LISTEN, MAX_PROXIES, MAX_SERVERS, VARIABLES};
use crate::ids::{CommunityId, ServerId};
use crate::telemetry;

/// When the CAD's REST API is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconcile {
    /// Never.
    Off,
    /// Only on request: a session was signed in, a 911 was removed.
    WhenAsked,
    /// Then, and after this long: from 10 to 86,400 s.
    Every(Duration),
}

/// One address of the event listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Where to bind; port 0 = any free port.
    pub addr: SocketAddr,
    /// The server of events here unless the request names one; `None` = the first configured server.
    pub server: Option<ServerId>,
}

pub(super) struct SettingReader {
    vars: BTreeMap<String, String>,
    problems: Vec<SettingProblem>,
    warnings: Vec<String>,
}

impl SettingReader {
    pub(super) fn new(vars: BTreeMap<String, String>, problems: Vec<SettingProblem>, warnings: Vec<String>) -> Self {
        Self { vars, problems, warnings }
    }

    pub(super) fn finish(self) -> (Vec<SettingProblem>, Vec<String>) {
        (self.problems, self.warnings)
    }

    pub(super) fn report(&mut self, problem: SettingProblem) {
        self.problems.push(problem);
    }

    pub(super) fn has_problem(&self, name: &str) -> bool {
        self.problems.iter().any(|problem| problem.variable == name)
    }

    /// The value or the default; trimmed; blank = unset. One pair of quotes around it is removed: `docker --env-file` keeps them.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let set = self.vars.get(name).map(|value| unquoted(value.trim()).trim()).filter(|value| !value.is_empty());
        let default = || VARIABLES.iter().find(|known| known.name == name).and_then(|known| known.default);
        set.or_else(default).map(str::to_owned)
    }

    fn wrong(&mut self, name: &str, wrong: &str, valid: &str) {
        self.problems.push(SettingProblem::new(name, wrong, valid));
    }

    /// A secret that must fit into an HTTP header. `prefix` is what people copy along with it.
    pub(super) fn secret(&mut self, name: &str, prefix: &str) -> Option<SecretString> {
        let text = self.text(name)?;
        let text = text.strip_prefix(prefix).unwrap_or(&text).trim();
        if text.is_empty() || text.len() > 512 || !text.chars().all(|c| c.is_ascii_graphic()) {
            let valid = "up to 512 letters, digits and signs without blanks, exactly as copied";
            self.wrong(name, "holds characters that no such secret has, or is too long", valid);
            return None;
        }
        Some(SecretString::from(text))
    }

    pub(super) fn community(&mut self, name: &str) -> Option<CommunityId> {
        let text = self.text(name)?;
        if text.len() > 128 || !text.chars().all(|c| c.is_ascii_graphic()) {
            self.wrong(name, "is not a community id", "the id as the CAD shows it: one word of at most 128 characters");
            return None;
        }
        Some(CommunityId::new(&text))
    }

    pub(super) fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let found = choices.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            self.wrong(name, "is not one of the words this setting knows", &words.join(", "));
        }
        found
    }

    /// A whole number within a range.
    pub(super) fn number(&mut self, name: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let text = self.text(name)?;
        let found = digits(&text).filter(|number| range.contains(number));
        if found.is_none() {
            let valid = format!("a whole number from {} to {}", range.start(), range.end());
            self.wrong(name, "is not a number that can be used here", &valid);
        }
        found
    }

    /// `off`, 0, or seconds.
    pub(super) fn reconcile(&mut self, name: &str) -> Reconcile {
        let text = self.text(name).unwrap_or_default();
        if text.eq_ignore_ascii_case("off") {
            return Reconcile::Off;
        }
        match digits(&text) {
            Some(0) => Reconcile::WhenAsked,
            Some(seconds @ 10..=86_400) => Reconcile::Every(Duration::from_secs(seconds.into())),
            _ => {
                let valid = "seconds from 10 to 86400, 0 (only after a reconnect and a removed 911), or off";
                self.wrong(name, "is not a time that can be used here", valid);
                Reconcile::Off
            }
        }
    }

    pub(super) fn snowflake(&mut self, name: &str) -> Option<u64> {
        let text = self.text(name)?;
        match text.parse::<u64>() {
            // Today's snowflakes have 17 to 20 digits; anything shorter is mistyped.
            Ok(id) if text.len() >= 15 && text.bytes().all(|b| b.is_ascii_digit()) => Some(id),
            _ => {
                let valid = "the number that Discord copies with Copy Server ID (developer mode on)";
                self.wrong(name, "is not a Discord id", valid);
                None
            }
        }
    }

    pub(super) fn servers(&mut self, name: &str) -> Vec<ServerId> {
        let valid = format!("numbers from 1 with commas between, such as 1,2, at most {MAX_SERVERS}");
        let text = self.text(name).unwrap_or_default();
        let mut servers = Vec::new();
        for (at, part) in parts(&text) {
            match server_id(part) {
                Some(server) if servers.contains(&server) => {}
                Some(server) => servers.push(server),
                None => self.wrong(name, &format!("holds something else than a server number at place {at}"), &valid),
            }
        }
        if !self.has_problem(name) && (servers.is_empty() || servers.len() > MAX_SERVERS) {
            self.wrong(name, "names no servers, or too many", &valid);
        }
        servers
    }

    /// `http(s)://host[:port]`, with a path if `path` allows one. Without trailing slash. Web socket schemes count as their
    /// HTTP twins, since the CAD's documentation prints them.
    pub(super) fn url(&mut self, name: &str, path: bool) -> Option<String> {
        let text = self.text(name)?;
        let tail = if path { "" } else { ", without a path" };
        let valid = format!("an address such as https://example.com or http://127.0.0.1:9000{tail}");
        let twin = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("wss") => format!("https://{rest}"),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => format!("http://{rest}"),
            _ => text.clone(),
        };
        let Ok(url) = Url::parse(&twin) else {
            self.wrong(name, "is not an address", &valid);
            return None;
        };
        let wrong = if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            "is not an http or https address"
        } else if !url.username().is_empty() || url.password().is_some() {
            "holds a user name or password, which would end up in logs"
        } else if url.query().is_some() || url.fragment().is_some() {
            "holds a ? or # part"
        } else if !path && !url.path().trim_matches('/').is_empty() {
            "holds a path"
        } else {
            if url.scheme() == "http" && !is_loopback(&url) {
                self.warnings.push(format!("{name} is plain http to another machine: secrets would cross the network in clear text."));
            }
            return Some(url.as_str().trim_end_matches('/').to_owned());
        };
        self.wrong(name, wrong, &valid);
        None
    }

    /// Host names with commas between; `*.domain` for all below it.
    pub(super) fn hosts(&mut self, name: &str) -> Vec<String> {
        let Some(text) = self.text(name) else { return Vec::new() };
        let hosts: Vec<String> = text.split(',').map(|host| host.trim().to_ascii_lowercase()).filter(|host| !host.is_empty()).collect();
        let good = |host: &String| {
            let plain = host.strip_prefix("*.").unwrap_or(host);
            let label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
            // `*.com` would allow everybody.
            plain.len() <= 253 && plain.split('.').all(label) && (plain.len() == host.len() || plain.contains('.'))
        };
        if hosts.len() <= 16 && hosts.iter().all(good) {
            return hosts;
        }
        self.report(SettingProblem::new(
            name,
            "is not a list of host names",
            "host names with commas between, such as hub.example.com,*.service.signalr.net",
        ));
        Vec::new()
    }

    pub(super) fn address_or_off(&mut self, name: &str) -> Option<SocketAddr> {
        let text = self.text(name)?;
        if text.eq_ignore_ascii_case("off") {
            return None;
        }
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.wrong(name, "is not an address with a port", "an address such as 127.0.0.1:9464 or [::1]:9464, or off");
        }
        parsed
    }

    /// `addr[=server]`, several with commas between, or `off`.
    pub(super) fn listen(&mut self, name: &str) -> Vec<Listen> {
        let valid = "an address such as 0.0.0.0:3232, several as 0.0.0.0:3232=1,0.0.0.0:3233=2 with a server number each, or off";
        let text = self.text(name).unwrap_or_default();
        if text.eq_ignore_ascii_case("off") {
            return Vec::new();
        }
        let mut entries = Vec::new();
        for (at, part) in parts(&text) {
            let (addr, server) = match part.split_once('=') {
                Some((addr, server)) => (addr.trim().parse().ok(), server_id(server.trim()).map(Some)),
                None => (part.parse().ok(), Some(None)),
            };
            match (addr, server) {
                (Some(addr), Some(server)) => entries.push(Listen { addr, server }),
                _ => self.wrong(name, &format!("holds something else than an address with a port at place {at}"), valid),
            }
        }
        if !self.has_problem(name) && (entries.is_empty() || entries.len() > MAX_LISTEN) {
            self.wrong(name, "names no address, or too many", valid);
        }
        entries
    }

    /// Addresses and networks, each with how many of its bits count.
    pub(super) fn networks(&mut self, name: &str) -> Vec<(IpAddr, u8)> {
        let valid = "the addresses of your reverse proxies, such as 127.0.0.1 or 10.0.0.0/8, with commas between them";
        let text = self.text(name).unwrap_or_default();
        let mut networks = Vec::new();
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        for (place, part) in parts.enumerate() {
            let (ip, bits) = part.split_once('/').map_or((part, None), |(ip, bits)| (ip.trim(), Some(bits.trim())));
            let ip: Option<IpAddr> = ip.parse().ok();
            let most = if ip.is_some_and(|ip| ip.is_ipv4()) { 32 } else { 128 };
            match (ip, bits.map_or(Some(most), digits).filter(|bits| *bits <= most).and_then(|bits| u8::try_from(bits).ok())) {
                (Some(ip), Some(bits)) => networks.push((ip, bits)),
                _ => self.wrong(name, &format!("has entry {}, which is not an address or a network", place + 1), valid),
            }
        }
        if networks.len() > MAX_PROXIES {
            self.wrong(name, "names too many", valid);
        }
        networks
    }

    pub(super) fn database(&mut self, name: &str) -> Option<PathBuf> {
        let text = self.text(name)?;
        let path = text.strip_prefix("sqlite://").unwrap_or_default();
        // `:memory:` would forget everything; other programs read `?`, `file:` and user:password@host as more than a path, and we as a
        // file's name.
        let first = path.split(['/', '\\']).next().unwrap_or_default();
        let is_address = first.contains('@') || first.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"));
        if path.is_empty() || path.ends_with('/') || path.contains(['?', '\0']) || path.starts_with(':') || is_address {
            let valid = "sqlite:// and the path of a file, such as sqlite://data/tenfour.db or sqlite:///var/lib/tenfour/tenfour.db";
            self.wrong(name, "is not a database this bot can use", valid);
            return None;
        }
        Some(PathBuf::from(path))
    }

    pub(super) fn log_filter(&mut self, name: &str) -> String {
        let text = self.text(name).unwrap_or_default();
        if let Err(error) = telemetry::filter(&text) {
            self.wrong(name, &format!("cannot be used: {}", error.why), telemetry::VALID_FILTER);
        }
        text
    }

    /// Misspelled names would otherwise be ignored silently.
    pub(super) fn warn_of_unknown(&mut self) {
        let ours = |name: &str| ["SONORAN_", "DISCORD_", "TENFOUR_"].iter().any(|prefix| name.starts_with(prefix));
        for name in self.vars.keys().filter(|name| ours(name) && !VARIABLES.iter().any(|known| known.name == name.as_str())) {
            let nearest = VARIABLES.iter().map(|known| known.name).min_by_key(|known| distance(name, known)).unwrap_or_default();
            // If the = is missing, the secret is in the name.
            let secret = VARIABLES.iter().find(|known| known.secret && name.len() > known.name.len() + 8 && name.starts_with(known.name));
            let name = match secret {
                Some(known) => format!("A name that begins with {}", known.name),
                None => name.chars().take(64).collect(),
            };
            self.warnings.push(format!("{name} is not a setting of this bot and is ignored; the nearest name is {nearest}."));
        }
    }
}

/// The entries of a list, with their positions from 1.
fn parts(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).zip(1..).map(|(part, at)| (at, part))
}

/// Digits only: no sign, no point.
fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A server number, from 1.
fn server_id(text: &str) -> Option<ServerId> {
    digits(text).filter(|number| *number > 0).map(ServerId)
}

fn unquoted(value: &str) -> &str {
    ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(value)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Edits between two names (Levenshtein). The longer one is cut at 64 bytes: only nearness counts.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<u8> = b.bytes().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().take(64).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            let cost = (diagonal + usize::from(x != *y)).min(above + 1).min(left + 1);
            diagonal = *above;
            left = cost;
            next.push(cost);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(distance("DISCORD_TOKEN", "DISCORD_TOKEN"), 0);
        assert_eq!(distance("DISCORD_TOKN", "DISCORD_TOKEN"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn server_numbers_are_plain_digits_from_one() {
        assert_eq!(server_id("7"), Some(ServerId(7)));
        for bad in ["0", "+1", "-1", "1.0", "", "4294967296", "x"] {
            assert_eq!(server_id(bad), None, "{bad}");
        }
    }
}
