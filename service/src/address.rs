//! Addresses to listen on, as the environment names them.

use std::net::{IpAddr, SocketAddr};

/// Reads `ADDRESS:PORT`. An IPv6 address needs no brackets: Kubernetes writes a pod's address without, and `$(POD_IP):8080` is all that
/// a manifest can say.
///
/// # Errors
/// When it is neither: what it should look like.
pub fn listen(text: &str) -> Result<SocketAddr, String> {
    let apart = || {
        let (address, port) = text.rsplit_once(':')?;
        Some(SocketAddr::new(address.parse::<IpAddr>().ok()?, port.parse().ok()?))
    };
    let address = text.parse().ok().or_else(apart);
    address.ok_or_else(|| "not ADDRESS:PORT, such as 0.0.0.0:8080 or [::]:8080".to_owned())
}

#[cfg(test)]
mod tests {
    use super::listen;

    #[test]
    fn pods_of_either_family_listen() {
        let table = [
            ("10.0.0.7:8080", Some("10.0.0.7:8080")),
            ("[fd00::7]:8080", Some("[fd00::7]:8080")),
            ("fd00::7:8080", Some("[fd00::7]:8080")),
            (":::9090", Some("[::]:9090")),
            ("localhost:8080", None),
            ("10.0.0.7", None),
            (":8080", None),
            ("fd00::7:80800", None),
        ];
        for (text, expected) in table {
            assert_eq!(listen(text).ok().map(|address| address.to_string()).as_deref(), expected, "{text}");
        }
    }
}
