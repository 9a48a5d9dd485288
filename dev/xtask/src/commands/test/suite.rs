//! A program of tests as cargo built it: what it is called, and how cargo itself would run it.

use std::path::PathBuf;

use serde::Deserialize;
use tokio::process::Command;

/// What takes longest, and would be alone at the end.
const LONG: [&str; 6] = ["e2e_crashes", "e2e_examples", "e2e_path", "e2e_launches", "e2e_metrics", "e2e_pods"];

/// One program of tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suite {
    /// Crate, kind and target: `gateway/tests/slow_clients`.
    pub(super) name: String,
    program: PathBuf,
    /// The crate's folder, in which cargo runs tests.
    folder: PathBuf,
}

/// What cargo tells of something that it compiled.
#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    profile: Profile,
    executable: PathBuf,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

impl Suite {
    /// What one line of `cargo test --no-run --message-format json` tells; nothing unless it is of a program of tests.
    pub(super) fn read(message: &str) -> Option<Self> {
        let Artifact { manifest_path, target, profile, executable } = serde_json::from_str(message).ok()?;
        let folder = manifest_path.parent()?.to_owned();
        let of = folder.file_name()?.to_string_lossy();
        let kind = if target.kind == ["test"] { "tests" } else { target.kind.first()? };
        let name = format!("{of}/{kind}/{}", target.name);
        profile.test.then(|| Self { name, program: executable, folder: folder.clone() })
    }

    /// Whether it should begin before others.
    pub(super) fn is_long(&self) -> bool {
        LONG.iter().any(|long| self.name.ends_with(long))
    }

    /// The program, where and with what cargo gives tests at run time.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_tests_are_told_from_what_else_cargo_makes() {
        let message = |test: bool, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/plan/Cargo.toml","target":{{"kind":["test"],"name":"launches"}},"profile":{{"opt_level":"1","test":{test}}},"executable":{executable}}}"#
            )
        };
        let suite = Suite::read(&message(true, r#""/t/launches-1""#)).unwrap();
        assert_eq!((suite.name.as_str(), suite.folder.as_path()), ("plan/tests/launches", "/w/plan".as_ref()));
        assert_eq!(Suite::read(&message(false, r#""/t/launches""#)), None);
        assert_eq!(Suite::read(&message(true, "null")), None);
        assert_eq!(Suite::read(r#"{"reason":"build-finished","success":true}"#), None);
    }
}
