//! `env`: what points kubectl, aws, curl or any client at the stack.

use std::fmt::Write as _;

use anyhow::Result;

use super::Stack;

/// Credentials that the stand-ins for AWS take, and the region that they are.
pub const CREDENTIALS: [(&str, &str); 3] = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")];

/// Writes `env` in the stack's folder, to be read by `source` or `.`.
pub(super) fn write(stack: &Stack) -> Result<()> {
    let mut variables = vec![("KUBECONFIG".to_owned(), stack.kubeconfig().display().to_string())];
    if let Some(url) = &stack.gateway_url {
        variables.push(("GATEWAY_URL".to_owned(), url.clone()));
    }
    if let Some(endpoints) = &stack.endpoints {
        variables.extend(endpoints.env());
    }
    let mut text = String::new();
    for (name, value) in variables {
        writeln!(text, "export {name}={}", quoted(&value))?;
    }
    // The kubectl of the same version, for those who have none.
    let programs = stack.dir().join("bin");
    if programs.exists() {
        writeln!(text, "export PATH={}:$PATH", quoted(&programs.display().to_string()))?;
    }
    Ok(std::fs::write(stack.dir().join("env"), text)?)
}

/// As a shell reads it back.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:._-".contains(c);
    if value.chars().all(plain) { value.to_owned() } else { format!("'{}'", value.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_a_shell_would_split_is_quoted() {
        assert_eq!(quoted("http://127.0.0.1:80"), "http://127.0.0.1:80");
        assert_eq!(quoted("/a b/it's"), "'/a b/it'\\''s'");
    }
}
