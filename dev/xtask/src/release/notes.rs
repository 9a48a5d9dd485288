//! What changed since the last release, as the changelog says it. Pure but for the file.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::{Release, VERSION, read};

impl Release<'_> {
    /// Adds `RELEASE_NOTES.md`.
    ///
    /// # Errors
    /// When the changelog has no section for it.
    pub fn notes(&mut self) -> Result<PathBuf> {
        let changelog = String::from_utf8(read(&self.paths.root.join("CHANGELOG.md"))?)?;
        let notes = section(&changelog, VERSION).or_else(|| section(&changelog, "Unreleased"));
        let notes = notes.with_context(|| format!("CHANGELOG.md has neither a section [{VERSION}] nor [Unreleased]"))?;
        self.write("RELEASE_NOTES.md", format!("# ClassifierFleet {VERSION}\n\n{notes}\n").as_bytes())
    }
}

/// What stands below `## [name]`, up to the next such heading.
fn section<'a>(changelog: &'a str, name: &str) -> Option<&'a str> {
    let mut sections = changelog.split("\n## [").skip(1);
    let text = sections.find_map(|section| section.strip_prefix(name)?.strip_prefix(']'))?;
    Some(text.split_once('\n')?.1.trim())
}

#[cfg(test)]
mod tests {
    use super::section;

    #[test]
    fn a_section_is_what_stands_between_its_heading_and_the_next() {
        let changelog = "# Changelog\n\n## [Unreleased]\n### Added\n- c\n\n## [0.10.0] - 2026-01-02\n- b\n\n## [0.1.0] - 2026-01-01\n- a\n";
        assert_eq!(section(changelog, "Unreleased"), Some("### Added\n- c"));
        assert_eq!((section(changelog, "0.1.0"), section(changelog, "0.10.0")), (Some("- a"), Some("- b")));
        assert_eq!(section(changelog, "0.2.0"), None);
    }
}
