//! What is demanded of Tidelock, and whether it is met.
//!
//! A target is a few limits, most of them against the best that any peer did in the same
//! run; absolute times say nothing on another machine. A limit whose rival was not
//! measured is neither met nor missed.

use crate::results::Summary;
use crate::stats::{bytes, three};
use crate::tools::Tool;

/// Against whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rival {
    /// The best of the peers.
    Peers,
    /// One tool.
    Of(Tool),
}

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// At most so many times the rival's wall time.
    Wall(Rival, f64),
    /// At most so many times the rival's CPU time.
    Cpu(Rival, f64),
    /// At most so many seconds.
    WallS(f64),
    /// At most so many microseconds of CPU a file.
    CpuPerFileUs(f64),
    /// At most so much memory.
    RssMib(u64),
    /// At most so many bytes of files sent.
    Sent(u64),
    /// At most so many requests of a kind.
    Requests(&'static str, u64),
}

/// What came of a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What was measured, and the limit.
    pub text: String,
    /// None if there is nothing to hold it against.
    pub met: Option<bool>,
}

impl Limit {
    /// Holds it against what was measured.
    pub fn judge(self, summaries: &[Summary], files: u64) -> Verdict {
        let Some(ours) = summaries.iter().find(|summary| summary.tool == Tool::Tidelock && summary.is_good()) else {
            return Verdict { text: format!("{}: not measured", self.what()), met: None };
        };
        match self {
            Self::Wall(rival, limit) => self.against(ours.wall_s, best(summaries, rival, |it| it.wall_s), limit),
            Self::Cpu(rival, limit) => self.against(ours.cpu_s, best(summaries, rival, |it| it.cpu_s), limit),
            Self::WallS(limit) => {
                self.plain(ours.wall_s <= limit, &format!("{} s", three(ours.wall_s)), &format!("{limit} s"))
            }
            Self::CpuPerFileUs(limit) => {
                #[allow(clippy::cast_precision_loss, reason = "for people")]
                let each = ours.cpu_s * 1e6 / files.max(1) as f64;
                self.plain(each <= limit, &format!("{} µs", three(each)), &format!("{limit} µs"))
            }
            Self::RssMib(limit) => {
                let (found, is_met) = (ours.rss_bytes >> 20, ours.rss_bytes <= limit << 20);
                self.plain(is_met, &format!("{found} MiB"), &format!("{limit} MiB"))
            }
            Self::Sent(limit) => self.plain(ours.stored_bytes <= limit, &bytes(ours.stored_bytes), &bytes(limit)),
            Self::Requests(kind, limit) => {
                let found = ours.requests.get(kind).copied().unwrap_or(0);
                self.plain(found <= limit, &found.to_string(), &limit.to_string())
            }
        }
    }

    fn what(self) -> String {
        match self {
            Self::Wall(..) | Self::WallS(_) => "wall".to_owned(),
            Self::Cpu(..) => "CPU".to_owned(),
            Self::CpuPerFileUs(_) => "CPU a file".to_owned(),
            Self::RssMib(_) => "memory".to_owned(),
            Self::Sent(_) => "sent".to_owned(),
            Self::Requests(kind, _) => kind.to_owned(),
        }
    }

    fn plain(self, met: bool, found: &str, limit: &str) -> Verdict {
        Verdict { text: format!("{} {found} (≤ {limit})", self.what()), met: Some(met) }
    }

    fn against(self, ours: f64, rival: Option<(Tool, f64)>, limit: f64) -> Verdict {
        let Some((tool, theirs)) = rival.filter(|(_, theirs)| *theirs > 0.0) else {
            return Verdict { text: format!("{}: no rival measured", self.what()), met: None };
        };
        let found = ours / theirs;
        let text = format!("{} {} × {} (≤ {})", self.what(), three(found), tool.name(), three(limit));
        Verdict { text, met: Some(found <= limit) }
    }
}

/// The least that a rival needed.
pub fn best(summaries: &[Summary], rival: Rival, of: impl Fn(&Summary) -> f64) -> Option<(Tool, f64)> {
    let is_rival = |tool: Tool| match rival {
        Rival::Peers => tool.is_peer(),
        Rival::Of(other) => tool == other,
    };
    let rivals = summaries.iter().filter(|summary| is_rival(summary.tool) && summary.is_good());
    rivals.map(|summary| (summary.tool, of(summary))).min_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(tool: Tool, wall_s: f64, failed: Option<&str>) -> Summary {
        Summary { tool, runs: 3, wall_s, cpu_s: wall_s, failed: failed.map(str::to_owned), ..Summary::default() }
    }

    #[test]
    fn only_who_did_the_work_is_a_rival() {
        let all = [
            summary(Tool::Tidelock, 1.0, None),
            summary(Tool::S5cmd, 4.0, None),
            summary(Tool::Aws, 0.5, Some("sent half of it")),
            summary(Tool::Find, 0.1, None),
        ];
        assert_eq!(best(&all, Rival::Peers, |it| it.wall_s), Some((Tool::S5cmd, 4.0)));
        let verdict = Limit::Wall(Rival::Peers, 0.25).judge(&all, 1);
        assert_eq!((verdict.text.as_str(), verdict.met), ("wall 0.250 × s5cmd (≤ 0.250)", Some(true)));
        assert_eq!(Limit::Cpu(Rival::Peers, 0.2).judge(&all, 1).met, Some(false));
        assert_eq!(Limit::Wall(Rival::Of(Tool::Find), 1.0).judge(&all, 1).met, Some(false));
        assert_eq!(Limit::Wall(Rival::Of(Tool::S3cmd), 1.0).judge(&all, 1).met, None);
    }

    #[test]
    fn a_failed_run_of_ours_meets_nothing() {
        let all = [summary(Tool::Tidelock, 0.1, Some("exit 1")), summary(Tool::S5cmd, 4.0, None)];
        assert_eq!(Limit::Wall(Rival::Peers, 1.0).judge(&all, 1).met, None);
        assert_eq!(Limit::WallS(1.0).judge(&all, 1).met, None);
    }

    #[test]
    fn limits_of_our_own_need_no_rival() {
        let mut ours = summary(Tool::Tidelock, 0.5, None);
        (ours.rss_bytes, ours.stored_bytes) = (64 << 20, 8_388_608);
        ours.requests.insert("copy".to_owned(), 10_001);
        let all = [ours];
        assert_eq!(Limit::RssMib(64).judge(&all, 1).met, Some(true));
        assert_eq!(Limit::RssMib(63).judge(&all, 1).met, Some(false));
        assert_eq!(Limit::Requests("copy", 10_000).judge(&all, 1).met, Some(false));
        assert_eq!(Limit::Requests("put", 0).judge(&all, 1).met, Some(true));
        assert_eq!(Limit::Sent(8_400_000).judge(&all, 1).met, Some(true));
        assert_eq!(Limit::CpuPerFileUs(50.0).judge(&all, 10_000).text, "CPU a file 50.0 µs (≤ 50 µs)");
    }
}
