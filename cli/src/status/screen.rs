//! The terminal: a screen of its own, given back as it was however the program ends.

use std::io::{self, Write as _};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::execute;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen};

use crate::words::cut;

/// The alternate screen, while this lives.
pub(super) struct Screen;

impl Screen {
    pub(super) fn enter() -> io::Result<Self> {
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        Ok(Self)
    }

    /// Draws `lines` in place, as many as fit: line by line over what was there, so that nothing flickers.
    pub(super) fn draw(&self, lines: &[String], (width, height): (usize, usize)) -> io::Result<()> {
        let mut out = io::stdout().lock();
        execute!(out, BeginSynchronizedUpdate, MoveTo(0, 0))?;
        let shown = if lines.len() > height { height.saturating_sub(1) } else { lines.len() };
        for (number, line) in lines.iter().take(shown).enumerate() {
            write!(out, "{}{line}", if number > 0 { "\r\n" } else { "" })?;
            execute!(out, Clear(ClearType::UntilNewLine))?;
        }
        if shown < lines.len() {
            let more = format!("… {} more lines: enlarge the terminal, or name a fleet", lines.len() - shown);
            write!(out, "\r\n{}", cut(&more, width))?;
        }
        execute!(out, Clear(ClearType::FromCursorDown), EndSynchronizedUpdate)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nobody is left to tell when the terminal is gone.
        let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
    }
}

/// Columns and lines of the terminal.
pub(super) fn size() -> (usize, usize) {
    let (columns, lines) = crossterm::terminal::size().unwrap_or((80, 24));
    (usize::from(columns).max(20), usize::from(lines).max(4))
}
