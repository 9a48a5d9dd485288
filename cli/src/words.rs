//! How numbers and times read. Knows nothing of fleets.

use jiff::{SignedDuration, Timestamp};

/// A time span for people, of at most two units: `4.2 s`, `35 s`, `3 min 20 s`, `2 h 5 min`, `3 d`.
#[must_use]
pub fn span(duration: SignedDuration) -> String {
    let tenths = (duration.as_secs_f64() * 10.0).round() / 10.0;
    let whole = duration.as_secs();
    match whole {
        0..10 if tenths.fract() != 0.0 => format!("{tenths:.1} s"),
        0..60 => format!("{tenths:.0} s"),
        60..3600 => two(whole, 60, "min", 1, "s"),
        3600..86_400 => two(whole, 3600, "h", 60, "min"),
        _ => two(whole, 86_400, "d", 3600, "h"),
    }
}

/// `seconds` as [`span`].
#[must_use]
pub fn seconds(seconds: f64) -> String {
    span(SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::ZERO))
}

fn two(seconds: i64, large: i64, large_name: &str, small: i64, small_name: &str) -> String {
    match seconds % large / small {
        0 => format!("{} {large_name}", seconds / large),
        rest => format!("{} {large_name} {rest} {small_name}", seconds / large),
    }
}

/// How long before `now`, in whole seconds; clocks differ, so that what is said to come is now.
#[must_use]
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    match now.duration_since(at).as_secs() {
        ..1 => "now".to_owned(),
        seconds => format!("{} ago", span(SignedDuration::from_secs(seconds))),
    }
}

/// `1 worker`, `2 workers`.
#[must_use]
pub fn count(number: i64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Jobs a second: `12.0`, and `0.25` where a tenth says too little.
#[must_use]
pub fn rate(per_second: f64) -> String {
    if per_second != 0.0 && per_second < 1.0 { format!("{per_second:.2}") } else { format!("{per_second:.1}") }
}

/// The part of `text` that is at most `width` columns wide, with an ellipsis where it was cut.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut kept, mut used) = (String::new(), 1);
    for letter in text.chars() {
        used += letter.width().unwrap_or(0);
        if used > width {
            break;
        }
        kept.push(letter);
    }
    if width == 0 { kept } else { kept + "…" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        let table =
            [(0.0, "0 s"), (4.25, "4.3 s"), (9.96, "10 s"), (59.0, "59 s"), (200.0, "3 min 20 s"), (7200.0, "2 h"), (7500.0, "2 h 5 min")];
        for (number, text) in table {
            assert_eq!(seconds(number), text);
        }
        assert_eq!(seconds(f64::NAN), "0 s");
        assert_eq!(seconds(90_000.0), "1 d 1 h");
    }

    #[test]
    fn what_is_cut_fits() {
        assert_eq!(cut("imagenet", 8), "imagenet");
        assert_eq!(cut("imagenet", 5), "imag…");
        assert_eq!(cut("名前です", 5), "名前…");
        assert_eq!(cut("x", 0), "");
    }
}
