//! A benchmark's part of `docs/benchmarks.md`: how to repeat it, where and when it ran, what was found. Knows nothing of what was
//! measured.

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::bars;
use super::report::{self, Measure};
use crate::paths::Paths;
use crate::release::Source;

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

    /// Puts it into the page, in the place of what the benchmark told before. `command` is how it was run.
    ///
    /// # Errors
    /// When the page or the picture cannot be written.
    pub(super) async fn put(&self, paths: &Paths, command: &str) -> Result<()> {
        let file = paths.root.join(PAGE);
        let page = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let commit = Source::of(&paths.root).await?.revision;
        let mut body = format!("```text\n{command}\n```\n{}; commit `{}`; {}.\n\n{}", today(), short(&commit), machine(), self.text);
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

/// Twelve digits, and whether the files differed.
fn short(revision: &str) -> String {
    let (hash, mark) = revision.split_once('-').map_or((revision, ""), |(hash, _)| (hash, " with changes"));
    format!("{}{mark}", &hash[..hash.len().min(12)])
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
    fn a_commit_is_short_and_says_whether_files_differ() {
        assert_eq!(short("0123456789abcdef"), "0123456789ab");
        assert_eq!(short("0123456789abcdef-dirty"), "0123456789ab with changes");
    }
}
