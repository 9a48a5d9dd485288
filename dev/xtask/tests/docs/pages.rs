//! Pages of Markdown: their blocks of code, their headings, their links. Knows nothing of what a page is about.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A page.
pub struct Page {
    pub file: PathBuf,
    text: String,
}

/// A block of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Page and line, for people.
    pub place: String,
    /// What stands behind the fence, such as `sh aws`.
    pub mark: String,
    pub code: String,
}

/// The pages in `folder` and its subfolders, by name; none if there is no such folder.
pub fn pages(folder: &Path) -> Vec<Page> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let within = |entry: PathBuf| match entry.extension() {
        Some(extension) if extension == "md" => vec![Page::read(entry)],
        _ => pages(&entry),
    };
    entries.into_iter().flat_map(within).collect()
}

impl Page {
    pub fn read(file: PathBuf) -> Self {
        Self { text: fs::read_to_string(&file).unwrap(), file }
    }

    pub fn of(file: PathBuf, text: &str) -> Self {
        Self { file, text: text.to_owned() }
    }

    /// Its blocks of code. One that stands in a list is indented as its fence is.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<(usize, Block)> = None;
        for (number, line) in self.text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            match (open.take(), line.trim_start().strip_prefix("```")) {
                (None, None) => {}
                (None, Some(mark)) => {
                    let place = format!("{}:{}", self.file.display(), number + 1);
                    open = Some((indent, Block { place, mark: mark.trim().to_owned(), code: String::new() }));
                }
                (Some((_, block)), Some(_)) => blocks.push(block),
                (Some((indent, mut block)), None) => {
                    block.code += line.get(indent..).unwrap_or_default();
                    block.code.push('\n');
                    open = Some((indent, block));
                }
            }
        }
        assert!(open.is_none(), "{}: a block of code is not closed", self.file.display());
        blocks
    }

    /// Lines that are not code.
    fn prose(&self) -> Vec<&str> {
        let mut is_code = false;
        let prose = self.text.lines().filter(|line| {
            let is_fence = line.trim_start().starts_with("```");
            is_code ^= is_fence;
            !is_code && !is_fence
        });
        prose.collect()
    }

    /// Where its links lead, as they are written.
    pub fn links(&self) -> Vec<String> {
        let links = self.prose().into_iter().flat_map(|line| line.split("](").skip(1));
        links.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
    }

    /// What can stand behind the # of a link to it, as GitHub makes it from its headings.
    pub fn anchors(&self) -> BTreeSet<String> {
        let headings = self.prose().into_iter().filter(|line| line.starts_with('#'));
        let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == ' ';
        let anchor = |heading: &str| heading.to_lowercase().chars().filter(|c| plain(*c)).collect::<String>().replace(' ', "-");
        headings.map(|heading| anchor(heading.trim_start_matches('#').trim())).collect()
    }
}

/// What is wrong with the links of `page`: each must lead to a file, and to a heading of it.
pub fn broken_links(page: &Page) -> Vec<String> {
    let is_here = |link: &String| !["http://", "https://", "mailto:"].iter().any(|scheme| link.starts_with(scheme));
    page.links()
        .into_iter()
        .filter(is_here)
        .filter(|link| !leads_somewhere(page, link))
        .map(|link| format!("{}: {link}", page.file.display()))
        .collect()
}

fn leads_somewhere(page: &Page, link: &str) -> bool {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    if file.is_empty() {
        return page.anchors().contains(anchor);
    }
    let file = page.file.with_file_name("").join(file);
    file.exists() && (anchor.is_empty() || Page::read(file).anchors().contains(anchor))
}
