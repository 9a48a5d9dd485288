//! What an instance runs when it boots, as cloud-init and EC2 take it. Pure. Knows nothing of revisions.

use std::fmt::Write as _;

use crds::{Binary, ClassifierFleet};
use kube::ResourceExt as _;

const UNIT: &str = include_str!("../../deploy/classifierfleet-worker.service");
const FETCH: &str = include_str!("../../deploy/fetch-worker.py");

/// The user data of `fleet`'s workers, which get `environment` (name, value): a cloud-config that makes two files, the systemd
/// unit of the worker and a script that cloud-init runs at every boot.
pub fn render(fleet: &ClassifierFleet, environment: &[(String, String)]) -> String {
    let of = format!(
        "# A worker of the ClassifierFleet {}/{}. Written by the operator.",
        fleet.namespace().unwrap_or_default(),
        fleet.name_any()
    );
    let unit = file("/etc/systemd/system/classifierfleet-worker.service", "0644", &without_comments(UNIT));
    let script = file("/var/lib/cloud/scripts/per-boot/classifierfleet-worker", "0700", &script(fleet, environment));
    format!("#cloud-config\n{of}\nwrite_files:\n{unit}{script}")
}

/// An entry of cloud-config's `write_files`.
fn file(path: &str, permissions: &str, content: &str) -> String {
    let mut entry = format!("- path: {path}\n  permissions: '{permissions}'\n  content: |\n");
    for line in content.lines() {
        let indent = if line.is_empty() { "" } else { "   " };
        let _ = writeln!(entry, "{indent}{line}");
    }
    entry
}

/// EC2 takes 16 KiB: what explains stays in the source.
fn without_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.trim_start().starts_with('#'));
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// The user's commands, then the worker for its whole life: as the unit where cloud-init runs the script and systemd the machine,
/// else as a child of the script. A worker that fails is started again; one that leaves in order (exit code 0) takes the machine
/// with it.
fn script(fleet: &ClassifierFleet, environment: &[(String, String)]) -> String {
    let template = &fleet.spec.workers.template;
    let commands = template.user_data.as_deref().unwrap_or_default();
    let commands = commands.strip_prefix("#!/bin/sh\n").unwrap_or(commands);
    let settings: String = environment.iter().map(|(key, value)| format!("{key}={}\n", quoted(value))).collect();
    let fetch = template.binary.as_ref().map(fetch).unwrap_or_default();
    format!(
        "{BEGIN}cat >\"$fleet_run/worker.env\" <<'END_OF_SETTINGS'\n{settings}END_OF_SETTINGS\n{commands}\n\
         set -a\n. \"$fleet_run/worker.env\"\nset +a\n{fetch}{START}"
    )
}

/// Only cloud-init may make a service of it: whoever else runs it (cloudsim does) is no machine of its own.
const BEGIN: &str = "#!/bin/sh
case \"$0\" in
/var/lib/cloud/*) fleet_run=/run/classifierfleet fleet_prefix=/usr/local fleet_machine=yes ;;
*) fleet_run=$PWD fleet_prefix=$PWD fleet_machine= ;;
esac
mkdir -p \"$fleet_run\" \"$fleet_prefix/bin\"
";

const START: &str = "if [ \"$fleet_machine\" ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  exec systemctl start --no-block classifierfleet-worker
fi
until classifierfleet-worker; do
  echo \"the worker failed with exit code $?, it is started again in 5 s\" >&2
  sleep 5
done
poweroff
";

/// Installs the program. A machine that cannot is ended by the operator after `bootTimeoutSeconds`, and counted; it ends itself
/// should the operator be gone.
fn fetch(binary: &Binary) -> String {
    let Binary { uri, sha256 } = binary;
    let (uri, program) = (quoted(uri), without_comments(FETCH));
    format!(
        "python3 - {uri} {sha256} \"$fleet_prefix/bin/classifierfleet-worker\" <<'END_OF_PROGRAM' || {{ sleep 3600; poweroff; exit 1; }}\n\
         {program}END_OF_PROGRAM\n"
    )
}

/// `value` as one word, both of a shell and of systemd's EnvironmentFile.
fn quoted(value: &str) -> String {
    let special = |character| matches!(character, '"' | '\\' | '$' | '`');
    let escaped = value.chars().flat_map(|character| special(character).then_some('\\').into_iter().chain([character]));
    format!("\"{}\"", escaped.collect::<String>())
}
