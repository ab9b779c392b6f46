//! How long the trash keeps what was put there.
//!
//! What a run put aside goes together, as one [`Lot`]. A lot leaves when all of it
//! has lain there for [`KEEP_S`]; or before, the oldest first, while the trash takes
//! more than its share of the disk, but never within a day: a person must have the
//! time to notice. What is removed, and what a clock is worth, is not known here.

/// How long everything is kept if there is room: 30 days, in seconds.
pub const KEEP_S: i64 = 30 * DAY_S;
/// How long everything is kept whatever it takes, in seconds.
pub const KEEP_AT_LEAST_S: i64 = DAY_S;
/// The trash may take one byte in so many of the disk.
const SHARE: u64 = 10;
const DAY_S: i64 = 24 * 3600;
/// A clock that the place's own is further from than this, in milliseconds, is not
/// believed to tell how long anything has lain somewhere.
const SKEW_MAX_MS: i64 = 5 * 60 * 1000;

/// What time it is for the trash, in seconds since 1970: by our clock, in milliseconds,
/// corrected by how far the place's is ahead of it. None where nothing vouches for it.
pub fn trusted_now_s(now_ms: i64, skew_ms: Option<i64>) -> Option<i64> {
    let skew_ms = skew_ms.filter(|skew_ms| skew_ms.abs() <= SKEW_MAX_MS)?;
    Some(now_ms.saturating_add(skew_ms) / 1000)
}

/// Whether a trash last looked through at `looked_at_s` is looked through again: once a
/// day, and when time has gone back.
pub fn is_due(looked_at_s: i64, now_s: i64) -> bool {
    !(0..DAY_S).contains(&now_s.saturating_sub(looked_at_s))
}

/// What one run put into the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// The run.
    pub name: String,
    /// When a clock that can be trusted first saw it there, in seconds since 1970.
    pub seen_s: i64,
    /// How much it takes.
    pub size_bytes: u64,
}

/// The lots that leave, at `now_s`, from a disk of so many bytes.
pub fn leaving(mut lots: Vec<Lot>, now_s: i64, disk_bytes: u64) -> Vec<Lot> {
    lots.sort_by(|a, b| (a.seen_s, &a.name).cmp(&(b.seen_s, &b.name)));
    let mut total_bytes = lots.iter().fold(0_u64, |sum, lot| sum.saturating_add(lot.size_bytes));
    lots.retain(|lot| {
        let age_s = now_s.saturating_sub(lot.seen_s);
        let is_crowded = total_bytes > disk_bytes / SHARE;
        let leaves = age_s >= KEEP_S || (is_crowded && age_s >= KEEP_AT_LEAST_S);
        if leaves {
            total_bytes -= lot.size_bytes;
        }
        leaves
    });
    lots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lots(list: &[(i64, u64)]) -> Vec<Lot> {
        let lot = |(index, (days_ago, size_bytes)): (usize, &(i64, u64))| Lot {
            name: index.to_string(),
            seen_s: -days_ago * DAY_S,
            size_bytes: *size_bytes,
        };
        list.iter().enumerate().map(lot).collect()
    }

    fn names(list: &[(i64, u64)], disk_bytes: u64) -> Vec<String> {
        leaving(lots(list), 0, disk_bytes).into_iter().map(|lot| lot.name).collect()
    }

    #[test]
    fn a_clock_that_nothing_vouches_for_tells_nothing() {
        assert_eq!(trusted_now_s(10_000, None), None);
        assert_eq!(trusted_now_s(10_000, Some(SKEW_MAX_MS + 1)), None);
        assert_eq!(trusted_now_s(10_000, Some(-SKEW_MAX_MS)), Some(-290));
    }

    #[test]
    fn once_a_day_is_often_enough() {
        assert!(!is_due(5, 5) && !is_due(5, 4 + DAY_S) && is_due(5, 5 + DAY_S));
        assert!(is_due(5, 4), "time went back");
    }

    #[test]
    fn a_month_is_kept_if_there_is_room() {
        assert_eq!(names(&[(29, 1), (30, 1), (0, 1), (400, 1)], 1_000), ["3", "1"]);
    }

    #[test]
    fn the_oldest_leave_first_when_the_trash_takes_its_tenth() {
        assert_eq!(names(&[(2, 60), (3, 30), (4, 30)], 1_000), ["2"]);
        assert_eq!(names(&[(2, 60), (3, 30), (4, 30)], 100), ["2", "1", "0"]);
        assert_eq!(names(&[(2, 60), (3, 40)], 1_000), [""; 0], "a tenth and no more");
    }

    #[test]
    fn a_day_is_kept_whatever_it_takes() {
        assert_eq!(names(&[(0, u64::MAX), (1, 5)], 10), ["1"]);
        let from_the_future = vec![Lot { name: "x".to_owned(), seen_s: i64::MAX, size_bytes: u64::MAX }];
        assert_eq!(leaving(from_the_future, i64::MIN, 0), []);
    }
}
