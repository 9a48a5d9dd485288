//! What of a machine's user data a guest runs: as much of cloud-init as a process without a file system of its own can have.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// Where cloud-init finds what it runs at every boot.
const PER_BOOT: &str = "/var/lib/cloud/scripts/per-boot/";

#[derive(Deserialize)]
struct CloudConfig {
    #[serde(default)]
    write_files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    path: String,
    #[serde(default)]
    content: String,
}

/// The script in the user data (base64), or why there is none: the user data itself if it begins with `#!`, or the one that a
/// cloud-config writes to cloud-init's folder of what runs at every boot. Its other files are the machine's, and left out.
pub(super) fn script(user_data: Option<&str>) -> Result<Vec<u8>, String> {
    let raw = STANDARD.decode(user_data.ok_or("no user data to run")?).map_err(|_| "user data is not base64")?;
    if raw.starts_with(b"#!") {
        return Ok(raw);
    }
    if !raw.starts_with(b"#cloud-config\n") {
        return Err("user data starts neither with #! nor with #cloud-config".to_owned());
    }
    let text = String::from_utf8(raw).map_err(|_| "the cloud-config is not UTF-8")?;
    let config: CloudConfig = serde_saphyr::from_str(&text).map_err(|error| format!("the cloud-config cannot be read: {error}"))?;
    let script = config.write_files.into_iter().find(|file| file.path.starts_with(PER_BOOT));
    script.map(|file| file.content.into_bytes()).ok_or_else(|| format!("the cloud-config writes no script to {PER_BOOT}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn of(user_data: &str) -> Result<String, String> {
        script(Some(&STANDARD.encode(user_data))).map(|script| String::from_utf8(script).unwrap())
    }

    #[test]
    fn a_script_is_run_as_it_is() {
        assert_eq!(of("#!/bin/sh\ntrue\n").unwrap(), "#!/bin/sh\ntrue\n");
    }

    #[test]
    fn of_a_cloud_config_what_runs_at_every_boot_is_run() {
        let config = "#cloud-config\npackage_update: false\nwrite_files:\n- path: /etc/motd\n  content: hello\n\
                      - path: /var/lib/cloud/scripts/per-boot/x\n  permissions: '0700'\n  content: |\n   #!/bin/sh\n     true\n\n   false\n";
        assert_eq!(of(config).unwrap(), "#!/bin/sh\n  true\n\nfalse\n");
    }

    #[test]
    fn what_cannot_be_run_is_told() {
        assert!(of("just words").unwrap_err().contains("neither"));
        assert!(of("#cloud-config\nwrite_files: []\n").unwrap_err().contains("no script"));
        assert!(of("#cloud-config\nwrite_files: {\n").unwrap_err().contains("cannot be read"));
        assert!(script(Some("%")).unwrap_err().contains("base64") && script(None).unwrap_err().contains("no user data"));
    }
}
