//! How often the worker had to be started again since the machine booted: who only ever sees it come back would not know that
//! it keeps failing. Knows nothing of why.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Another one for each boot of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The count of one boot, in a file, until the worker leaves in order.
#[derive(Debug)]
pub struct Restarts {
    file: PathBuf,
    count: u32,
}

impl Restarts {
    /// Counts this start, in a file in `folder`. Without the file, this is the first one.
    #[must_use]
    pub fn begin(folder: &Path) -> Self {
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
        let file = folder.join("starts");
        let starts = fs::read_to_string(&file).ok().and_then(|text| parse(&text, boot.trim())).unwrap_or(0);
        let write = || -> io::Result<()> {
            fs::create_dir_all(folder)?;
            fs::write(&file, format!("{} {}\n", boot.trim(), starts.saturating_add(1)))
        };
        if let Err(error) = write() {
            tracing::warn!(file = %file.display(), %error, "this start cannot be counted, a crash loop would not be seen");
        }
        Self { file, count: starts }
    }

    /// Starts before this one since the machine booted, none of which left in order.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The worker leaves in order.
    pub fn end(self) {
        // It is absent where it could not be written.
        let _ = fs::remove_file(self.file);
    }
}

fn parse(text: &str, boot: &str) -> Option<u32> {
    let (counted, starts) = text.trim().rsplit_once(' ')?;
    (counted == boot).then(|| starts.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::{Restarts, parse};

    #[test]
    fn starts_count_until_one_leaves_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let begin = || Restarts::begin(&folder.path().join("cache"));
        assert_eq!([begin().count(), begin().count()], [0, 1]);
        let third = begin();
        assert_eq!(third.count(), 2);
        third.end();
        assert_eq!(begin().count(), 0);
    }

    #[test]
    fn starts_of_another_boot_do_not_count() {
        assert_eq!(parse("b-1 3\n", "b-1"), Some(3));
        assert_eq!([parse("b-0 3\n", "b-1"), parse("nonsense", "b-1"), parse("b-1 x", "b-1")], [None; 3]);
    }
}
