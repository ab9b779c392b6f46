//! Looking at both sides of the model, as the engine's survey and pairing do: the
//! three streams joined, `sight::look` asked of each key, renames paired.

use crate::world::{Bucket, DIR_MODE, Device, Node, key, kind_of, path_of};
use std::collections::{BTreeMap, BTreeSet};
use tidelock_core::decide::{Change, Row, Sameness};
use tidelock_core::entry::{BaseRow, FileId, LocalEntry, RemoteEntry, Standing};
use tidelock_core::moves::{Departed, Move, order, pair};
use tidelock_core::names::Kind;
use tidelock_core::path::{Key, RelPath};
use tidelock_core::plan::{Action, Phase, Step, ThereSeen, Totals};
use tidelock_core::policy::Policy;
use tidelock_core::sight::{Here, Seen, follows_moves, look};
use tidelock_core::triple::pick;

/// A step, and where it stands in a chain of moves.
#[derive(Debug, Clone)]
pub struct Planned {
    pub step: Step,
    pub arrived: Option<FileId>,
    pub chain: Option<(usize, usize)>,
}

/// A plan.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub steps: Vec<Planned>,
    pub totals: Totals,
    departed: BTreeMap<FileId, Key>,
}

/// What the walk comes upon.
enum Sighting {
    Entry(LocalEntry),
    Hole(Key),
}

impl Sighting {
    fn key(&self) -> &Key {
        match self {
            Self::Entry(entry) => &entry.key,
            Self::Hole(key) => key,
        }
    }
}

fn walk(device: &Device) -> Vec<Sighting> {
    let mut seen: Vec<Sighting> = device
        .disk
        .iter()
        .filter(|(path, _)| !device.is_in_hole(path) && !device.is_excluded(path))
        .map(|(path, node)| sighting(device, path, node))
        .collect();
    seen.sort_by(|a, b| a.key().cmp(b.key()));
    seen
}

fn sighting(device: &Device, path: &RelPath, node: &Node) -> Sighting {
    let key = key(path, node.kind);
    if device.holes.contains(path) {
        return Sighting::Hole(key);
    }
    let visible = |other: &RelPath| other.parent().as_ref() == Some(path) && !device.is_excluded(other);
    let needs_marker = node.kind == Kind::Dir && (node.mode != DIR_MODE || !device.disk.keys().any(visible));
    Sighting::Entry(LocalEntry {
        key,
        path: path.clone(),
        kind: node.kind,
        stamp: node.stamp(),
        meta: node.meta(),
        needs_marker,
    })
}

/// Plans, moves paired.
pub fn plan(device: &Device, bucket: &Bucket, policy: &Policy) -> Plan {
    let sightings = walk(device);
    let there: Vec<(&Key, RemoteEntry)> = bucket
        .objects
        .iter()
        .map(|(key, object)| {
            (key, RemoteEntry { key: key.clone(), stamp: object.stamp(), archived: false, lost: false })
        })
        .collect();
    let base: Vec<&BaseRow> = device.base.values().collect();
    let (mut b, mut h, mut t) = (0, 0, 0);
    let mut plan = Plan::default();
    let mut hole: Option<&Key> = None;
    loop {
        let heads = (base.get(b).map(|row| &row.key), sightings.get(h).map(Sighting::key), there.get(t).map(|at| at.0));
        let Some(picked) = pick(heads.0, heads.1, heads.2) else { break };
        let row = base.get(b).copied().filter(|_| picked.base);
        let here = sightings.get(h).filter(|_| picked.here);
        let object = there.get(t).map(|at| &at.1).filter(|_| picked.there);
        b += usize::from(picked.base);
        h += usize::from(picked.here);
        t += usize::from(picked.there);
        let key = [heads.0.filter(|_| picked.base), heads.1.filter(|_| picked.here), heads.2.filter(|_| picked.there)]
            .into_iter()
            .flatten()
            .next()
            .expect("somebody holds the least key");
        let (path, kind) = (path_of(key), kind_of(key));
        if here.is_none() && device.is_excluded(&path) {
            lapse(&mut plan, row, &path, kind);
            continue;
        }
        if let Some(Sighting::Hole(at)) = here {
            hole = Some(at);
        }
        let in_hole = hole.is_some_and(|hole| key.as_str().starts_with(hole.as_str()));
        let seen = Seen {
            key,
            path: &path,
            kind,
            base: row,
            here: match here {
                Some(Sighting::Entry(entry)) => Here::Present(entry),
                Some(Sighting::Hole(..)) => Here::Hidden,
                None if in_hole => Here::Hidden,
                None => Here::Absent,
            },
            there: object,
            there_below: kind == Kind::Dir
                && there.get(t).is_some_and(|next| next.0.as_str().starts_with(key.as_str())),
        };
        meet(&mut plan, &seen, policy);
    }
    pair_moves(&mut plan, device);
    plan
}

fn lapse(plan: &mut Plan, row: Option<&BaseRow>, path: &RelPath, kind: Kind) {
    let Some(row) = row.filter(|row| row.standing == Standing::Agreed) else { return };
    let unseen =
        Row { standing: Some(Standing::Agreed), here: Change::Same, there: Change::Same, same: Sameness::Unknown };
    let step = Step {
        key: row.key.clone(),
        path: path.clone(),
        kind,
        action: Action::Lapse,
        row: unseen,
        here: None,
        there: None,
    };
    plan.steps.push(Planned { step, arrived: None, chain: None });
}

fn meet(plan: &mut Plan, seen: &Seen<'_>, policy: &Policy) {
    let totals = &mut plan.totals;
    totals.agreed += u64::from(seen.base.is_some_and(|row| row.standing == Standing::Agreed));
    totals.there += u64::from(seen.there.is_some());
    totals.here += match seen.here {
        Here::Present(entry) => u64::from(entry.kind != Kind::Dir || entry.needs_marker || seen.base.is_some()),
        Here::Hidden => u64::from(seen.base.is_some()),
        Here::Absent => 0,
    };
    if !matches!(seen.here, Here::Hidden) {
        note_departure(plan, seen, policy);
    }
    if let Some(step) = look(seen, policy) {
        plan.totals.add(&step);
        plan.steps.push(Planned { arrived: arrived(seen, &step), step, chain: None });
    }
}

fn note_departure(plan: &mut Plan, seen: &Seen<'_>, policy: &Policy) {
    let Some(row) = seen.base else { return };
    let Some(then) = &row.here else { return };
    let id = then.stamp.file_id;
    let stayed = matches!(seen.here, Here::Present(entry) if entry.stamp.file_id == id);
    let usable = matches!(row.standing, Standing::Agreed | Standing::Lapsed)
        && row.kind == Kind::File
        && row.digest.is_some()
        && row.there.is_some()
        && row.moved_to.is_none();
    if !stayed && usable && id.is_trustworthy() && follows_moves(policy) {
        plan.departed.entry(id).or_insert_with(|| row.key.clone());
    }
}

fn arrived(seen: &Seen<'_>, step: &Step) -> Option<FileId> {
    let agreed = seen.base.and_then(|row| row.here.as_ref()).map(|half| half.stamp.file_id);
    let now = step.here.as_ref().map(|here| here.stamp.file_id)?;
    let vouched = step.row.standing == Some(Standing::Agreed) && step.row.there == Change::Same;
    let sends = step.action == Action::Upload || step.action == Action::Compare && vouched;
    (step.kind == Kind::File && sends && Some(now) != agreed && now.is_trustworthy()).then_some(now)
}

/// Steps that would send turned into moves.
fn pair_moves(plan: &mut Plan, device: &Device) {
    let at: BTreeMap<Key, usize> =
        plan.steps.iter().enumerate().map(|(index, planned)| (planned.step.key.clone(), index)).collect();
    let mut found: BTreeMap<Key, Found> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for index in 0..plan.steps.len() {
        let Some(id) = plan.steps[index].arrived else { continue };
        let Some(from) = plan.departed.get(&id).filter(|_| used.insert(id)) else { continue };
        if let Some(action) = consider(plan, device, &at, index, from) {
            let was = plan.steps[index].step.clone();
            plan.totals.take(&was);
            plan.steps[index].step.action = action;
            found.insert(was.key, Found { index, from: from.clone(), was: was.action });
        }
    }
    rewrite(plan, &at, &found);
    for Found { index, .. } in found.values() {
        let step = plan.steps[*index].step.clone();
        plan.totals.add(&step);
    }
}

struct Found {
    index: usize,
    from: Key,
    /// What was planned before.
    was: Action,
}

fn consider(plan: &Plan, device: &Device, at: &BTreeMap<Key, usize>, index: usize, from: &Key) -> Option<Action> {
    let row = device.base.get(from)?;
    let then = row.here.as_ref()?;
    let departed = Departed {
        key: from.clone(),
        stamp: then.stamp,
        racy: then.racy,
        digest: row.digest?,
        object: row.there.as_ref()?.stamp.clone(),
    };
    let proved = pair(&departed, &plan.steps[index].step.here.as_ref()?.stamp)?;
    let edited = at.get(from).is_some_and(|old| {
        plan.steps[*old].step.there.as_ref().is_none_or(|there| !there.stamp.same_content(&departed.object))
    });
    let digest = Some(departed.digest);
    (!edited).then_some(Action::Move { from: departed.key, source: departed.object, digest, proved })
}

fn rewrite(plan: &mut Plan, at: &BTreeMap<Key, usize>, found: &BTreeMap<Key, Found>) {
    let sources: BTreeSet<&Key> = found.values().map(|found| &found.from).collect();
    let mut linked = Vec::new();
    for (to, Found { index, from, .. }) in found {
        let writes = at.get(from).is_some_and(|old| plan.steps[*old].step.action.phase() == Phase::Write);
        if sources.contains(to) || writes {
            let size = plan.steps[*index].step.here.as_ref().map_or(0, |here| here.stamp.size);
            linked.push(Move { from: from.clone(), to: to.clone(), size });
        } else {
            owe(plan, at, from, *index);
        }
    }
    for (chain, links) in order(linked).into_iter().enumerate() {
        for (link, copy) in links.copies.iter().enumerate() {
            plan.steps[found[&copy.to].index].chain = Some((chain, link));
        }
        let upload = links.upload.clone();
        if let Some(key) = &upload {
            // The move that a cycle gives up is what it was before.
            plan.steps[found[key].index].step.action = found[key].was.clone();
        }
        let last = upload.or_else(|| links.copies.last().map(|copy| copy.from.clone()));
        let Some(old) = last.and_then(|key| at.get(&key).copied()) else { continue };
        if plan.steps[old].step.action.phase() == Phase::Write {
            plan.steps[old].chain = Some((chain, links.copies.len()));
        } else if let Some(copy) = links.copies.last() {
            owe(plan, at, &copy.from, found[&copy.to].index);
        }
    }
}

/// What was to happen to the old key becomes the deletion that the move owes.
fn owe(plan: &mut Plan, at: &BTreeMap<Key, usize>, from: &Key, index: usize) {
    let Action::Move { source, .. } = plan.steps[index].step.action.clone() else { return };
    let Some(old) = at.get(from).copied() else { return };
    let before = plan.steps[old].step.clone();
    if before.here.is_some() || before.action.phase() == Phase::Write {
        return;
    }
    plan.totals.take(&before);
    let step = &mut plan.steps[old].step;
    step.action = Action::DeleteMoved;
    step.there = Some(ThereSeen { stamp: source, archived: false, lost: false });
    let after = step.clone();
    plan.totals.add(&after);
}
