//! Where it was measured, as the kernel tells it.
//!
//! Reads `/proc` and nothing else. What cannot be read is said to be unknown.

use crate::results::Machine;
use std::fs;
use std::path::Path;

/// This machine, with the file system on which the trees lie.
pub fn this(scratch: &Path) -> Machine {
    let read = |name: &str| fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
    let (cpus, memory) = (read("cpuinfo"), read("meminfo"));
    let scratch = scratch.canonicalize().unwrap_or_default();
    Machine {
        cpu: field(&cpus, "model name").unwrap_or("an unknown processor").to_owned(),
        cores: cpus.lines().filter(|line| line.starts_with("processor")).count(),
        memory: gib(field(&memory, "MemTotal").unwrap_or_default()),
        kernel: read("sys/kernel/osrelease").trim().to_owned(),
        filesystem: filesystem(&read("mounts"), &scratch).unwrap_or("an unknown file system").to_owned(),
    }
}

/// How busy it is: the load averages of one, five and fifteen minutes.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

fn gib(kib: &str) -> String {
    let kib: u64 = kib.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    format!("{} GiB", kib.div_ceil(1 << 20))
}

fn filesystem<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let mounts = mounts.lines().map(|line| line.split(' ').skip(1));
    let of = mounts.filter_map(|mut words| Some((words.next()?, words.next()?)));
    of.filter(|(place, _)| path.starts_with(place)).max_by_key(|(place, _)| place.len()).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_understood() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /dev/shm tmpfs rw 0 0\n/dev/vdb /data/x xfs rw 0 0\n";
        assert_eq!(filesystem(mounts, Path::new("/data/x/y")), Some("xfs"));
        assert_eq!(filesystem(mounts, Path::new("/data/xy")), Some("ext4"));
        assert_eq!(field("a : 1\nmodel name\t: Fast CPU\n", "model name"), Some("Fast CPU"));
        assert_eq!(gib("24657000 kB"), "24 GiB");
    }
}
