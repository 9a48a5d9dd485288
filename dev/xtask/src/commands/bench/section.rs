//! A benchmark's part of `docs/benchmarks.md`: how to repeat it, where and when it ran, what was found. Knows nothing of what was
//! measured.

use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::bars;
use super::report::{self, Measure};
use crate::paths::Paths;
use crate::release::git;

const PAGE: &str = "docs/benchmarks.md";
const PICTURES: &str = "docs/images";

/// What a benchmark tells.
pub(super) struct Section {
    /// The benchmark, as the command line has it.
    name: &'static str,
    /// What was found, in Markdown.
    text: String,
    /// The same in a picture, as SVG, with what it shows.
    picture: Option<(String, &'static str)>,
}

impl Section {
    /// Prints a table of what was found, and writes it for programs.
    ///
    /// # Errors
    /// When the list for programs cannot be written.
    pub(super) fn tell(paths: &Paths, name: &'static str, caption: &str, measures: &[Measure]) -> Result<Self> {
        let table = report::table(measures);
        println!("\n{caption}\n{table}");
        println!("Written to {}", report::write(&paths.dev.join("bench"), name, measures)?.display());
        let text = format!("{}\n\n```text\n{table}```\n", caption.replace('\n', "  \n"));
        Ok(Self { name, text, picture: bars::svg(measures).map(|svg| (svg, "Ours beside the peer, measure by measure")) })
    }

    /// One whose text is Markdown already.
    pub(super) fn of(name: &'static str, text: String, picture: Option<(String, &'static str)>) -> Self {
        Self { name, text, picture }
    }

    /// Puts it into the page, in the place of what the benchmark told before. `args` are what `cargo xtask` was given.
    ///
    /// # Errors
    /// When the page or the picture cannot be written, or git does not tell the commit.
    pub(super) async fn put(&self, paths: &Paths, args: impl Iterator<Item = String>) -> Result<()> {
        let file = paths.root.join(PAGE);
        let page = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let commit = commit(&paths.root).await?;
        let mut body = format!("```text\n{}\n```\n{}; commit {commit}; {}.\n\n{}", command(args), today(), machine(), self.text);
        if let Some((svg, shows)) = &self.picture {
            let name = format!("bench-{}.svg", self.name);
            let place = paths.root.join(PICTURES).join(&name);
            std::fs::write(&place, svg).with_context(|| format!("cannot write {}", place.display()))?;
            body += &format!("\n![{shows}](images/{name})\n");
        }
        std::fs::write(&file, with_section(&page, self.name, &body)).with_context(|| format!("cannot write {}", file.display()))?;
        println!("Put into {}", file.display());
        Ok(())
    }
}

/// The page with the section `## name` having this body; a new one comes last.
fn with_section(page: &str, name: &str, body: &str) -> String {
    let heading = format!("## {name}\n");
    let section = format!("{heading}{body}");
    let Some(begin) = page.find(&format!("\n{heading}")).map(|before| before + 1) else {
        return format!("{}\n\n{section}", page.trim_end());
    };
    match page[begin + heading.len()..].find("\n## ") {
        Some(length) => format!("{}{section}{}", &page[..begin], &page[begin + heading.len() + length..]),
        None => format!("{}{section}", &page[..begin]),
    }
}

fn today() -> String {
    Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// How somebody else repeats it: where files lie on this machine says nothing to others.
fn command(args: impl Iterator<Item = String>) -> String {
    let name = |arg: String| match Path::new(&arg).file_name() {
        Some(name) if arg.starts_with('/') => name.to_string_lossy().into_owned(),
        _ => arg,
    };
    format!("cargo xtask {}", args.map(name).collect::<Vec<_>>().join(" "))
}

/// Twelve digits, and whether the files differed: all but the page and its pictures, which the section before has changed.
async fn commit(root: &Path) -> Result<String> {
    let hash = git(root, &["log", "-1", "--abbrev=12", "--format=%h"]).await?;
    let changed = git(root, &["status", "--porcelain", "--", ".", &format!(":!{PAGE}"), &format!(":!{PICTURES}")]).await?;
    Ok(format!("`{}`{}", hash.trim(), if changed.is_empty() { "" } else { " with changes" }))
}

/// The processor's name, and how many of its cores.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("unknown processor", |(_, name)| name);
    format!("{cores} cores of {model}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_replaces_its_own_and_nothing_else() {
        let page = "# Benchmarks\nHow.\n\n## path\nold\n\n### more\nold\n\n## scale\nkept\n";
        let replaced = with_section(page, "path", "new\n");
        assert_eq!(replaced, "# Benchmarks\nHow.\n\n## path\nnew\n\n## scale\nkept\n");
        assert_eq!(with_section(&replaced, "scale", "new\n"), "# Benchmarks\nHow.\n\n## path\nnew\n\n## scale\nnew\n");
        assert_eq!(with_section("# Benchmarks\n", "path", "new\n"), "# Benchmarks\n\n## path\nnew\n");
    }

    #[test]
    fn a_command_names_programs_and_not_where_they_lie() {
        let args = ["bench", "worker", "--worker", "/home/me/target/dist/worker", "--docs"].map(str::to_owned);
        assert_eq!(command(args.into_iter()), "cargo xtask bench worker --worker worker --docs");
    }

    #[tokio::test]
    async fn a_commit_is_as_it_was_while_the_page_alone_changes() {
        let root = tempfile::tempdir().unwrap();
        let git = async |args: &[&str]| git(root.path(), args).await.unwrap();
        git(&["init", "--quiet"]).await;
        std::fs::create_dir_all(root.path().join(PICTURES)).unwrap();
        std::fs::write(root.path().join(PAGE), "# Benchmarks\n").unwrap();
        git(&["add", "."]).await;
        git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "a"]).await;

        std::fs::write(root.path().join(PAGE), "# Benchmarks\n## path\n").unwrap();
        std::fs::write(root.path().join(PICTURES).join("bench-path.svg"), "").unwrap();
        let clean = commit(root.path()).await.unwrap();
        assert_eq!((clean.len(), clean.contains("changes")), ("`0123456789ab`".len(), false), "{clean}");

        std::fs::write(root.path().join("code.rs"), "").unwrap();
        assert_eq!(commit(root.path()).await.unwrap(), format!("{clean} with changes"));
    }
}
