//! Two writers behind bad networks, by the thousand: what was called done was
//! done, once, and nothing that was current went unseen.

use super::*;
use crate::testing::faults::Seeded;
use crate::world::Rng as _;
use std::collections::BTreeMap;

/// Per body, each unique: the key, what it was to replace, and what was told.
type Told = BTreeMap<String, (Key, Option<Vec<u8>>, Option<ErrorKind>)>;

/// What one schedule came to.
struct Tally {
    done: usize,
    lost: usize,
    open: usize,
}

fn schedule(seed: u64) -> Tally {
    let (world, hand) = world(seed);
    let memory = Memory::new(Profile::versioned().tiny(), world.clone());
    let devices: Vec<_> = (0..2)
        .map(|_| {
            let chooser = Arc::new(Seeded::new(hand.clone(), 2 + seed % 3));
            let faulty = Arc::new(Faulty::new(Arc::new(memory.clone()), chooser, Arc::new(Ajar)));
            let backoff = Backoff { attempts: 2 + u32::from(seed.is_multiple_of(2)) * 6, ..Backoff::default() };
            let retry = Retry::new(faulty.clone(), backoff, Arc::default(), Arc::default(), world.clone());
            (faulty, retry)
        })
        .collect();
    let mut told = Told::new();
    for step in 0..12_u32 {
        let (_, retry) = &devices[(hand.next_u64() % 2) as usize];
        let name = ["a", "b"][(hand.next_u64() % 2) as usize];
        let body = format!("{step:04}{}", "x".repeat((hand.next_u64() % 60) as usize));
        let seen = memory.snapshot().get(&key(name)).cloned();
        // Now and then somebody else comes between.
        if hand.next_u64().is_multiple_of(5) {
            memory.write(&key(name), format!("foreign {step}"), ObjectMeta::default());
        }
        let condition = seen.as_ref().map_or(Condition::Absent, |seen| Condition::Matches(seen.2.clone()));
        let request = attempt(name, &body, condition, &format!("r/{step}"));
        let result = block_on(retry.put(&request, &Unwatched));
        if let Ok(stored) = &result {
            let now = memory.snapshot();
            // Nobody runs between the answer and this look.
            assert!(stored.stamp.same_content(&now[&key(name)].2), "seed {seed}: told of another object");
        }
        if kind(result.clone()) == Some(ErrorKind::Precondition) {
            let now = memory.snapshot();
            let there = now.get(&key(name)).map(|object| object.0.as_slice());
            assert_ne!(there, Some(body.as_bytes()), "seed {seed}: called lost, and there");
        }
        told.insert(body, (key(name), seen.map(|seen| seen.0), kind(result)));
    }
    for (faulty, _) in &devices {
        block_on(faulty.flush_late());
    }
    check(seed, &memory, &told)
}

fn check(seed: u64, memory: &Memory, told: &Told) -> Tally {
    let mut tally = Tally { done: 0, lost: 0, open: 0 };
    for (body, (key, replaced, failure)) in told {
        let history = memory.history(key);
        let places: Vec<usize> =
            (0..history.len()).filter(|place| history[*place].as_deref() == Some(body.as_bytes())).collect();
        match failure {
            None => {
                assert_eq!(places.len(), 1, "seed {seed}: {body:?} was done {} times", places.len());
                tally.done += 1;
            }
            Some(ErrorKind::Precondition) => tally.lost += 1,
            Some(_) => tally.open += 1,
        }
        assert!(places.len() <= 1, "seed {seed}: {body:?} was applied twice");
        for place in places {
            let before = place.checked_sub(1).and_then(|before| history[before].clone());
            assert_eq!(&before, replaced, "seed {seed}: {body:?} replaced what it had not seen");
        }
    }
    tally
}

#[test]
fn done_is_done_once_and_over_nothing_unseen() {
    let mut total = Tally { done: 0, lost: 0, open: 0 };
    for seed in 0..1_500 {
        let tally = schedule(seed);
        total.done += tally.done;
        total.lost += tally.lost;
        total.open += tally.open;
    }
    println!("{} done, {} lost, {} open", total.done, total.lost, total.open);
    assert!(total.done > total.lost && total.lost > 0 && total.open > 0, "the schedules try nothing");
}
