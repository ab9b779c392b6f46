//! Running a case to its fixpoint, and what must hold then.

use crate::carry::{Carrier, Fate};
use crate::random::{Case, Random, is_vouched};
use crate::survey::{Plan, plan};
use crate::world::{Bucket, Clock, Content, Device, Object, key, kind_of, path_of};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use tidelock_core::conflict::is_conflict_name;
use tidelock_core::decide::Change as Side;
use tidelock_core::entry::{Meta, Standing};
use tidelock_core::guard::{Facts, check};
use tidelock_core::names::Kind;
use tidelock_core::path::{Key, RelPath};
use tidelock_core::plan::{Action, Step};
use tidelock_core::policy::{Deletes, Drift, Flow, OnConflict, Policy};
use tidelock_core::sight::comparable;

/// More rounds than this is for ever.
pub const ROUNDS: usize = 200;

/// What a run to the fixpoint left over.
#[derive(Debug, Default)]
pub struct Settled {
    pub rounds: usize,
    /// What the last round could or would not do.
    pub left: Vec<(Step, Fate)>,
}

/// Plans and carries out until nothing is done any more.
pub fn settle(
    device: &mut Device,
    bucket: &mut Bucket,
    clock: &mut Clock,
    policy: &Policy,
    random: &mut Random,
    crashes: &[u32],
) -> Result<Settled, String> {
    let mut crashes = crashes.iter();
    for rounds in 1..=ROUNDS {
        let planned = plan(device, bucket, policy);
        guard(&planned, policy)?;
        let fuel = crashes.next().copied();
        let mut carrier = Carrier::new(device, bucket, clock, policy, random, fuel);
        let crashed = carrier.run(&planned).is_err();
        let fates = std::mem::take(&mut carrier.fates);
        clock.now += 10;
        let worked = |(_, fate): &(Step, Fate)| matches!(fate, Fate::Done | Fate::Again | Fate::Stale);
        if !crashed && !fates.iter().any(worked) {
            return Ok(Settled { rounds, left: fates });
        }
        if rounds == ROUNDS {
            return Err(format!("no fixpoint; the last round still did {}", told(&fates)));
        }
    }
    unreachable!("the last round returns")
}

/// The guard stops exactly what a disaster looks like; here a person confirms.
fn guard(planned: &Plan, policy: &Policy) -> Result<(), String> {
    let totals = planned.totals;
    let facts =
        Facts { flow: policy.flow, totals, recent_deletes: 0, max_delete: None, has_turned: false, confirmed: false };
    let deletes = totals.deletes_here + totals.deletes_there;
    let counted = planned
        .steps
        .iter()
        .filter(|planned| matches!(planned.step.action, Action::DeleteHere | Action::DeleteThere))
        .count();
    if u64::try_from(counted) != Ok(deletes) {
        return Err(format!("the totals count {deletes} deletions of {counted}"));
    }
    let everything = deletes > 0 && deletes >= totals.agreed.max(totals.there);
    if everything && check(&facts).is_ok() {
        return Err("the guard let everything be deleted".into());
    }
    check(&Facts { confirmed: true, ..facts }).map_err(|stop| stop.to_string())
}

pub fn told(fates: &[(Step, Fate)]) -> String {
    let mut text = String::new();
    for (step, fate) in fates {
        let _ = write!(text, "\n    {} {} [{}] {fate:?}", step.action.name(), step.key, step.row);
    }
    text
}

/// Both sides, the base and the plan, for a person to read.
pub fn shown(case: &Case) -> String {
    let mut text = format!("seed {}\n  policy {:?}\n  crashes {:?}\n", case.seed, case.policy, case.crashes);
    show(&mut text, &case.device, &case.bucket);
    let planned = plan(&case.device, &case.bucket, &case.policy);
    for planned in &planned.steps {
        let Step { action, key, row, .. } = &planned.step;
        let _ = writeln!(text, "  plan  {} {key} [{row}] chain {:?}", action.name(), planned.chain);
    }
    text
}

pub fn show(text: &mut String, device: &Device, bucket: &Bucket) {
    for (key, row) in &device.base {
        let here = row.here.as_ref().map(|half| (half.stamp.file_id.inode, half.racy));
        let there = row.there.as_ref().map(|half| half.stamp.etag.as_str());
        let digest = row.digest.map(|digest| u32::from_be_bytes([digest.0[0], digest.0[1], digest.0[2], digest.0[3]]));
        let moved = row.moved_to.as_ref();
        let _ = writeln!(
            text,
            "  base  {key}: {:?} content {digest:?} file {here:?} object {there:?} moved {moved:?}",
            row.standing
        );
    }
    for (path, node) in &device.disk {
        let _ = writeln!(
            text,
            "  here  {path}: {:?} {} mode {:o} file {} at {}",
            node.kind, node.content, node.mode, node.id, node.change
        );
    }
    for (key, object) in &bucket.objects {
        let _ = writeln!(
            text,
            "  there {key}: {} etag {} digest {} attempt {:?}",
            object.content, object.etag, object.digest, object.attempt
        );
    }
    if !device.holes.is_empty() || !device.excluded.is_empty() {
        let _ = writeln!(text, "  holes {:?}, excluded {:?}", device.holes, device.excluded);
    }
}

/// Runs a case and holds it against every law.
pub fn judge(case: &Case) -> Result<Settled, String> {
    let Case { policy, device, bucket, clock, crashes, .. } = case;
    let (mut after, mut there, mut time) = (device.clone(), bucket.clone(), clock.clone());
    let mut random = Random(case.seed ^ 0x5eed);
    let settled = settle(&mut after, &mut there, &mut time, policy, &mut random, crashes)?;
    let ended =
        Ended { policy, before: (device, bucket), after: (&after, &there), settled: &settled, resumed: case.resumed };
    let broken = ended.laws();
    if broken.is_empty() {
        return Ok(settled);
    }
    let mut text =
        format!("{}\n  left over:{}\nafter {} rounds\n", broken.join("\n"), told(&settled.left), settled.rounds);
    show(&mut text, &after, &there);
    Err(text)
}

/// A run that is over.
pub struct Ended<'a> {
    pub policy: &'a Policy,
    pub before: (&'a Device, &'a Bucket),
    pub after: (&'a Device, &'a Bucket),
    pub settled: &'a Settled,
    /// Another run came before.
    pub resumed: bool,
}

impl Ended<'_> {
    pub fn laws(&self) -> Vec<String> {
        let mut broken = Vec::new();
        self.source_is_never_written(&mut broken);
        self.changed_content_lives(&mut broken);
        self.keep_keeps(&mut broken);
        self.agreement_is_recorded(&mut broken);
        self.nothing_is_invented(&mut broken);
        self.unseen_places_are_untouched(&mut broken);
        self.deletions_are_passed_on(&mut broken);
        self.mirror_is_equal(&mut broken);
        self.two_way_is_equal(&mut broken);
        self.metadata_follows(&mut broken);
        broken
    }

    fn is_unseen(&self, path: &RelPath) -> bool {
        let device = self.after.0;
        device.is_in_hole(path) || device.holes.contains(path) || device.is_excluded(path)
    }

    fn source_is_never_written(&self, broken: &mut Vec<String>) {
        if self.policy.flow == Flow::Up && self.before.0.disk != self.after.0.disk {
            broken.push("a flow up wrote the folder".into());
        }
        if self.policy.flow == Flow::Down && self.before.1.objects != self.after.1.objects {
            broken.push("a flow down wrote the bucket".into());
        }
    }

    fn lives(&self) -> BTreeSet<Content> {
        let (device, bucket) = self.after;
        device.disk.values().map(|node| node.content).chain(bucket.objects.values().map(|at| at.content)).collect()
    }

    fn changed_content_lives(&self, broken: &mut Vec<String>) {
        let named = matches!(self.policy.conflict, OnConflict::Local | OnConflict::Remote | OnConflict::Newer);
        if self.policy.drift == Drift::Overwrite || named {
            return;
        }
        let lives = self.lives();
        let (device, bucket) = self.before;
        let here = device.disk.iter().map(|(path, node)| (key(path, node.kind), node.content));
        // What this device wrote itself is what its file came after.
        let own = |key: &Key, object: &Object| {
            let attempt = object.attempt.as_ref();
            attempt.is_some_and(|attempt| attempt.device == device.number && attempt.key == *key)
        };
        let foreign = bucket.objects.iter().filter(|(key, object)| !own(key, object));
        let there = foreign.map(|(key, object)| (key.clone(), object.content));
        for (key, content) in here.chain(there) {
            if kind_of(&key) != Kind::Dir && !is_vouched(device, &key, content) && !lives.contains(&content) {
                broken.push(format!("{key}: {content} was changed and is gone"));
            }
        }
    }

    fn keep_keeps(&self, broken: &mut Vec<String>) {
        if self.policy.deletes == Deletes::Propagate {
            return;
        }
        let (device, bucket) = self.after;
        for (key, object) in &self.before.1.objects {
            let moved =
                kind_of(key) != Kind::Dir && bucket.objects.values().any(|other| other.content == object.content);
            if !bucket.objects.contains_key(key) && !moved {
                broken.push(format!("{key}: Keep deleted the object {}", object.content));
            }
        }
        for (path, node) in &self.before.0.disk {
            let aside = node.kind != Kind::Dir && device.disk.values().any(|other| other.content == node.content);
            if !device.disk.contains_key(path) && !aside {
                broken.push(format!("{path}: Keep deleted the file {}", node.content));
            }
        }
    }

    fn agreement_is_recorded(&self, broken: &mut Vec<String>) {
        let (device, bucket) = self.after;
        for (path, node) in device.disk.iter().filter(|(path, _)| !self.is_unseen(path)) {
            let key = key(path, node.kind);
            let Some(object) = bucket.objects.get(&key).filter(|object| object.content == node.content) else {
                continue;
            };
            let row = device.base.get(&key);
            let knows = row.is_some_and(|row| {
                row.standing == Standing::Agreed
                    && row.moved_to.is_none()
                    && row.there.as_ref().is_some_and(|half| half.stamp == object.stamp())
                    && row.here.as_ref().is_some_and(|half| node.kind == Kind::Dir || half.stamp == node.stamp())
            });
            if !knows && self.is_provable(&key, node.content) && !self.is_left_unread(&key) {
                broken.push(format!("{key}: both hold {}, which is not on record", node.content));
            }
        }
        for (key, row) in device.base.iter().filter(|(key, _)| !self.is_unseen(&path_of(key))) {
            let present = device.disk.get(&path_of(key)).is_some_and(|node| node.kind == kind_of(key));
            let below = kind_of(key) == Kind::Dir && present;
            if !present && !bucket.objects.contains_key(key) && !below {
                broken.push(format!("{key}: a row of {:?} for what neither side holds", row.standing));
            }
        }
    }

    /// What the flow leaves alone anyway is not looked at to see whether it is the
    /// same bytes under another stamp.
    fn is_left_unread(&self, key: &Key) -> bool {
        self.settled.left.iter().any(|(step, fate)| {
            step.key == *key && *fate == Fate::Left && (step.row.here, step.row.there) == (Side::Same, Side::Changed)
        })
    }

    fn is_provable(&self, key: &Key, content: Content) -> bool {
        let bucket = self.after.1;
        bucket.md5 || bucket.objects.get(key).is_some_and(|object| object.digest && object.content == content)
    }

    fn nothing_is_invented(&self, broken: &mut Vec<String>) {
        let meant = |key: &Key, content: Content| {
            let (device, bucket) = self.before;
            let path = path_of(key);
            is_conflict_name(path.name())
                || bucket.objects.get(key).is_some_and(|object| object.content == content)
                || device.disk.get(&path).is_some_and(|node| node.kind == kind_of(key) && node.content == content)
        };
        for (key, object) in &self.after.1.objects {
            if !meant(key, object.content) && kind_of(key) != Kind::Dir {
                broken.push(format!("{key}: {} was never meant for this key", object.content));
            }
        }
        for (path, node) in self.after.0.disk.iter().filter(|(_, node)| node.kind != Kind::Dir) {
            if !meant(&key(path, node.kind), node.content) {
                broken.push(format!("{path}: {} was never meant for this path", node.content));
            }
        }
    }

    fn unseen_places_are_untouched(&self, broken: &mut Vec<String>) {
        for (path, node) in self.before.0.disk.iter().filter(|(path, _)| self.is_unseen(path)) {
            if self.after.0.disk.get(path) != Some(node) {
                broken.push(format!("{path}: what was not looked at here has changed"));
            }
        }
        for (key, object) in &self.before.1.objects {
            if self.is_unseen(&path_of(key)) && self.after.1.objects.get(key) != Some(object) {
                let hidden_under_another_kind =
                    self.before.0.holes.contains(&path_of(key)) && kind_of(key) != Kind::Dir;
                if !hidden_under_another_kind {
                    broken.push(format!("{key}: what was not looked at there has changed"));
                }
            }
        }
    }

    fn deletions_are_passed_on(&self, broken: &mut Vec<String>) {
        if self.policy.deletes == Deletes::Keep || self.policy.flow == Flow::Down {
            return;
        }
        let (device, bucket) = self.before;
        for (key, row) in device.base.iter().filter(|(key, row)| {
            row.standing == Standing::Agreed && kind_of(key) != Kind::Dir && !self.is_unseen(&path_of(key))
        }) {
            let gone = device.disk.get(&path_of(key)).is_none_or(|node| node.kind != kind_of(key));
            let same = bucket
                .objects
                .get(key)
                .is_some_and(|object| row.there.as_ref().is_some_and(|half| half.stamp.same_content(&object.stamp())));
            // A name aside may be wanted again, for the same bytes.
            let aside = is_conflict_name(path_of(key).name());
            if gone && same && !aside && self.after.1.objects.contains_key(key) {
                broken.push(format!("{key}: it was deleted here and is there still"));
            }
        }
    }

    fn mirror_is_equal(&self, broken: &mut Vec<String>) {
        let Policy { flow, deletes, drift, .. } = *self.policy;
        let mirrors = (flow, deletes, drift) == (Flow::Up, Deletes::Propagate, Drift::Overwrite);
        if mirrors {
            self.compare_sides(broken, |key| self.is_pruned(key));
        }
    }

    fn two_way_is_equal(&self, broken: &mut Vec<String>) {
        let Policy { flow, deletes, conflict, .. } = *self.policy;
        let lasting = matches!(conflict, OnConflict::KeepBoth | OnConflict::Local | OnConflict::Remote);
        if flow != Flow::Both || deletes == Deletes::Keep || !lasting {
            return;
        }
        // What has no place on a disk beside another kind stays where it is.
        let blocked: BTreeSet<&Key> =
            self.settled.left.iter().filter(|(_, fate)| *fate == Fate::Blocked).map(|(step, _)| &step.key).collect();
        self.compare_sides(broken, |key| blocked.contains(key) || self.is_pruned(key));
    }

    fn is_pruned(&self, key: &Key) -> bool {
        self.after.0.base.get(key).is_some_and(|row| row.standing == Standing::Pruned)
    }

    /// Where one side is made exactly like the other, a change of metadata since both
    /// agreed on it does not stay: what each half of the record says is what is so.
    fn metadata_follows(&self, broken: &mut Vec<String>) {
        let (device, bucket) = self.after;
        if self.policy.flow != Flow::Both && self.policy.drift == Drift::Leave {
            return;
        }
        for (path, node) in device.disk.iter().filter(|(path, _)| !self.is_unseen(path)) {
            let key = key(path, node.kind);
            let (Some(row), Some(object)) = (device.base.get(&key), bucket.objects.get(&key)) else { continue };
            // What was made anew has the metadata of what it was made from.
            if self.before.0.disk.get(path).is_none_or(|before| before.id != node.id) {
                continue;
            }
            let is_left = self.settled.left.iter().any(|(step, _)| step.key == key);
            if row.standing != Standing::Agreed || object.content != node.content || is_left {
                continue;
            }
            let differs = |now: &Meta, then: &Meta| comparable(now, node.kind).differs(&comparable(then, node.kind));
            let here = row.here.as_ref().is_some_and(|half| differs(&node.meta(), &half.meta));
            let there = row.there.as_ref().and_then(|half| half.meta.as_ref());
            let there = object.meta.as_ref().is_some_and(|now| there.is_some_and(|then| differs(now, then)));
            // The reply to a write tells no time, so that a change of metadata alone
            // between it and the next listing cannot be seen.
            let then = self.before.0.base.get(&key).and_then(|row| row.there.as_ref());
            let unseen = then.is_some_and(|half| half.stamp.modified_s.is_none());
            let unseen = unseen || self.resumed && bucket.md5;
            if here || there && !unseen {
                broken.push(format!("{key}: its metadata changed here {here}, there {there}, and stayed"));
            }
        }
    }

    fn compare_sides(&self, broken: &mut Vec<String>, excused: impl Fn(&Key) -> bool) {
        let (device, bucket) = self.after;
        for (path, node) in device.disk.iter().filter(|(path, _)| !self.is_unseen(path)) {
            let key = key(path, node.kind);
            let there = bucket.objects.get(&key).map(|object| object.content);
            let known = device.base.get(&key).is_some_and(|row| row.standing == Standing::Known);
            let implied = node.kind == Kind::Dir;
            if there != Some(node.content) && !implied && !known && !excused(&key) {
                broken.push(format!("{key}: {} here, {there:?} there", node.content));
            }
            let empty = !device.has_children(path);
            let below = || bucket.objects.keys().any(|other| other.as_str().starts_with(key.as_str()));
            if implied && empty && !below() && !excused(&key) {
                broken.push(format!("{key}: an empty folder has no marker"));
            }
        }
        for key in bucket.objects.keys().filter(|key| !self.is_unseen(&path_of(key))) {
            let here = device.disk.get(&path_of(key)).filter(|node| node.kind == kind_of(key));
            if here.is_none() && !excused(key) {
                broken.push(format!("{key}: there, and not here"));
            }
        }
    }
}
