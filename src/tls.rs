//! TLS for every WebSocket: rustls with ring, the web's roots plus the platform's. Imports nothing of ours and opens nothing.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// A TLS configuration that trusts the web PKI's roots and the platform's own (firms with an inspecting proxy install theirs there).
/// Reads the platform's store from disk: build it once and share it.
///
/// # Errors
/// If the crypto provider lacks a protocol version, which no supported build does.
pub fn config() -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let native = rustls_native_certs::load_native_certs();
    for error in native.errors {
        tracing::debug!(%error, "a part of the platform's certificate store is not readable");
    }
    roots.add_parsable_certificates(native.certs);
    // The provider by name: the process-wide default is not ours to set, and absent where two crates disagree.
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
