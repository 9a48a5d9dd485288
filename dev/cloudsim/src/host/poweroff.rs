//! Owns the call by which a guest's `poweroff` tells cloudsim that it goes down. Runs inside the guest, without tokio.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// Tells the cloudsim at `endpoint` (such as `http://127.0.0.1:4567`) that the guest of `instance` shuts down.
///
/// # Errors
/// Nobody answers there, or the answer is not 204.
pub fn tell(endpoint: &str, instance: &str) -> io::Result<()> {
    let address = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let mut connection = TcpStream::connect(address)?;
    write!(
        connection,
        "POST /_cloudsim/instances/{instance}/poweroff HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    match answer.split_whitespace().nth(1) {
        Some("204") => Ok(()),
        status => Err(io::Error::other(format!("cloudsim answered {}", status.unwrap_or("nothing")))),
    }
}
