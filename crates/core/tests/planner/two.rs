//! Two devices on one bare bucket, two-way, by turns.

use crate::laws::{settle, show, told};
use crate::random::{Random, happen_here, happen_there, is_vouched};
use crate::world::{Bucket, Clock, Content, Device, key, kind_of, path_of};
use std::collections::BTreeSet;
use tidelock_core::names::Kind;
use tidelock_core::path::Key;
use tidelock_core::policy::{OnConflict, Policy, Preset};

/// Two devices that agreed with the bucket once, and what happened since.
#[derive(Debug, Clone)]
pub struct Pair {
    seed: u64,
    policy: Policy,
    devices: [Device; 2],
    bucket: Bucket,
    clock: Clock,
}

pub fn pair_of_devices(seed: u64) -> Pair {
    let mut random = Random(seed ^ 0x2_0000_0001);
    let conflict = if random.one_in(4) { OnConflict::Report } else { OnConflict::KeepBoth };
    let policy = Policy { conflict, ..Preset::TwoWay.policy() };
    let mut bucket = Bucket { md5: random.one_in(2), ..Bucket::default() };
    let mut clock = Clock::default();
    let mut devices = [Device::new(1), Device::new(2)];
    for _ in 0..random.below(8) {
        happen_here(&mut devices[0], &bucket, &mut clock, &mut random);
    }
    for device in &mut devices {
        settle(device, &mut bucket, &mut clock, &policy, &mut random, &[]).expect("one side alone settles");
    }
    for device in &mut devices {
        for _ in 0..random.below(4) {
            happen_here(device, &bucket, &mut clock, &mut random);
        }
    }
    for _ in 0..random.below(2) {
        happen_there(&mut bucket, &devices[0], &mut clock, &mut random);
    }
    clock.now += 10;
    Pair { seed, policy, devices, bucket, clock }
}

pub fn shown_pair(pair: &Pair) -> String {
    let mut text = format!("seed {}\n  policy {:?}\n", pair.seed, pair.policy);
    for device in &pair.devices {
        text.push_str(&format!("device {}\n", device.number));
        show(&mut text, device, &pair.bucket);
    }
    text
}

/// By turns until a whole turn of both does nothing; then everybody holds the same.
pub fn judge_pair(pair: &Pair) -> Result<(), String> {
    let mut after = pair.clone();
    let mut random = Random(pair.seed ^ 0x5eed);
    let mut left = Vec::new();
    let mut turns = 0;
    loop {
        turns += 1;
        if turns > 100 {
            return Err(format!("the devices never come to rest:{}", told(&left)));
        }
        let before = (after.devices.clone(), after.bucket.clone());
        left.clear();
        for device in &mut after.devices {
            let crash: Vec<u32> = if turns < 4 && random.one_in(4) {
                vec![u32::try_from(random.below(6)).expect("small")]
            } else {
                vec![]
            };
            let (bucket, clock) = (&mut after.bucket, &mut after.clock);
            left.extend(settle(device, bucket, clock, &pair.policy, &mut random, &crash)?.left);
        }
        let rests = |(one, other): (&Device, &Device)| one.disk == other.disk;
        if before.0.iter().zip(&after.devices).all(rests) && before.1.objects == after.bucket.objects {
            break;
        }
    }
    let mut broken = Vec::new();
    everything_lives(pair, &after, &mut broken);
    let blocked: BTreeSet<Key> = left.iter().map(|(step, _)| step.key.clone()).collect();
    everybody_agrees(&after, &blocked, &mut broken);
    if broken.is_empty() {
        return Ok(());
    }
    Err(format!("{}\n  left over:{}\nafter {turns} turns\n{}", broken.join("\n"), told(&left), shown_pair(&after)))
}

fn everything_lives(before: &Pair, after: &Pair, broken: &mut Vec<String>) {
    let here = after.devices.iter().flat_map(|device| device.disk.values().map(|node| node.content));
    let lives: BTreeSet<Content> = here.chain(after.bucket.objects.values().map(|at| at.content)).collect();
    for device in &before.devices {
        for (path, node) in device.disk.iter().filter(|(_, node)| node.kind != Kind::Dir) {
            if !is_vouched(device, &key(path, node.kind), node.content) && !lives.contains(&node.content) {
                broken.push(format!("device {}: {path}: {} is gone", device.number, node.content));
            }
        }
    }
    for (key, object) in before.bucket.objects.iter().filter(|(key, _)| kind_of(key) != Kind::Dir) {
        let known = before.devices.iter().any(|device| is_vouched(device, key, object.content));
        if !known && !lives.contains(&object.content) {
            broken.push(format!("{key}: {} is gone", object.content));
        }
    }
}

/// All three hold the same, but for what has no place beside another kind.
fn everybody_agrees(after: &Pair, excused: &BTreeSet<Key>, broken: &mut Vec<String>) {
    for device in &after.devices {
        for (path, node) in device.disk.iter().filter(|(_, node)| node.kind != Kind::Dir) {
            let key = key(path, node.kind);
            let there = after.bucket.objects.get(&key).map(|object| object.content);
            if there != Some(node.content) && !excused.contains(&key) {
                broken.push(format!("device {}: {key}: {} here, {there:?} there", device.number, node.content));
            }
        }
        for key in after.bucket.objects.keys() {
            let here = device.disk.get(&path_of(key)).filter(|node| node.kind == kind_of(key));
            if here.is_none() && !excused.contains(key) {
                broken.push(format!("device {}: {key}: there, and not here", device.number));
            }
        }
    }
}
