//! Numbers and names, as people read them.
//!
//! Names come from disks and buckets and may hold anything: what could move the
//! cursor, change colours or turn the direction of writing is shown, not sent.

use std::fmt::Write as _;
use tidelock_remote::url;

/// A text that is safe to print on one line, without the secrets of addresses in it.
pub fn shown(text: &str) -> String {
    let text = url::shown(text);
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            // Writing to a String cannot fail.
            let _ = write!(safe, "{}", c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// A name that is safe to print on one line, and can be typed again: as it is, or
/// in the `$'…'` quotes of shells.
pub fn name(text: &str) -> String {
    if !text.chars().any(is_unsafe) && !text.starts_with("$'") {
        return text.to_owned();
    }
    let mut quoted = "$'".to_owned();
    for c in text.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\'' | '\\' => quoted.extend(['\\', c]),
            // Writing to a String cannot fail.
            c if is_unsafe(c) => drop(write!(quoted, "\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "'"
}

/// Control characters, and those that change the direction of writing.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A number of bytes: `512 B`, `1.5 MiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    let (mut amount, mut unit) = (bytes as f64 / 1024.0, 0);
    while amount >= 1023.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// A duration: `0.3 s`, `2 min 5 s`, `3 h 10 min`.
pub fn duration(ms: u64) -> String {
    match ms / 1000 {
        0..60 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `1 file`, `2 files`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// A moment in Unix milliseconds, as `2026-03-01 12:30:00` in the local time zone.
pub fn moment(unix_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(unix_ms).map_or_else(
        |_| unix_ms.to_string(),
        |at| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_act() {
        assert_eq!(shown("a b/ü.txt"), "a b/ü.txt");
        assert_eq!(shown("a\n\x1b[31mb\u{202e}c\u{9b}\u{61c}"), "a\\n\\u{1b}[31mb\\u{202e}c\\u{9b}\\u{61c}");
    }

    #[test]
    fn names_can_be_typed_again() {
        for (text, typed) in [
            ("a b/ü.txt", "a b/ü.txt"),
            ("lit\\nline", "lit\\nline"),
            ("new\nline", "$'new\\nline'"),
            ("it's\\\x1b[2J", "$'it\\'s\\\\\\u001b[2J'"),
            ("\u{202e}x", "$'\\u202ex'"),
            ("$'x'", "$'$\\'x\\''"),
        ] {
            assert_eq!(name(text), typed);
        }
    }

    #[test]
    fn amounts_read_well() {
        for (amount, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1 << 20, "1.0 MiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (u64::MAX, "16384.0 PiB"),
        ] {
            assert_eq!(bytes(amount), text);
        }
        for (ms, text) in [(0, "0.0 s"), (1250, "1.2 s"), (65_000, "1 min 5 s"), (3_720_000, "1 h 2 min")] {
            assert_eq!(duration(ms), text);
        }
        assert_eq!((count(1, "file", "files"), count(0, "file", "files")), ("1 file".into(), "0 files".into()));
    }
}
