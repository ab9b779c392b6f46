//! Random worlds from a seed: a tree in step on both sides, then what people did to
//! it here and there.

use crate::carry::Carrier;
use crate::survey::plan;
use crate::world::{
    Attempt, Bucket, Clock, Content, DIR_MODE, Device, FILE_MODE, NOTHING, Object, agreed, digest_of, key, kind_of,
    path,
};
use std::collections::BTreeSet;
use tidelock_core::entry::{Meta, Standing};
use tidelock_core::names::Kind;
use tidelock_core::path::{Key, RelPath};
use tidelock_core::policy::{Compare, Deletes, Drift, Flow, OnConflict, Policy, Preset};

/// A generator that is the same everywhere (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).expect("small")).expect("small")
    }

    pub fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// Everything a case starts from.
#[derive(Debug, Clone)]
pub struct Case {
    pub seed: u64,
    pub policy: Policy,
    pub device: Device,
    pub bucket: Bucket,
    pub clock: Clock,
    /// After how many effects the process dies, once for each.
    pub crashes: Vec<u32>,
    /// Another run came before.
    pub resumed: bool,
}

/// All combinations of the knobs.
pub fn policies() -> Vec<Policy> {
    use OnConflict::{KeepBoth, Local, Newer, Remote, Report};
    let mut all = Vec::new();
    for flow in [Flow::Up, Flow::Down, Flow::Both] {
        for deletes in [Deletes::Keep, Deletes::Propagate] {
            for drift in [Drift::Leave, Drift::Overwrite] {
                for conflict in [Report, KeepBoth, Local, Remote, Newer] {
                    all.push(Policy { flow, deletes, drift, conflict, compare: Compare::Digest });
                }
            }
        }
    }
    all
}

pub fn some_path(random: &mut Random) -> RelPath {
    const NAMES: [&str; 5] = ["a", "b", "a.b", "c", "a-"];
    let depth = [1, 1, 2, 2, 3][random.below(5)];
    let names: Vec<&str> = (0..depth).map(|_| NAMES[random.below(NAMES.len())]).collect();
    path(&names.join("/"))
}

fn some_kind(random: &mut Random) -> Kind {
    random.pick(&[Kind::File, Kind::File, Kind::File, Kind::Dir, Kind::Link])
}

fn content_for(kind: Kind, clock: &mut Clock) -> Content {
    if kind == Kind::Dir { NOTHING } else { clock.content() }
}

/// A case of one device.
pub fn case(seed: u64) -> Case {
    let mut random = Random(seed);
    let policy = if random.one_in(2) { random.pick(&Preset::ALL).policy() } else { random.pick(&policies()) };
    let mut clock = Clock::default();
    let mut bucket = Bucket { md5: random.one_in(2), ..Bucket::default() };
    let mut device = Device::new(1);
    in_step(&mut device, &mut bucket, &mut clock, &mut random);
    if random.one_in(3) {
        stand(&mut device, &mut bucket, &mut random);
    }
    for _ in 0..random.below(6) {
        happen_here(&mut device, &bucket, &mut clock, &mut random);
    }
    for _ in 0..random.below(5) {
        happen_there(&mut bucket, &device, &mut clock, &mut random);
    }
    if random.one_in(6) {
        let folders: Vec<RelPath> =
            device.disk.iter().filter(|(_, node)| node.kind == Kind::Dir).map(|(path, _)| path.clone()).collect();
        device.holes = folders.first().cloned().into_iter().collect();
    }
    if random.one_in(6) {
        device.excluded = BTreeSet::from([some_path(&mut random)]);
    }
    let crashes =
        if random.one_in(3) { (0..=random.below(2)).map(|_| below(&mut random, 8)).collect() } else { vec![] };
    clock.now += 10;
    Case { seed, policy, device, bucket, clock, crashes, resumed: false }
}

/// A case whose first run died, after which people went on.
pub fn case_after_a_crash(seed: u64) -> Case {
    let mut case = case(seed);
    let mut random = Random(seed ^ 0xdead);
    let Case { policy, device, bucket, clock, .. } = &mut case;
    let planned = plan(device, bucket, policy);
    let fuel = Some(below(&mut random, 6));
    // It may well end before it could die.
    let _ = Carrier::new(device, bucket, clock, policy, &mut random, fuel).run(&planned);
    clock.now += 10;
    for _ in 0..random.below(4) {
        happen_here(device, bucket, clock, &mut random);
    }
    for _ in 0..random.below(4) {
        happen_there(bucket, device, clock, &mut random);
    }
    clock.now += 10;
    // A folder that cannot be read and was taken away is no hole any more.
    let Device { disk, holes, .. } = device;
    holes.retain(|hole| disk.get(hole).is_some_and(|node| node.kind == Kind::Dir));
    match random.below(4) {
        // A restore goes by the state of the pair as it is.
        0 => *policy = random.pick(&[Preset::Restore, Preset::RestoreOverwrite]).policy(),
        // Another mode lapses what the pair claims.
        1 => {
            *policy = random.pick(&policies());
            let agreed = device.base.values_mut().filter(|row| row.standing == Standing::Agreed);
            agreed.for_each(|row| row.standing = Standing::Lapsed);
        }
        _ => {}
    }
    case.resumed = true;
    case
}

fn below(random: &mut Random, bound: usize) -> u32 {
    u32::try_from(random.below(bound)).expect("small")
}

/// A tree that both sides hold and the base knows.
fn in_step(device: &mut Device, bucket: &mut Bucket, clock: &mut Clock, random: &mut Random) {
    for _ in 0..random.below(8) {
        let kind = some_kind(random);
        let content = content_for(kind, clock);
        device.write(&some_path(random), kind, content, clock);
    }
    clock.now += 10;
    for (path, node) in &device.disk {
        let key = key(path, node.kind);
        if node.kind == Kind::Dir && device.has_children(path) && !random.one_in(4) {
            continue;
        }
        let attempt = (!random.one_in(4)).then(|| Attempt { device: device.number, key: key.clone(), replaced: None });
        let object = Object {
            content: node.content,
            etag: String::new(),
            modified: 0,
            meta: (!random.one_in(6)).then(|| node.meta()),
            digest: node.kind != Kind::Dir && !random.one_in(6),
            attempt,
        };
        let reply = bucket.put(&key, object, clock);
        let mut row = agreed(&key, node, &bucket.objects[&key]);
        if let Some(half) = &mut row.there
            && random.one_in(2)
        {
            half.stamp = reply;
        }
        if let Some(half) = &mut row.here {
            half.racy = random.one_in(6);
        }
        device.base.insert(key, row);
    }
    // What was written right after the stamp was taken shows in the bytes alone.
    for (path, node) in device.disk.iter_mut().filter(|(_, node)| node.kind == Kind::File) {
        let row = device.base.get(&key(path, node.kind)).and_then(|row| row.here.as_ref());
        if row.is_some_and(|half| half.racy) && random.one_in(2) {
            let content = clock.content();
            node.content = if content % 2 == node.content % 2 { content } else { clock.content() };
        }
    }
}

/// Some rows are good for less than agreement.
fn stand(device: &mut Device, bucket: &mut Bucket, random: &mut Random) {
    let keys: Vec<Key> = device.base.keys().cloned().collect();
    let all_lapsed = random.one_in(3);
    for key in keys {
        let Some(row) = device.base.get_mut(&key) else { continue };
        match random.below(6) {
            _ if all_lapsed => row.standing = Standing::Lapsed,
            0 => row.standing = Standing::Lapsed,
            1 if row.kind == Kind::File => {
                row.standing = Standing::Known;
                (row.there, row.digest) = (None, None);
                bucket.objects.remove(&key);
            }
            2 if row.kind == Kind::File => {
                row.standing = Standing::Pruned;
                row.here = None;
                device.disk.remove(&crate::world::path_of(&key));
            }
            _ => {}
        }
    }
}

fn an_entry(device: &Device, random: &mut Random) -> RelPath {
    let paths: Vec<RelPath> = device.disk.keys().cloned().collect();
    if paths.is_empty() || random.one_in(8) { some_path(random) } else { random.pick(&paths) }
}

/// One thing that a person does in the folder.
pub fn happen_here(device: &mut Device, bucket: &Bucket, clock: &mut Clock, random: &mut Random) {
    match random.below(12) {
        0 | 1 => {
            let kind = some_kind(random);
            let content = content_for(kind, clock);
            device.write(&some_path(random), kind, content, clock);
        }
        2 | 3 => edit(device, clock, random),
        4 => {
            let from = an_entry(device, random);
            device.remove(&from);
        }
        5 | 6 => {
            let (from, to) = (an_entry(device, random), some_path(random));
            device.rename(&from, &to, clock);
        }
        7 => {
            // A swap by way of a third name.
            let (one, other, aside) = (an_entry(device, random), an_entry(device, random), path("swap"));
            if !one.is_within(&other) && !other.is_within(&one) {
                device.rename(&one, &aside, clock);
                device.rename(&other, &one, clock);
                device.rename(&aside, &other, clock);
            }
        }
        8 => {
            // A chain: one makes room for the next.
            let (one, two) = (an_entry(device, random), an_entry(device, random));
            let three = some_path(random);
            device.rename(&two, &three, clock);
            device.rename(&one, &two, clock);
        }
        9 => {
            let (at, change) = (an_entry(device, random), clock.tick());
            if let Some(node) = device.disk.get_mut(&at) {
                // An owner's mode is never one that locks the owner out.
                node.mode = if node.kind == Kind::Dir {
                    random.pick(&[DIR_MODE, 0o700])
                } else {
                    random.pick(&[FILE_MODE, 0o600])
                };
                node.change = change;
            }
        }
        10 => {
            let (at, now) = (an_entry(device, random), clock.tick());
            if let Some(node) = device.disk.get_mut(&at).filter(|node| node.kind != Kind::Dir) {
                (node.mtime, node.change) = (now, now);
            }
        }
        _ => {
            // What is there was brought here by other means.
            let found: Vec<(Key, Content)> = bucket.objects.iter().map(|(key, at)| (key.clone(), at.content)).collect();
            if !found.is_empty() {
                let (key, content) = random.pick(&found);
                device.write(&crate::world::path_of(&key), kind_of(&key), content, clock);
            }
        }
    }
}

/// In place or by a new file under the old name; sometimes to the same size.
fn edit(device: &mut Device, clock: &mut Clock, random: &mut Random) {
    let at = an_entry(device, random);
    let content = clock.content();
    let (now, id) = (clock.tick(), clock.id());
    let replaced = random.one_in(2);
    if let Some(node) = device.disk.get_mut(&at).filter(|node| node.kind != Kind::Dir) {
        let same_size = random.one_in(2) && content % 2 != node.content % 2;
        node.content = if same_size { clock.content() } else { content };
        (node.mtime, node.change) = (now, now);
        node.id = if replaced { id } else { node.id };
    }
}

/// One thing that somebody else does in the bucket.
pub fn happen_there(bucket: &mut Bucket, device: &Device, clock: &mut Clock, random: &mut Random) {
    let keys: Vec<Key> = bucket.objects.keys().cloned().collect();
    let some = if keys.is_empty() || random.one_in(4) {
        let kind = some_kind(random);
        key(&some_path(random), kind)
    } else {
        random.pick(&keys)
    };
    match random.below(8) {
        0..=2 => {
            let content = content_for(kind_of(&some), clock);
            let meta =
                random.one_in(2).then(|| Meta { mtime_ns: Some(clock.now), mode: Some(0o640), ..Meta::default() });
            bucket.put_foreign(&some, content, meta, clock);
        }
        3 => drop(bucket.objects.remove(&some)),
        4 => {
            if let Some(object) = bucket.objects.get(&some).cloned() {
                let mode = if kind_of(&some) == Kind::Dir { 0o750 } else { 0o604 };
                let meta = Some(Meta { mode: Some(mode), ..object.meta.clone().unwrap_or_default() });
                bucket.put(&some, Object { meta, ..object }, clock);
            }
        }
        5 => {
            // The same bytes came there by other means.
            let node = device.disk.get(&crate::world::path_of(&some)).filter(|node| node.kind == kind_of(&some));
            if let Some(node) = node {
                bucket.put_foreign(&some, node.content, None, clock);
            }
        }
        6 => {
            // Another of our devices wrote it.
            let content = content_for(kind_of(&some), clock);
            let replaced = bucket.objects.get(&some).map(|object| object.etag.clone());
            let meta = Some(Meta { mtime_ns: Some(clock.now), mode: Some(FILE_MODE), ..Meta::default() });
            let digest = kind_of(&some) != Kind::Dir;
            let attempt = Some(Attempt { device: 9, key: some.clone(), replaced });
            let object = Object { content, etag: String::new(), modified: 0, meta, digest, attempt };
            bucket.put(&some, object, clock);
        }
        _ => {
            let kind = kind_of(&some);
            if let Some(object) = bucket.objects.remove(&some) {
                bucket.put(&key(&some_path(random), kind), object, clock);
            }
        }
    }
}

/// Whether a base row vouches for these bytes, under this key or the one they were
/// moved to.
pub fn is_vouched(device: &Device, key: &Key, content: Content) -> bool {
    let agreed = |key: &Key| {
        let row = device.base.get(key).filter(|row| matches!(row.standing, Standing::Agreed | Standing::Lapsed));
        row.is_some_and(|row| row.digest == Some(digest_of(content)))
    };
    agreed(key) || device.base.get(key).and_then(|row| row.moved_to.as_ref()).is_some_and(agreed)
}
