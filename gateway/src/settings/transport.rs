//! How clients reach the gateway: connections and their limits, TLS, who is let in.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use warp::http::{HeaderValue, Uri};

/// Settings of the port for uploads.
#[derive(Debug, Clone, Args)]
pub struct Transport {
    /// Most connections at once; further ones wait until one of these ends.
    #[arg(long, env = "CLASSIFIERFLEET_MAX_CONNECTIONS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,
    /// How long a client may take from connecting to the end of its first request's headers, TLS included, in seconds.
    #[arg(long, env = "CLASSIFIERFLEET_HEADER_TIMEOUT_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub header_timeout_seconds: u64,
    /// How long a connection is kept for a next request, in seconds; longer than a load balancer in front keeps it (AWS's: 60).
    #[arg(long, env = "CLASSIFIERFLEET_IDLE_TIMEOUT_SECONDS", default_value_t = 75, value_parser = clap::value_parser!(u64).range(1..))]
    pub idle_timeout_seconds: u64,
    /// How long connections are still taken once the process was asked to stop and is no longer ready, in seconds: until
    /// everybody knows.
    #[arg(long, env = "CLASSIFIERFLEET_SHUTDOWN_DELAY_SECONDS", default_value_t = 5)]
    pub shutdown_delay_seconds: u64,
    /// Folder with `tls.crt` and `tls.key`, re-read when they change; without one there is no TLS.
    #[arg(long, env = "CLASSIFIERFLEET_TLS_DIR")]
    pub tls_dir: Option<PathBuf>,
    /// File with the token that requests must carry (`Authorization: Bearer …`), re-read when it changes; without one everybody
    /// is let in.
    #[arg(long, env = "CLASSIFIERFLEET_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// Origins whose web pages may use the API (`https://example.com`, comma separated), or `*` for all.
    #[arg(long, env = "CLASSIFIERFLEET_CORS_ORIGINS", value_delimiter = ',', value_parser = origin)]
    pub cors_origins: Vec<HeaderValue>,
}

impl Transport {
    pub(crate) fn header_timeout(&self) -> Duration {
        Duration::from_secs(self.header_timeout_seconds)
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_seconds)
    }

    pub(crate) fn shutdown_delay(&self) -> Duration {
        Duration::from_secs(self.shutdown_delay_seconds)
    }
}

/// An origin as browsers write it: scheme and host, and the port unless it is the scheme's own; no path.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let text = text.trim();
    let hint = || format!("{text:?} is no origin; write for example https://example.com or http://localhost:3000, without a path, or *");
    let value = HeaderValue::from_str(text).map_err(|_| hint())?;
    if text == "*" {
        return Ok(value);
    }
    let uri: Uri = text.parse().map_err(|_| hint())?;
    let parts = uri.scheme_str().zip(uri.authority()).ok_or_else(hint)?;
    if format!("{}://{}", parts.0, parts.1) == text && !text.contains('@') { Ok(value) } else { Err(hint()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_what_browsers_send() {
        let table = [
            ("https://example.com", true),
            (" http://localhost:3000 ", true),
            ("https://[::1]:8443", true),
            ("*", true),
            ("example.com", false),
            ("https://example.com/", false),
            ("https://example.com/page", false),
            ("https://user@example.com", false),
            ("https://*.example.com\n", true),
            ("https://a b", false),
            ("", false),
            ("null", false),
        ];
        for (text, good) in table {
            assert_eq!(origin(text).is_ok(), good, "{text:?}: {:?}", origin(text));
        }
    }
}
