//! Times in metadata: decimal seconds with nanoseconds, and RFC 3339.
//!
//! Everything is Unix nanoseconds in 64 bits, which reach from 1677 to 2262; a time
//! outside is not read. Nothing here asks what time it is.

const NS_PER_S: i128 = 1_000_000_000;

/// Writes seconds with all nine digits of the fraction, or none: s3fs reads the
/// fraction as a count of nanoseconds, rclone as a fraction, and so both agree.
pub(super) fn to_decimal(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let (s, rest) = (ns.unsigned_abs() / 1_000_000_000, ns.unsigned_abs() % 1_000_000_000);
    if rest == 0 { format!("{sign}{s}") } else { format!("{sign}{s}.{rest:09}") }
}

/// Reads whatever any of the writers writes.
pub(super) fn parse(text: &str) -> Option<i64> {
    from_decimal(text).or_else(|| from_rfc3339(text))
}

/// Seconds, and perhaps a fraction of which nine digits count.
pub(super) fn from_decimal(text: &str) -> Option<i64> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let (s, fraction) = text.split_once('.').map_or((text, ""), |(s, fraction)| (s, fraction));
    if text.ends_with('.') {
        return None;
    }
    i64::try_from(sign * (i128::from(number(s, 12)?) * NS_PER_S + i128::from(fraction_ns(fraction)?))).ok()
}

/// mc's `seconds#nanoseconds`.
pub(super) fn from_hash(text: &str) -> Option<i64> {
    let Some((s, ns)) = text.split_once('#') else { return from_decimal(text) };
    let whole = i128::from(from_decimal(s)?);
    let ns = number(ns, 9)?;
    i64::try_from(whole + i128::from(ns)).ok()
}

/// Nanoseconds followed by `ns`.
pub(super) fn from_ns(text: &str) -> Option<i64> {
    text.strip_suffix("ns")?.parse().ok()
}

/// `2023-11-14T22:13:20.123456789+01:00`.
pub(super) fn from_rfc3339(text: &str) -> Option<i64> {
    let (date, time) = text.split_at_checked(10)?;
    let [year, month, day] = three(date, '-')?;
    let time = time.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = time.split_at_checked(8)?;
    let [hour, minute, second] = three(clock, ':')?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
    };
    if rest.starts_with('.') && fraction.is_empty() {
        return None;
    }
    let leap_february = 28 + i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let days = match month {
        2 => leap_february,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let s = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_s(zone)?;
    i64::try_from(i128::from(s) * NS_PER_S + i128::from(fraction_ns(fraction)?)).ok()
}

fn offset_s(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, clock) = match zone.split_at_checked(1)? {
        ("+", clock) => (1, clock),
        ("-", clock) => (-1, clock),
        _ => return None,
    };
    let (hours, minutes) = clock.split_once(':')?;
    let (hours, minutes) = (exact(hours, 2)?, exact(minutes, 2)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Three numbers of four or two, two and two digits.
fn three(text: &str, between: char) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let first = parts.next()?;
    let numbers = [exact(first, text.len() - 6)?, exact(parts.next()?, 2)?, exact(parts.next()?, 2)?];
    parts.next().is_none().then_some(numbers)
}

fn exact(text: &str, digits: usize) -> Option<i64> {
    if text.len() == digits { number(text, digits) } else { None }
}

/// At most `digits` decimal digits, and no sign.
fn number(text: &str, digits: usize) -> Option<i64> {
    let fits = !text.is_empty() && text.len() <= digits && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

fn fraction_ns(digits: &str) -> Option<i64> {
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.bytes().chain(std::iter::repeat(b'0')).take(9).try_fold(0, |ns: i64, b| Some(ns * 10 + i64::from(b - b'0')))
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar. Years
/// begin in March here, so that the leap day is the last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}
