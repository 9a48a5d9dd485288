//! A bar of block elements. Pure.

/// Columns of a full bar.
pub(super) const WIDTH: usize = 12;
const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// `value` of `full` as a bar; anything above 0 shows.
pub(super) fn bar(value: i64, full: i64) -> String {
    let (value, full) = (value.clamp(0, full.max(1)), full.max(1));
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most 8 × WIDTH
    let eighths = ((value as f64 / full as f64) * (WIDTH * 8) as f64).round() as usize;
    let eighths = if value > 0 { eighths.max(1) } else { 0 };
    let part = match eighths % 8 {
        0 => String::new(),
        part => EIGHTHS[part].to_string(),
    };
    "█".repeat(eighths / 8) + &part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_by_eighths_and_never_hide_a_job() {
        assert_eq!(bar(0, 100), "");
        assert_eq!(bar(1, 1_000_000), "▏");
        assert_eq!(bar(50, 100), "██████");
        assert_eq!(bar(100, 100), "█".repeat(WIDTH));
        assert_eq!(bar(500, 100), "█".repeat(WIDTH));
        assert_eq!(bar(5, 0), "█".repeat(WIDTH));
    }
}
