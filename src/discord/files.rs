//! Downloads files that people attach to commands from Discord's CDN: no other host, no redirect, bounded in size and time, no token.

use std::time::Duration;

use url::Url;

use super::rest::Rest;

/// Time limit for a whole file.
const PATIENCE: Duration = Duration::from_secs(10);
/// Discord's CDN.
const HOSTS: [&str; 2] = ["cdn.discordapp.com", "media.discordapp.net"];

/// Why a file couldn't be downloaded. Sentences for people, without the URL, since it opens the file to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The address is not one of Discord's.
    #[error("The file does not lie where Discord keeps files: attach it to the command itself.")]
    Elsewhere,
    /// Larger than allowed.
    #[error("The file is larger than {} KiB: that is no file of this bot's.", .0 / 1024)]
    TooLarge(usize),
    /// Discord's answer was no success.
    #[error("Discord did not give the file (HTTP {0}): try again.")]
    Status(u16),
    /// No answer, or none in time.
    #[error("The file could not be fetched from Discord: try again.")]
    Network,
}

impl Rest {
    /// The bytes of a file by its address, at most `most` of them.
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn file(&self, address: &str, most: usize) -> Result<Vec<u8>, FileError> {
        let address = Url::parse(address).ok().filter(|address| is_kept(address, self.files())).ok_or(FileError::Elsewhere)?;
        let fetched = async {
            let mut response = self.client().get(address).send().await.map_err(|_| FileError::Network)?;
            // Redirects aren't followed: one counts as a failure.
            if !response.status().is_success() {
                return Err(FileError::Status(response.status().as_u16()));
            }
            let mut bytes = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|_| FileError::Network)? {
                if bytes.len().saturating_add(chunk.len()) > most {
                    return Err(FileError::TooLarge(most));
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(bytes)
        };
        tokio::time::timeout(PATIENCE, fetched).await.unwrap_or(Err(FileError::Network))
    }
}

/// Whether a URL is on Discord's CDN, or on its replacement (`DISCORD_API_URL`).
fn is_kept(address: &Url, instead: Option<&Url>) -> bool {
    let clean = address.username().is_empty() && address.password().is_none();
    let discords = address.scheme() == "https" && address.port().is_none() && address.host_str().is_some_and(|host| HOSTS.contains(&host));
    clean && (discords || instead.is_some_and(|instead| instead.origin() == address.origin()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_discord_keeps_files() {
        let kept = |address: &str, instead: Option<&str>| {
            let instead = instead.map(|instead| Url::parse(instead).unwrap());
            is_kept(&Url::parse(address).unwrap(), instead.as_ref())
        };
        assert!(kept("https://cdn.discordapp.com/ephemeral-attachments/1/2/a.json?ex=1", None));
        assert!(kept("https://media.discordapp.net/attachments/1/2/a.json", None));
        for elsewhere in [
            "http://cdn.discordapp.com/attachments/1/2/a.json",
            "https://cdn.discordapp.com:8443/a",
            "https://cdn.discordapp.com.example.org/a",
            "https://cdn.discordapp.com@example.org/a",
            "https://me:pw@cdn.discordapp.com/a",
            "https://169.254.169.254/latest",
            "file:///etc/passwd",
            "http://127.0.0.1:9464/metrics",
        ] {
            assert!(!kept(elsewhere, None), "{elsewhere}");
            assert!(!kept(elsewhere, Some("http://127.0.0.1:4000")), "{elsewhere}");
        }
        assert!(kept("http://127.0.0.1:4000/attachments/1/2/a", Some("http://127.0.0.1:4000/")));
        assert!(!kept("https://127.0.0.1:4000/attachments/1/2/a", Some("http://127.0.0.1:4000/")));
    }
}
