//! Amounts with their units, as people write them.
//!
//! A rate is `10 MiB/s`, a time `500ms`, `30s` or `1h30m`. A bare number is refused
//! wherever a unit is wanted, and the refusal shows the number with one: nobody
//! should have to remember whether it was seconds. Pure text to number and back.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use tidelock_remote::url::word;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// Units of bytes, largest first among those of one sort.
const SIZES: [(&str, u64); 10] = [
    ("TiB", TIB),
    ("GiB", GIB),
    ("MiB", MIB),
    ("KiB", KIB),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Units of time in milliseconds, largest first.
const TIMES: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// What is said of a rate of 0.
const NOTHING: &str = "nothing could be sent; write a rate above 0, as in \"10 MiB/s\", or leave it out";

/// Bytes in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(pub u64);

/// Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub u64);

/// Reads `512 KiB`, `10 MB`, `1.5 GiB`, `1234 B`.
fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let Some((_, factor)) = SIZES.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("{unit:?} is no unit of bytes; write B, KiB, MiB, GiB or TiB (or kB, MB, GB, TB)"));
    };
    amount(number, *factor).ok_or_else(|| format!("{text:?} is no size; write it as in \"512 KiB\" or \"1.5 GiB\""))
}

impl Rate {
    /// Reads a size with `/s`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || format!("{:?} is no rate; write it as in \"10 MiB/s\"", word(text));
        let each = match text.strip_suffix("/s") {
            Some(each) if !split(each).0.is_empty() && !split(each).1.is_empty() => each,
            None if text.parse() == Ok(0.0) => return Err(NOTHING.to_owned()),
            None if is_number(text) => return Err(bare(text, " MiB/s")),
            None if size(text).is_ok() => {
                return Err(format!("{text:?} says not in what time; write \"{text}/s\""));
            }
            _ => return Err(wrong()),
        };
        match size(each)? {
            0 => Err(NOTHING.to_owned()),
            bytes => Ok(Self(bytes)),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |factor: u64| self.0 > 0 && self.0.is_multiple_of(factor);
        let (unit, factor) = SIZES.iter().find(|(_, factor)| fits(*factor)).unwrap_or(&("B", 1));
        write!(f, "{} {unit}/s", self.0 / factor)
    }
}

impl Wait {
    /// Reads one or more numbers, each with its unit.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err("it is empty; write a time, as in \"30s\"".to_owned());
        }
        if is_number(rest) {
            return Err(bare(rest, "s"));
        }
        let wrong = || format!("{:?} is no time; write it as in \"30s\" or \"1h30m\"", word(text));
        let mut sum = 0_u64;
        while !rest.is_empty() {
            let (number, after) = split(rest);
            let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (unit, next) = after.split_at(end);
            if unit.is_empty() || number.is_empty() {
                return Err(wrong());
            }
            let Some((_, factor)) = TIMES.iter().find(|(name, _)| *name == unit) else {
                return Err(format!("{unit:?} is no unit of time; write ms, s, m, h or d"));
            };
            sum = amount(number, *factor).and_then(|ms| sum.checked_add(ms)).ok_or_else(wrong)?;
            rest = next.trim_start();
        }
        Ok(Self(sum))
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in TIMES {
            if rest >= factor {
                write!(f, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

/// The number at the beginning, and what follows it.
fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

fn amount(number: &str, factor: u64) -> Option<u64> {
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let amount = number.parse::<f64>().ok()? * {
        #[allow(clippy::cast_precision_loss, reason = "units are small powers")]
        let factor = factor as f64;
        factor
    };
    // Beyond this not every whole number is one of these.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "looked at just before")]
    (amount.is_finite() && (0.0..9e15).contains(&amount)).then(|| amount.round() as u64)
}

/// A number without a unit: the one mistake whose remedy is known.
fn bare(number: &str, unit: &str) -> String {
    format!("{number:?} has no unit; write \"{number}{unit}\"")
}

fn is_number(text: &str) -> bool {
    amount(text, 1).is_some() && text.starts_with(|c: char| c.is_ascii_digit())
}

/// Takes text alone, and tells those who gave a number what to write.
struct WithUnit<T> {
    parse: fn(&str) -> Result<T, String>,
    unit: &'static str,
    what: &'static str,
}

impl<T> WithUnit<T> {
    fn refuse<E: Error>(&self, number: impl fmt::Display) -> Result<T, E> {
        // What cannot be with a unit either is told so.
        (self.parse)(&format!("{number}{}", self.unit)).map_err(E::custom)?;
        Err(E::custom(format!("{number} has no unit; write \"{number}{}\"", self.unit)))
    }
}

impl<T> Visitor<'_> for WithUnit<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.refuse(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.refuse(number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        self.refuse(number)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(WithUnit { parse: Self::parse, unit: " MiB/s", what: "a rate, as in \"10 MiB/s\"" })
    }
}

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(WithUnit { parse: Self::parse, unit: "s", what: "a time, as in \"30s\"" })
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl Serialize for Wait {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Bytes in a second, with a unit.",
            "pattern": "^[0-9]+(\\.[0-9]+)? ?([KMGT]iB|[kKMGT]?B)/s$",
            "examples": ["10 MiB/s", "500 kB/s"]
        })
    }
}

impl JsonSchema for Wait {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A time, with a unit.",
            "pattern": "^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d) ?)+$",
            "examples": ["500ms", "30s", "1h30m"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_rates_have_units() {
        for (text, bytes) in [
            ("512 KiB", 512 * KIB),
            ("10 MB", 10_000_000),
            ("1.5 GiB", 3 * GIB / 2),
            ("1234 B", 1234),
            ("10MiB", 10 * MIB),
            ("2 TiB", 2 * TIB),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
            assert_eq!(Rate::parse(&format!("{text}/s")), Ok(Rate(bytes)), "{text}");
        }
        for (text, says) in [
            ("10", "10 MiB/s"),
            ("10 MiB", "write \"10 MiB/s\""),
            ("x", "no rate; write it as in \"10 MiB/s\""),
            ("1h/s", "no unit of bytes"),
            ("-5", "no rate"),
            ("-5 MiB/s", "no rate"),
            ("/s", "no rate"),
            ("", "no rate"),
            ("10 parsecs/s", "no unit of bytes"),
            ("0 B/s", "above 0"),
            ("1.2.3 B/s", "no size"),
            ("99999999999999999999 TiB/s", "no size"),
        ] {
            let why = Rate::parse(text).expect_err(text);
            assert!(why.contains(says), "{text}: {why}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, ms) in [
            ("500ms", 500),
            ("3s", 3_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("30d", 2_592_000_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("1.5s", 1_500),
            ("0s", 0),
        ] {
            assert_eq!(Wait::parse(text), Ok(Wait(ms)), "{text}");
        }
        for (text, says) in [
            ("10", "10s"),
            ("", "empty"),
            ("1h30", "no time"),
            ("-5ss", "no time"),
            ("-5s", "no time"),
            ("5ss", "\"ss\" is no unit"),
            ("x", "no time"),
            ("5 parsecs", "ms, s, m, h or d"),
            ("s", "no time"),
        ] {
            let why = Wait::parse(text).expect_err(text);
            assert!(why.contains(says), "{text}: {why}");
        }
    }

    #[test]
    fn amounts_are_written_as_they_are_read() {
        for bytes in [1, 999, 1000, 1024, 1536, 10 * MIB, 5 * GIB, 7_000_000, u64::MAX >> 1] {
            assert_eq!(Rate::parse(&Rate(bytes).to_string()), Ok(Rate(bytes)), "{}", Rate(bytes));
        }
        for ms in [0, 1, 999, 1000, 90_000, 5_400_000, 86_400_001, 2_592_000_000] {
            assert_eq!(Wait::parse(&Wait(ms).to_string()), Ok(Wait(ms)), "{}", Wait(ms));
        }
        assert_eq!((Rate(10 * MIB).to_string(), Wait(5_400_000).to_string()), ("10 MiB/s".into(), "1h30m".into()));
    }
}
