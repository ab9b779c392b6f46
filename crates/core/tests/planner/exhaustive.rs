//! Every state of three siblings in three trees, under every preset.

use crate::laws::{judge, shown};
use crate::random::Case;
use crate::world::{Bucket, Clock, Content, Device, NOTHING, Node, agreed, key, path};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use tidelock_core::names::Kind;
use tidelock_core::policy::{Policy, Preset};

const NAMES: [&str; 3] = ["x", "y", "z"];
const STATES: u32 = 4_u32.pow(9);

/// What a name is in one tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Being {
    Absent,
    File(Content),
    Dir,
}

fn being(digit: u32, name: usize) -> Being {
    let first = 10 * u32::try_from(name).expect("three names");
    match digit {
        0 => Being::Absent,
        // Both of one size: only reading tells them apart.
        1 => Being::File(first + 2),
        2 => Being::File(first + 4),
        _ => Being::Dir,
    }
}

fn node(being: Being, clock: &mut Clock) -> Option<Node> {
    let (kind, content) = match being {
        Being::Absent => return None,
        Being::File(content) => (Kind::File, content),
        Being::Dir => (Kind::Dir, NOTHING),
    };
    Some(crate::world::new_node(kind, content, clock))
}

/// State number `index` of all.
fn state(index: u32, policy: Policy) -> Case {
    let mut clock = Clock::default();
    let mut bucket = Bucket { md5: true, ..Bucket::default() };
    let mut device = Device::new(1);
    for (at, name) in NAMES.into_iter().enumerate() {
        let digits = index >> (6 * at);
        let [base, here, there] = [digits & 3, digits >> 2 & 3, digits >> 4 & 3].map(|digit| being(digit, at));
        let path = path(name);
        let then = node(base, &mut clock);
        if let Some(then) = &then {
            let key = key(&path, then.kind);
            bucket.put_foreign(&key, then.content, Some(then.meta()), &mut clock);
            let object = bucket.objects.remove(&key).expect("it was put");
            device.base.insert(key.clone(), agreed(&key, then, &object));
            if base == there {
                bucket.objects.insert(key, object);
            }
        }
        let now = if base == here { then } else { node(here, &mut clock) };
        if let Some(now) = now {
            device.disk.insert(path.clone(), now);
        }
        if let Some(new) = node(there, &mut clock).filter(|_| base != there) {
            bucket.put_foreign(&key(&path, new.kind), new.content, Some(new.meta()), &mut clock);
        }
    }
    clock.now += 10;
    Case { seed: u64::from(index), policy, device, bucket, clock, crashes: Vec::new(), resumed: false }
}

#[test]
fn every_state_of_three_siblings_settles_under_every_preset() {
    const BATCH: u32 = 1024;
    let next = AtomicU32::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        loop {
            let first = next.fetch_add(BATCH, Ordering::Relaxed);
            if first >= STATES || failures.lock().expect("no panic").len() > 3 {
                return;
            }
            for index in first..first + BATCH {
                for preset in Preset::ALL {
                    let case = state(index, preset.policy());
                    if let Err(broken) = judge(&case) {
                        let text = format!("state {index} under {}:\n{broken}\n{}", preset.name(), shown(&case));
                        failures.lock().expect("no panic").push(text);
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().expect("no panic");
    assert!(failures.is_empty(), "{} states failed, such as\n{}", failures.len(), failures[0]);
}
