//! An address of its own for each pod, from loopback's 16 million.

use std::net::{Ipv4Addr, TcpListener};

use sha2::{Digest as _, Sha256};

/// Addresses tried before giving up.
const ATTEMPTS: u32 = 100;

/// An address on which all of `ports` are free. The same pod of the same stack gets the same one again where possible,
/// so that a gateway that was replaced is found where it was.
pub(super) fn pick(stack: &str, pod: &str, ports: &[u16]) -> Option<Ipv4Addr> {
    (0..ATTEMPTS).map(|attempt| candidate(stack, pod, attempt)).find(|address| is_free(*address, ports))
}

/// 127.1.0.1 to 127.254.255.254: what lies below, other programs use.
fn candidate(stack: &str, pod: &str, attempt: u32) -> Ipv4Addr {
    let digest = Sha256::digest(format!("{stack} {pod} {attempt}"));
    Ipv4Addr::new(127, 1 + digest[0] % 254, digest[1], 1 + digest[2] % 254)
}

fn is_free(address: Ipv4Addr, ports: &[u16]) -> bool {
    ports.iter().chain([&0]).all(|port| TcpListener::bind((address, *port)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stays_and_is_left_to_who_has_it() {
        let first = pick("stack", "default/a-0", &[]).unwrap();
        assert!(first.is_loopback());
        assert_eq!(pick("stack", "default/a-0", &[]), Some(first));
        assert_ne!(pick("another", "default/a-0", &[]), Some(first));
        let taken = TcpListener::bind((first, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(pick("stack", "default/a-0", &[port]), Some(first));
    }
}
