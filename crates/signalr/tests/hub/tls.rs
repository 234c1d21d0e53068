//! TLS: the hub over `https` and `wss`, trusted and not.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, mpsc};

use base64::Engine;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tenfour_signalr::{HubError, Negotiation};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use super::server::{negotiation, start};

// Made for these tests with `openssl ca`, valid from 2020 to 2120, trusted by nothing else: an authority, and a certificate for
// `localhost` with its key.
/// The authority.
const AUTHORITY: &str = "\
    MIIBaDCCAQ6gAwIBAgICEAEwCgYIKoZIzj0EAwIwIjEgMB4GA1UEAwwXc2NyaXB0ZWQgdGVzdCBhdXRob3JpdHkwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAx\
    MDEwMDAwMDBaMCIxIDAeBgNVBAMMF3NjcmlwdGVkIHRlc3QgYXV0aG9yaXR5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEzTuq/kqZKDeEkWpJCOkqAjJh\
    gSFYvfstAkZdBSU1XQnTVv1jvj+4N2BUHl4f0Bm3o9ORUrSPMqzMh6S50DJD7aMyMDAwDwYDVR0TAQH/BAUwAwEB/zAdBgNVHQ4EFgQUsy8ZWA4AyndRPsLn\
    ENRNDuAzQTEwCgYIKoZIzj0EAwIDSAAwRQIhAPYkatHOZd2VkOM3RNmPeH6X6gyY/8UpQDGguuIggvXkAiAqzN+H7TIvUfC5YtbJTIghE4kiqWeXVsJBGccW\
    QXj7Lw==";
/// Signed by the authority.
const CERTIFICATE: &str = "\
    MIIBoDCCAUagAwIBAgICEAIwCgYIKoZIzj0EAwIwIjEgMB4GA1UEAwwXc2NyaXB0ZWQgdGVzdCBhdXRob3JpdHkwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAx\
    MDEwMDAwMDBaMBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKjPHwn+GFSyhu9spnaEfNKJsZX11+lfQ8U1wjW3B4oh\
    v9699xfCYzCacOQGC6HjU5sAWWRvXFAA+5mMCVUTdzGjeDB2MAkGA1UdEwQCMAAwFAYDVR0RBA0wC4IJbG9jYWxob3N0MBMGA1UdJQQMMAoGCCsGAQUFBwMB\
    MB0GA1UdDgQWBBTOgP9EELBl1Pw/1lcxZlc5GT9iQDAfBgNVHSMEGDAWgBSzLxlYDgDKd1E+wucQ1E0O4DNBMTAKBggqhkjOPQQDAgNIADBFAiEAqJ/TYVye\
    sJl8kmggLflR9oU7dV9jgfzS9WmU5JeNDJYCIF9vm/1yWqBlRxQdYerSNerWKmKUdnMnHWSwtQZ4JxYu";
/// Of the certificate, PKCS #8.
const KEY: &str = "\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg05kSlPHqF0j/QSQonSQAm5iKljcejPRX3VJaXp8KE22hRANCAASozx8J/hhUsobvbKZ2hHzS\
    ibGV9dfpX0PFNcI1tweKIb/evfcXwmMwmnDkBguh41ObAFlkb1xQAPuZjAlVE3cx";

fn der(text: &str) -> Vec<u8> {
    base64::prelude::BASE64_STANDARD.decode(text.replace(' ', "")).unwrap()
}

/// A TLS server on a thread of its own. Sends the first line of each request that arrived over a valid TLS session.
fn serve() -> (u16, mpsc::Receiver<String>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![CertificateDer::from(der(CERTIFICATE))];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der(KEY)));
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    // A server that would rather speak HTTP/2.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tx, rx) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let Some(line) = head.lines().next() else { continue };
            assert_eq!((stream.conn.server_name(), stream.conn.alpn_protocol()), (Some("localhost"), Some(&b"http/1.1"[..])));
            if tx.send(line.to_owned()).is_err() {
                return;
            }
            if line.starts_with("POST") {
                let body = negotiation("token-a");
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
                stream.flush().unwrap();
                continue;
            }
            let key =
                head.lines().find_map(|line| line.to_ascii_lowercase().starts_with("sec-websocket-key: ").then(|| &line[19..])).unwrap();
            let accept = derive_accept_key(key.as_bytes());
            write!(stream, "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n")
                .unwrap();
            stream.flush().unwrap();
            let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
            socket.read().unwrap();
            socket.send(Message::text("{}\u{1e}")).unwrap();
            while socket.read().is_ok() {}
        }
    });
    (port, rx)
}

fn trusting(authority: Option<&str>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if let Some(authority) = authority {
        roots.add(CertificateDer::from(der(authority))).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

#[tokio::test]
async fn a_trusted_server_is_spoken_to_by_http_1_and_websocket_over_tls() {
    let (port, rx) = serve();
    let client = start(&format!("https://localhost:{port}/hub"), |b| b.tls(trusting(Some(AUTHORITY))), |_| ());
    client.ready().await;
    assert_eq!(rx.try_recv().unwrap(), "POST /hub/negotiate?negotiateVersion=1 HTTP/1.1");
    assert_eq!(rx.try_recv().unwrap(), "GET /hub?id=token-a HTTP/1.1");
    client.hub.stop().await;
}

#[tokio::test]
async fn a_server_with_an_untrusted_certificate_or_another_name_gets_nothing() {
    let (port, rx) = serve();
    for mode in [Negotiation::Always, Negotiation::Never] {
        for (host, authority) in [("localhost", None), ("127.0.0.1", Some(AUTHORITY))] {
            let build = |b: tenfour_signalr::Builder| b.tls(trusting(authority)).negotiation(mode);
            let client = start(&format!("https://{host}:{port}/hub"), build, |_| ());
            let error = client.policy.nth(0).await.error;
            assert!(matches!(&error, HubError::Io(text) if text.contains("certificate")), "{error}");
        }
    }
    assert!(rx.try_recv().is_err());
}
