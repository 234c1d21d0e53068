//! Finds out where to open the WebSocket: the `negotiate` request (SignalR TransportProtocols), its redirects, and what HTTP statuses mean.
//!
//! Tokens are secrets: nothing here that holds one can be printed, and no error text carries a query.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, SET_COOKIE};
use serde::Deserialize;
use url::{Host, Url};

use super::error::{HubError, Step, clean};

/// How many redirects of either sort are followed.
const MAX_HOPS: usize = 5;
/// Larger answers aren't read. Real ones have a few hundred bytes.
const MAX_ANSWER: usize = 64 << 10;
const MAX_COOKIES: usize = 32;

/// Whether to negotiate before opening the WebSocket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Negotiation {
    /// Negotiate; after two 404s in a row try without, and switch back if that fails too.
    #[default]
    Auto,
    /// Always. The only way with the Azure SignalR Service.
    Always,
    /// Never: open the WebSocket directly. There is no connection id then.
    Never,
}

/// Which way the next attempt goes.
#[derive(Debug)]
pub(super) struct Chooser {
    mode: Negotiation,
    negotiate: bool,
    misses: u8,
    /// Switches between the two since the last success.
    changes: u8,
}

impl Chooser {
    pub(super) fn new(mode: Negotiation) -> Self {
        Self { mode, negotiate: mode != Negotiation::Never, misses: 0, changes: 0 }
    }

    pub(super) fn negotiates(&self) -> bool {
        self.negotiate
    }

    /// Whether a 404 may be due to negotiating (or not) rather than to the address.
    pub(super) fn other_way_left(&self) -> bool {
        self.mode == Negotiation::Auto && self.changes < 2
    }

    /// The handshake was answered: this way works.
    pub(super) fn succeeded(&mut self) {
        self.misses = 0;
        self.changes = 0;
    }

    /// The attempt failed before the handshake was done.
    pub(super) fn failed(&mut self, error: &HubError) {
        if self.mode != Negotiation::Auto {
            return;
        }
        let miss = match (self.negotiate, error) {
            (true, _) => error.status() == Some(404),
            // The server was not reached or is failing: that says nothing about negotiating.
            (false, HubError::Io(_) | HubError::Timeout { step: Step::Upgrade, .. }) => false,
            (false, _) => error.status().is_none_or(|status| status < 500 && status != 429),
        };
        self.misses = if miss { self.misses + 1 } else { 0 };
        if self.misses >= 2 {
            self.misses = 0;
            self.negotiate = !self.negotiate;
            self.changes = self.changes.saturating_add(1);
        }
    }
}

/// Where and with what to open the WebSocket. Good for one connection.
pub(super) struct Target {
    /// `ws` or `wss`, the token included.
    pub(super) url: Url,
    /// The name of the connection, for logs.
    pub(super) id: Option<Arc<str>>,
    /// What must not appear in any text.
    pub(super) secrets: Vec<String>,
    /// Sent with the upgrade.
    pub(super) headers: HeaderMap,
    /// Whether the address carries a token from a negotiation.
    pub(super) with_token: bool,
}

/// Checks a hub's address: `http` or `https`, a host, no user name in it.
pub(super) fn hub_url(text: &str) -> Result<Url, HubError> {
    let mut url = Url::parse(text).map_err(|error| HubError::Config(format!("the address is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(HubError::Config("the address must begin with https:// (or http://)".to_owned()));
    }
    if !url.has_host() || !url.username().is_empty() || url.password().is_some() {
        return Err(HubError::Config("the address must have a host and no user name".to_owned()));
    }
    url.set_fragment(None);
    Ok(url)
}

/// The address without its query, for logs.
pub(super) fn label(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// `{hub}/negotiate?negotiateVersion=1`; a query stays, a trailing slash is not doubled.
fn negotiate_url(hub: &Url) -> Url {
    let mut url = hub.clone();
    url.set_path(&format!("{}/negotiate", hub.path().trim_end_matches('/')));
    if !hub.query_pairs().any(|(key, _)| key == "negotiateVersion") {
        url.query_pairs_mut().append_pair("negotiateVersion", "1");
    }
    url
}

/// The hub that a redirected negotiate address belongs to; the reverse of [`negotiate_url`].
fn hub_of(negotiate: &Url) -> Option<Url> {
    let path = negotiate.path().trim_end_matches('/').strip_suffix("/negotiate")?.to_owned();
    let mut hub = negotiate.clone();
    hub.set_path(&path);
    let kept: Vec<(String, String)> = negotiate
        .query_pairs()
        .filter(|(key, _)| key != "negotiateVersion")
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    hub.set_query(None);
    if !kept.is_empty() {
        hub.query_pairs_mut().extend_pairs(kept);
    }
    Some(hub)
}

/// `http` becomes `ws`, `https` becomes `wss`; the token goes into `id`.
fn websocket_url(hub: &Url, token: Option<&str>) -> Result<Url, HubError> {
    let mut url = hub.clone();
    let scheme = if hub.scheme() == "https" { "wss" } else { "ws" };
    url.set_scheme(scheme).map_err(|()| HubError::Config("the address cannot be a WebSocket address".to_owned()))?;
    if let Some(token) = token {
        url.query_pairs_mut().append_pair("id", token);
    }
    Ok(url)
}

/// A redirect may keep or upgrade the scheme, never downgrade it.
fn may_follow(from: &Url, to: &Url) -> bool {
    (to.scheme() == "https" || (from.scheme() == "http" && to.scheme() == "http")) && to.has_host() && to.username().is_empty()
}

/// Where a hub may redirect: its own domain, and what the caller allows besides. The credentials follow the connection, so this is checked
/// before anything is sent to the new host.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    hosts: Vec<String>,
}

impl Trust {
    /// The domain of `hub`, and `more`: hosts, or `*.domain` for all below it.
    pub(super) fn new(hub: &Url, more: &[String]) -> Self {
        let own = match hub.host() {
            Some(Host::Domain(name)) => {
                domain(name).map_or_else(|| vec![name.to_owned()], |domain| vec![domain.to_owned(), format!("*.{domain}")])
            }
            Some(ip) => vec![ip.to_string()],
            None => Vec::new(),
        };
        Self { hosts: own.into_iter().chain(more.iter().map(|host| host.to_ascii_lowercase())).collect() }
    }

    /// # Errors
    /// [`HubError::Redirect`].
    fn check(&self, to: &Url) -> Result<(), HubError> {
        let host = to.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        let fits = |known: &String| match known.strip_prefix('*') {
            Some(below) => below.len() > 1 && host.len() > below.len() && host.ends_with(below),
            None => host == *known,
        };
        if self.hosts.iter().any(fits) { Ok(()) } else { Err(HubError::Redirect { host: clean(&host, []) }) }
    }
}

/// share (`azurewebsites.net`), or where the list doesn't know the suffix at all.
/// share (`azurewebsites.net`), or where the list does not know the ending at all.
fn domain(host: &str) -> Option<&str> {
    let host = host.trim_end_matches('.');
    let domain = psl::domain(host.as_bytes()).filter(|domain| domain.suffix().is_known())?;
    host.get(host.len() - domain.as_bytes().len()..)
}

/// Whether the caller's headers and the cookies may go there: the same origin, or the same host by TLS instead of without.
fn same_place(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin() || (a.host() == b.host() && a.scheme() == "http" && b.scheme() == "https")
}

/// What a negotiate answer with status 200 says.
enum Answer {
    Elsewhere { url: String, access_token: Option<String> },
    Here { id: Option<String>, token: String, access_token: Option<String> },
}

fn parse(body: &[u8]) -> Result<Answer, HubError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        error: Option<String>,
        url: Option<String>,
        access_token: Option<String>,
        negotiate_version: Option<i64>,
        connection_id: Option<String>,
        connection_token: Option<String>,
        #[serde(default)]
        available_transports: Option<Vec<Transport>>,
        use_stateful_reconnect: Option<bool>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Transport {
        transport: Option<String>,
        transfer_formats: Option<Vec<String>>,
    }
    // Parsed into a value first: of a duplicate name the last one counts, as in the official client.
    let body: Body = serde_json::from_slice::<serde_json::Value>(body).and_then(serde_json::from_value).map_err(|_| {
        let html = body.trim_ascii_start().starts_with(b"<");
        unusable(if html { "the answer is a web page, not a negotiation" } else { "the answer is not the JSON of a negotiation" })
    })?;
    if let Some(error) = body.error {
        return Err(unusable(&format!("the server says: {error}")));
    }
    let access_token = body.access_token.filter(|token| !token.is_empty());
    if let Some(url) = body.url.filter(|url| !url.is_empty()) {
        return Ok(Answer::Elsewhere { url, access_token });
    }
    if body.use_stateful_reconnect == Some(true) {
        return Err(unusable("the server insists on stateful reconnect, which was not asked for"));
    }
    let text_websockets = body.available_transports.unwrap_or_default().iter().any(|entry| {
        entry.transport.as_deref() == Some("WebSockets") && entry.transfer_formats.iter().flatten().any(|format| format == "Text")
    });
    if !text_websockets {
        return Err(unusable("the server offers no WebSockets with text here, and there is no other transport to fall back on"));
    }
    // From version 1 on the id is only a name and the token opens the connection; before, the id was both.
    let token = if body.negotiate_version.unwrap_or(0) >= 1 { body.connection_token } else { body.connection_id.clone() };
    let token = token.filter(|token| !token.is_empty()).ok_or_else(|| unusable("the answer has no connection token"))?;
    let id = if body.negotiate_version.unwrap_or(0) >= 1 { body.connection_id } else { None };
    Ok(Answer::Here { id, token, access_token })
}

fn unusable(message: &str) -> HubError {
    HubError::Negotiate { status: None, message: message.to_owned(), retry_after: None }
}

/// What an HTTP answer other than 200 (negotiate) or 101 (upgrade) means for us.
pub(super) fn refusal(step: Step, status: u16, with_token: bool, headers: &HeaderMap) -> HubError {
    let retry_after = retry_after(headers);
    let no_hub = status == 404 && (step == Step::Negotiate || !with_token);
    if matches!(status, 401 | 403) || no_hub {
        return HubError::Refused { step, status, retry_after };
    }
    if step == Step::Upgrade {
        return HubError::Upgrade { status, retry_after };
    }
    let message = match status {
        300..400 => format!("HTTP status {status}, a redirect that cannot be followed"),
        429 => format!("HTTP status {status}, too many requests"),
        500.. => format!("HTTP status {status}, trouble at the server or in front of it"),
        _ => format!("HTTP status {status}"),
    };
    HubError::Negotiate { status: Some(status), message, retry_after }
}

/// `Retry-After` as seconds or as an HTTP date. A date is measured against the same answer's `Date`, so that our clock does not matter.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(u64::from(seconds)));
    }
    let parse = |text: &str| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok();
    let (then, now) = (parse(value)?, parse(headers.get(DATE)?.to_str().ok()?)?);
    u64::try_from(then.as_second().saturating_sub(now.as_second())).ok().map(Duration::from_secs)
}

/// The cookies set on the way, by host. Attributes are ignored: the jar lives for one attempt.
#[derive(Default)]
struct Cookies(Vec<(String, String, String)>);

impl Cookies {
    fn take(&mut self, url: &Url, headers: &HeaderMap) {
        let host = url.host_str().unwrap_or_default();
        for value in headers.get_all(SET_COOKIE) {
            let Some((name, value)) = value.to_str().ok().and_then(|text| text.split(';').next()).and_then(|pair| pair.split_once('='))
            else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            self.0.retain(|(h, n, _)| h != host || n != name);
            if !name.is_empty() && name.len() + value.len() <= 4096 && self.0.len() < MAX_COOKIES {
                self.0.push((host.to_owned(), name.to_owned(), value.to_owned()));
            }
        }
    }

    fn add_to(&self, url: &Url, headers: &mut HeaderMap) {
        let host = url.host_str().unwrap_or_default();
        let own = headers.get(COOKIE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let set = self.0.iter().filter(|(h, _, _)| h == host).map(|(_, name, value)| format!("{name}={value}"));
        let line = own.into_iter().chain(set).collect::<Vec<_>>().join("; ");
        insert_secret(headers, COOKIE, &line);
    }
}

fn insert_secret(headers: &mut HeaderMap, name: reqwest::header::HeaderName, text: &str) {
    if !text.is_empty()
        && let Ok(mut value) = HeaderValue::from_str(text)
    {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
}

/// What goes to `url`: the caller's headers only to the hub's own place, the cookies of that host, the token that was given for it.
fn headers_for(url: &Url, hub: &Url, own: &HeaderMap, cookies: &Cookies, bearer: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if same_place(hub, url) {
        headers = own.clone();
    } else if let Some(agent) = own.get(reqwest::header::USER_AGENT) {
        headers.insert(reqwest::header::USER_AGENT, agent.clone());
    }
    cookies.add_to(url, &mut headers);
    if let Some(token) = bearer {
        insert_secret(&mut headers, AUTHORIZATION, &format!("Bearer {token}"));
    }
    headers
}

/// The target without a negotiation.
pub(super) fn direct(hub: &Url, own: &HeaderMap) -> Result<Target, HubError> {
    Ok(Target { url: websocket_url(hub, None)?, id: None, secrets: Vec::new(), headers: own.clone(), with_token: false })
}

/// Negotiates, following redirects. Nothing of an earlier attempt is used: tokens are good for one connection.
///
/// The time limit is the caller's.
pub(super) async fn negotiate(client: &reqwest::Client, hub: &Url, own: &HeaderMap, trust: &Trust) -> Result<Target, HubError> {
    let mut at = hub.clone();
    let mut post_to = negotiate_url(hub);
    let mut bearer: Option<String> = None;
    let mut cookies = Cookies::default();
    let mut secrets = Vec::new();
    for _ in 0..=MAX_HOPS {
        let headers = headers_for(&post_to, hub, own, &cookies, bearer.as_deref());
        // IIS and older Kestrel answer 411 to a POST without a length, and an empty body alone does not send one.
        let request = client.post(post_to.clone()).headers(headers).header(CONTENT_LENGTH, "0").body("");
        let response = request.send().await.map_err(|error| network(error, &secrets))?;
        cookies.take(&post_to, response.headers());
        let status = response.status().as_u16();
        if matches!(status, 307 | 308)
            && let Some(to) = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| post_to.join(to).ok())
            && may_follow(&post_to, &to)
        {
            trust.check(&to)?;
            // A token is valid only for its own host.
            if !same_place(&post_to, &to) {
                bearer = None;
            }
            at = hub_of(&to).unwrap_or(at);
            post_to = to;
            continue;
        }
        if status != 200 {
            return Err(refusal(Step::Negotiate, status, false, response.headers()));
        }
        let body = read(response, &secrets).await?;
        match parse(&body).map_err(|error| cleaned(error, &secrets))? {
            Answer::Elsewhere { url, access_token } => {
                let to = Url::parse(&url).ok().filter(|to| may_follow(&at, to));
                at = to.ok_or_else(|| unusable("the server sent us to an address that may not be followed"))?;
                trust.check(&at)?;
                post_to = negotiate_url(&at);
                secrets.extend(access_token.clone());
                bearer = access_token;
            }
            Answer::Here { id, token, access_token } => {
                secrets.extend(access_token.clone());
                secrets.push(token.clone());
                let url = websocket_url(&at, Some(&token))?;
                let bearer = access_token.or(bearer);
                let headers = headers_for(&at, hub, own, &cookies, bearer.as_deref());
                let id = id.map(|id| clean(&id, secrets.iter().map(String::as_str)).into());
                return Ok(Target { url, id, secrets, headers, with_token: true });
            }
        }
    }
    Err(unusable(&format!("more than {MAX_HOPS} redirects")))
}

async fn read(mut response: reqwest::Response, secrets: &[String]) -> Result<Vec<u8>, HubError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| network(error, secrets))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(unusable("the answer is too long for a negotiation"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn cleaned(error: HubError, secrets: &[String]) -> HubError {
    match error {
        HubError::Negotiate { status, message, retry_after } => {
            HubError::Negotiate { status, message: clean(&message, secrets.iter().map(String::as_str)), retry_after }
        }
        other => other,
    }
}

/// reqwest's text names the whole address, query included: keep the causes only.
fn network(error: reqwest::Error, secrets: &[String]) -> HubError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    HubError::Io(clean(&text, secrets.iter().map(String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn addresses_are_built_as_the_official_client_builds_them() {
        let negotiate = |text| negotiate_url(&url(text)).to_string();
        assert_eq!(negotiate("https://h/apiWsHub"), "https://h/apiWsHub/negotiate?negotiateVersion=1");
        assert_eq!(negotiate("https://h/apiWsHub/"), "https://h/apiWsHub/negotiate?negotiateVersion=1");
        assert_eq!(negotiate("https://h/client/?hub=a"), "https://h/client/negotiate?hub=a&negotiateVersion=1");
        assert_eq!(negotiate("http://h/x?negotiateVersion=1"), "http://h/x/negotiate?negotiateVersion=1");
        assert_eq!(hub_of(&url("https://h/apiWsHub/negotiate?negotiateVersion=1")), Some(url("https://h/apiWsHub")));
        assert_eq!(hub_of(&url("https://h/x/negotiate?a=b&negotiateVersion=1")), Some(url("https://h/x?a=b")));

        let socket = |text, token| websocket_url(&url(text), token).unwrap().to_string();
        assert_eq!(socket("https://h/apiWsHub", None), "wss://h/apiWsHub");
        assert_eq!(socket("http://h:81/client/?hub=a", Some("a+/=&b")), "ws://h:81/client/?hub=a&id=a%2B%2F%3D%26b");
        assert_eq!(label(&url("https://h/apiWsHub?key=secret")), "https://h/apiWsHub");
        for bad in ["ftp://h/x", "nonsense", "https://user:pw@h/x", "wss://h/x"] {
            assert!(matches!(hub_url(bad), Err(HubError::Config(_))), "{bad}");
        }
    }

    #[test]
    fn the_token_opens_the_connection_and_version_0_has_none() {
        let parse_text = |text: &str| parse(text.as_bytes());
        let transports = r#""availableTransports":[{"transport":"LongPolling","transferFormats":["Text"]},{"transport":"WebSockets","transferFormats":["Text","Binary"]}],"new":1"#;
        match parse_text(&format!(r#"{{"negotiateVersion":1,"connectionId":"i","connectionToken":"t",{transports}}}"#)) {
            Ok(Answer::Here { id, token, .. }) => assert_eq!((id.as_deref(), token.as_str()), (Some("i"), "t")),
            _ => panic!(),
        }
        match parse_text(&format!(r#"{{"connectionId":"i",{transports}}}"#)) {
            Ok(Answer::Here { id, token, .. }) => assert_eq!((id, token.as_str()), (None, "i"), "the id is a secret then"),
            _ => panic!(),
        }
        match parse_text(r#"{"url":"https://x/","accessToken":"t"}"#) {
            Ok(Answer::Elsewhere { url, access_token }) => assert_eq!((url.as_str(), access_token.as_deref()), ("https://x/", Some("t"))),
            _ => panic!(),
        }
    }

    #[test]
    fn unusable_answers_say_why() {
        let text = |body: &str| match parse(body.as_bytes()) {
            Err(HubError::Negotiate { message, status: None, .. }) => message,
            _ => panic!("{body}"),
        };
        assert!(text(r#"{"error":"old client","url":"https://x"}"#).contains("old client"), "the error comes first");
        assert!(text("<!doctype html>").contains("web page"));
        assert!(text("[]").contains("JSON"));
        let only_binary = r#"{"negotiateVersion":1,"connectionId":"i","connectionToken":"t","availableTransports":[{"transport":"WebSockets","transferFormats":["Binary"]}]}"#;
        assert!(text(only_binary).contains("WebSockets"));
        assert!(text(r#"{"useStatefulReconnect":true}"#).contains("stateful"));
        let no_token =
            r#"{"negotiateVersion":1,"connectionId":"i","availableTransports":[{"transport":"WebSockets","transferFormats":["Text"]}]}"#;
        assert!(text(no_token).contains("token"));
    }

    #[test]
    fn statuses_mean_what_the_table_says() {
        let none = HeaderMap::new();
        assert!(matches!(refusal(Step::Negotiate, 404, false, &none), HubError::Refused { status: 404, .. }));
        assert!(matches!(refusal(Step::Upgrade, 404, true, &none), HubError::Upgrade { status: 404, .. }), "a stale token");
        assert!(matches!(refusal(Step::Upgrade, 404, false, &none), HubError::Refused { status: 404, .. }));
        assert!(matches!(refusal(Step::Upgrade, 403, true, &none), HubError::Refused { status: 403, .. }));
        assert!(matches!(refusal(Step::Negotiate, 502, false, &none), HubError::Negotiate { status: Some(502), .. }));
        assert!(matches!(refusal(Step::Upgrade, 409, true, &none), HubError::Upgrade { status: 409, .. }));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let headers = |after: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(after).unwrap());
            if let Some(date) = date {
                headers.insert(DATE, HeaderValue::from_str(date).unwrap());
            }
            retry_after(&headers)
        };
        assert_eq!(headers("120", None), Some(Duration::from_secs(120)));
        let (then, now) = ("Sun, 06 Nov 1994 08:50:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(headers(then, Some(now)), Some(Duration::from_secs(60)));
        assert_eq!(headers(now, Some(then)), None, "a date that has passed");
        assert_eq!(headers(then, None), None);
        assert_eq!(headers("soon", Some(now)), None);
        assert_eq!(headers("-5", None), None);
    }

    #[test]
    fn redirects_never_worsen_the_scheme_and_headers_stay_at_home() {
        assert!(may_follow(&url("http://a"), &url("https://b")));
        assert!(may_follow(&url("http://a"), &url("http://b")));
        assert!(!may_follow(&url("https://a"), &url("http://a")));
        assert!(!may_follow(&url("https://a"), &url("file:///etc/passwd")));
        let mut own = HeaderMap::new();
        own.insert("x-api-key", HeaderValue::from_static("k"));
        let hub = url("https://a/hub");
        let mut cookies = Cookies::default();
        let mut set = HeaderMap::new();
        set.append(SET_COOKIE, HeaderValue::from_static("arr=1; Path=/; HttpOnly"));
        set.append(SET_COOKIE, HeaderValue::from_static("arr=2; Secure"));
        set.append(SET_COOKIE, HeaderValue::from_static("b=x=y"));
        cookies.take(&hub, &set);
        let here = headers_for(&hub, &hub, &own, &cookies, None);
        assert_eq!(here.get(COOKIE).unwrap(), "arr=2; b=x=y");
        assert!(here.contains_key("x-api-key"));
        let there = headers_for(&url("https://b/hub"), &hub, &own, &cookies, Some("jwt"));
        assert_eq!(there.get(AUTHORIZATION).unwrap(), "Bearer jwt");
        assert!(!there.contains_key("x-api-key") && !there.contains_key(COOKIE));
    }

    #[test]
    fn a_redirect_stays_in_the_hubs_domain_unless_a_setting_allows_more() {
        let allows = |hub: &str, more: &[&str], to: &str| {
            let more: Vec<String> = more.iter().map(|host| (*host).to_owned()).collect();
            Trust::new(&url(hub), &more).check(&url(to)).is_ok()
        };
        let hub = "https://api.sonorancad.com/apiWsHub";
        for to in
            ["https://api.sonorancad.com/x", "https://hub-2.sonorancad.com", "https://sonorancad.com:8443", "https://A.B.SonoranCAD.com."]
        {
            assert!(allows(hub, &[], to), "{to}");
        }
        for to in [
            "https://evil.example",
            "https://sonorancad.com.evil.example",
            "https://evilsonorancad.com",
            "https://com",
            "https://10.0.0.1",
            "https://localhost",
            "https://x.service.signalr.net",
        ] {
            assert!(!allows(hub, &[], to), "{to}");
        }
        assert!(allows(hub, &["*.service.signalr.net"], "https://sonoran.service.signalr.net/client"));
        assert!(!allows(hub, &["*.service.signalr.net"], "https://service.signalr.net.evil.example"));
        assert!(allows(hub, &["hub.example"], "https://hub.example") && !allows(hub, &["hub.example"], "https://x.hub.example"));
        // Where names don't reveal an owner: the same host only.
        assert!(allows("http://127.0.0.1:80/h", &[], "http://127.0.0.1:81/h") && !allows("http://127.0.0.1/h", &[], "http://127.0.0.2/h"));
        assert!(allows("http://localhost/h", &[], "http://localhost:1/h") && !allows("http://localhost/h", &[], "http://other/h"));
        assert!(allows("http://[::1]/h", &[], "http://[::1]:9/h") && !allows("http://[::1]/h", &[], "http://[::2]/h"));
        for [mine, yours] in [
            ["cad.azurewebsites.net", "evil.azurewebsites.net"],
            ["cad.herokuapp.com", "evil.herokuapp.com"],
            ["cad.eu.ngrok.io", "evil.eu.ngrok.io"],
            ["cad.com.br", "evil.com.br"],
            ["cad.lan", "evil.lan"],
            ["a.cad.internal", "b.cad.internal"],
        ] {
            assert!(!allows(&format!("https://{mine}/h"), &[], &format!("https://{yours}")), "{mine}");
            assert!(allows(&format!("https://{mine}/h"), &[], &format!("https://{mine}:8443")), "{mine}");
        }
        assert!(!allows("https://cad.co.uk/h", &[], "https://evil.co.uk") && allows("https://a.cad.co.uk/h", &[], "https://b.cad.co.uk"));
        let error = Trust::new(&url(hub), &[]).check(&url("https://evil.example/?key=1")).unwrap_err().to_string();
        assert!(
            error.contains("evil.example") && error.contains("SONORAN_HUB_REDIRECTS=evil.example") && !error.contains("key"),
            "{error}"
        );
    }

    #[test]
    fn auto_changes_the_way_after_two_404_in_a_row_and_back() {
        let missing = HubError::Refused { step: Step::Negotiate, status: 404, retry_after: None };
        let stale = HubError::Upgrade { status: 404, retry_after: None };
        let direct = HubError::Refused { step: Step::Upgrade, status: 404, retry_after: None };
        let io = HubError::Io("reset".to_owned());
        let mut chooser = Chooser::new(Negotiation::Auto);
        chooser.failed(&missing);
        chooser.failed(&io);
        chooser.failed(&stale);
        assert!(chooser.negotiates(), "not in a row");
        chooser.failed(&missing);
        assert!(!chooser.negotiates());
        assert!(chooser.other_way_left());
        chooser.failed(&direct);
        chooser.failed(&io);
        chooser.failed(&direct);
        chooser.failed(&direct);
        assert!(chooser.negotiates());
        assert!(!chooser.other_way_left(), "both were tried");
        chooser.succeeded();
        assert!(chooser.other_way_left());

        for (mode, negotiates) in [(Negotiation::Always, true), (Negotiation::Never, false)] {
            let mut pinned = Chooser::new(mode);
            for _ in 0..5 {
                pinned.failed(&missing);
            }
            assert_eq!((pinned.negotiates(), pinned.other_way_left()), (negotiates, false));
        }
    }
}
