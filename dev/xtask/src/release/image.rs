//! Images of operator and gateway: one static program and the certificate authorities by which it knows AWS. `deploy/images/Dockerfile`
//! says the same for those with an engine. Must not know how programs are built.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Release, Source, VERSION, read};
use crate::oci::{self, Image, Platform};

/// Where images are looked for by the chart's default values.
const REPOSITORY: &str = "docker.io/classifierfleet";

impl Release<'_> {
    /// Adds the image of `operator` or `gateway` as an OCI archive. A program for each kind of machine, which is called as Go calls it
    /// (`amd64`, `arm64`); more than one make an image for all of them.
    ///
    /// # Errors
    /// When a program cannot be read, or the image not be written.
    pub fn image(&mut self, name: &str, programs: &[(&'static str, &Path)]) -> Result<PathBuf> {
        let platform =
            |(architecture, program): &(&'static str, &Path)| Ok(Platform { architecture, program: read(program)?, libraries: Vec::new() });
        let image = Image {
            reference: format!("{REPOSITORY}/{name}:{VERSION}"),
            labels: labels(name, self.source),
            time: self.source.seconds(),
            compressed: true,
            platforms: programs.iter().map(platform).collect::<Result<_>>()?,
        };
        let path = self.place(&format!("classifierfleet-{name}-{VERSION}.oci.tar"));
        oci::write(&image, &path)?;
        Ok(path)
    }
}

/// What registries and scanners show of an image.
fn labels(name: &str, source: &Source) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("org.opencontainers.image.title", format!("classifierfleet-{name}")),
        (
            "org.opencontainers.image.description",
            format!("The {name} of ClassifierFleet: image classification on EC2, only while there is work"),
        ),
        ("org.opencontainers.image.version", VERSION.to_owned()),
        ("org.opencontainers.image.revision", source.revision.clone()),
        ("org.opencontainers.image.licenses", env!("CARGO_PKG_LICENSE").to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::paths::Paths;

    /// The instructions of the Dockerfile's last stage, with arguments filled in: `LABEL`, what it says.
    fn instructions() -> Vec<(String, String)> {
        let file = Paths::discover().unwrap().root.join("deploy/images/Dockerfile");
        let text = std::fs::read_to_string(file).unwrap().replace("\\\n", "");
        let last = text.rsplit("\nFROM ").next().unwrap();
        let filled = last.replace("${PROGRAM}", "gateway").replace("${VERSION}", VERSION).replace("${REVISION}", "abc");
        let split = filled.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
        split.map(|(instruction, rest)| (instruction.to_owned(), rest.trim().to_owned())).collect()
    }

    fn instruction<'a>(instructions: &'a [(String, String)], name: &str) -> &'a str {
        let mut found = instructions.iter().filter(|(instruction, _)| instruction == name);
        let (Some((_, rest)), None) = (found.next(), found.next()) else { panic!("not one {name} in the Dockerfile's last stage") };
        rest
    }

    #[test]
    fn the_dockerfile_makes_the_same_image() {
        let instructions = instructions();
        assert_eq!(instruction(&instructions, "USER"), oci::USER);
        assert_eq!(instruction(&instructions, "ENTRYPOINT"), format!("[{:?}]", oci::ENTRYPOINT));
        assert_eq!(instruction(&instructions, "COPY"), format!("--from=authorities {0} {0}", oci::AUTHORITIES));
        let source = Source { revision: "abc".to_owned(), time: Timestamp::UNIX_EPOCH };
        let said = instruction(&instructions, "LABEL").split("org.").filter(|label| !label.is_empty());
        let said = said.map(|label| format!("org.{}", label.trim().replace('"', "")));
        let made = labels("gateway", &source).into_iter().map(|(key, value)| format!("{key}={value}"));
        assert_eq!(said.collect::<std::collections::BTreeSet<_>>(), made.collect());
        // What else could change an image.
        let others = ["EXPOSE", "ENV", "CMD", "VOLUME", "WORKDIR", "RUN", "ADD", "STOPSIGNAL", "HEALTHCHECK"];
        assert!(instructions.iter().all(|(instruction, _)| !others.contains(&instruction.as_str())), "{instructions:?}");
    }
}
