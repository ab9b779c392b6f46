//! Carrying a plan out on the model, as the engine's transfer does: phases, chains,
//! a closer look, groups of records. Effects succeed; the order within a phase is
//! shuffled; and the whole may die after any effect.

use crate::random::Random;
use crate::survey::{Plan, Planned};
use crate::world::{Attempt, Bucket, Clock, Content, Device, FILE_MODE, NOTHING, Node, Object, digest_of, key};
use std::collections::BTreeSet;
use tidelock_core::conflict::conflict_path;
use tidelock_core::decide::{Change as Side, Decision, MetaDecision, Row, Sameness, decide, decide_meta};
use tidelock_core::entry::{BaseRow, Digest, LocalHalf, Meta, RemoteHalf, RemoteStamp, Standing};
use tidelock_core::names::Kind;
use tidelock_core::path::{Key, RelPath};
use tidelock_core::plan::{Action, HereSeen, Phase, Step, ThereSeen};
use tidelock_core::policy::{Flow, Policy};
use tidelock_core::sight::{Found, comparable, decide_again, resolve};

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Done.
    Done,
    /// Done, and both sides want another look.
    Again,
    /// Something else was found than planned on.
    Stale,
    /// Another kind of entry is in the way.
    Blocked,
    /// Both changed; nothing was written.
    Conflict,
    /// The policy leaves it.
    Left,
}

/// The process died.
#[derive(Debug)]
pub struct Crash;

type Carried<T = Fate> = Result<T, Crash>;

/// One change of the base.
enum Record {
    Put(Box<BaseRow>),
    Drop(Key),
    Lapse(Key),
    /// The row of a move, and the mark at its source: one transaction.
    Move(Box<BaseRow>, Key),
}

/// One run's hands.
pub struct Carrier<'a> {
    pub device: &'a mut Device,
    pub bucket: &'a mut Bucket,
    pub clock: &'a mut Clock,
    pub policy: &'a Policy,
    pub random: &'a mut Random,
    /// After how many effects the process dies.
    pub fuel: Option<u32>,
    group: Vec<Record>,
    moved: BTreeSet<Key>,
    /// What came of the steps, for the laws and for readable failures.
    pub fates: Vec<(Step, Fate)>,
}

impl<'a> Carrier<'a> {
    pub fn new(
        device: &'a mut Device,
        bucket: &'a mut Bucket,
        clock: &'a mut Clock,
        policy: &'a Policy,
        random: &'a mut Random,
        fuel: Option<u32>,
    ) -> Self {
        Self {
            device,
            bucket,
            clock,
            policy,
            random,
            fuel,
            group: Vec::new(),
            moved: BTreeSet::new(),
            fates: Vec::new(),
        }
    }

    pub fn run(&mut self, plan: &Plan) -> Carried<()> {
        let mut blocked = Vec::new();
        let mut chains: Vec<usize> = plan.steps.iter().filter_map(|planned| planned.chain).map(|at| at.0).collect();
        chains.sort_unstable();
        chains.dedup();
        self.random.shuffle(&mut chains);
        for chain in chains {
            self.chain(plan, chain, &mut blocked)?;
        }
        let mut writes: Vec<&Step> = phase(plan, Phase::Write);
        self.random.shuffle(&mut writes);
        for step in writes {
            let fate = self.carry_out(step)?;
            self.settle(step, fate, &mut blocked);
        }
        self.flush();
        self.deletes(plan)?;
        for step in phase(plan, Phase::None) {
            let fate = self.carry_out(step)?;
            self.fates.push((step.clone(), fate));
        }
        for step in blocked {
            let fate = self.carry_out(&step)?;
            self.fates.push((step, fate));
        }
        self.flush();
        Ok(())
    }

    fn chain(&mut self, plan: &Plan, chain: usize, blocked: &mut Vec<Step>) -> Carried<()> {
        let mut steps: Vec<&Planned> =
            plan.steps.iter().filter(|planned| planned.chain.is_some_and(|at| at.0 == chain)).collect();
        steps.sort_by_key(|planned| planned.chain);
        let mut broken = false;
        for Planned { step, .. } in steps {
            let fate = if broken { Fate::Stale } else { self.carry_out(step)? };
            broken |= !matches!(fate, Fate::Done | Fate::Again | Fate::Left);
            self.settle(step, fate, blocked);
        }
        Ok(())
    }

    fn settle(&mut self, step: &Step, fate: Fate, blocked: &mut Vec<Step>) {
        if fate == Fate::Blocked {
            blocked.push(step.clone());
        } else {
            self.fates.push((step.clone(), fate));
        }
        if self.random.one_in(3) {
            self.flush();
        }
    }

    /// Writes the group: only now does the base know.
    fn flush(&mut self) {
        for record in std::mem::take(&mut self.group) {
            match record {
                Record::Put(row) => drop(self.device.base.insert(row.key.clone(), *row)),
                Record::Drop(key) => drop(self.device.base.remove(&key)),
                Record::Lapse(key) => {
                    if let Some(row) = self.device.base.get_mut(&key) {
                        row.standing = Standing::Lapsed;
                    }
                }
                Record::Move(row, from) => {
                    let to = row.key.clone();
                    self.device.base.insert(to.clone(), *row);
                    if let Some(old) = self.device.base.get_mut(&from) {
                        old.moved_to = Some(to);
                    }
                }
            }
        }
    }

    /// About to change the world: the process may die instead.
    fn effect(&mut self) -> Carried<()> {
        if let Some(fuel) = &mut self.fuel {
            *fuel = fuel.checked_sub(1).ok_or(Crash)?;
        }
        Ok(())
    }

    fn record(&mut self, record: Record) -> Carried {
        self.group.push(record);
        Ok(Fate::Done)
    }

    fn carry_out(&mut self, step: &Step) -> Carried {
        match &step.action {
            Action::Upload => self.upload(step),
            Action::Move { from, source, digest: Some(digest), proved } => {
                self.carry_move(step, from, source, digest, *proved)
            }
            Action::Move { digest: None, .. } => panic!("{}: a move of no known bytes", step.key),
            Action::Download => self.download(step),
            Action::MetaThere => self.meta_there(step),
            Action::MetaHere => self.meta_here(step),
            Action::Compare => self.compare(step),
            Action::KeepBoth | Action::Newer | Action::Conflict if self.is_after_our_own(step) => {
                self.take_as_base(step)
            }
            Action::KeepBoth => self.keep_both(step),
            Action::Newer => self.newer(step),
            Action::Adopt => self.adopt(step),
            Action::Forget => self.record(Record::Drop(step.key.clone())),
            Action::Lapse => self.record(Record::Lapse(step.key.clone())),
            Action::Refresh => self.refresh(step),
            Action::Conflict => Ok(Fate::Conflict),
            Action::Leave | Action::DeleteThere | Action::DeleteMoved | Action::DeleteHere => Ok(Fate::Left),
        }
    }

    /// Whether the folder holds what the step expects under its very key.
    fn check_here(&self, step: &Step) -> Result<(), Fate> {
        let node = self.device.disk.get(&step.path);
        match (&step.here, node) {
            (None, None) => Ok(()),
            (None, Some(node)) if node.kind != step.kind => Err(Fate::Blocked),
            (Some(here), Some(node)) if step.kind == Kind::Dir && node.kind == Kind::Dir => {
                if node.id == here.stamp.file_id.inode { Ok(()) } else { Err(Fate::Stale) }
            }
            (Some(here), Some(node)) if node.stamp() == here.stamp => Ok(()),
            _ => Err(Fate::Stale),
        }
    }

    fn there_as_expected(&self, step: &Step) -> bool {
        let now = self.bucket.objects.get(&step.key);
        match (&step.there, now) {
            (None, None) => true,
            (Some(then), Some(now)) => then.stamp.same_content(&now.stamp()),
            _ => false,
        }
    }

    fn half(&self, node: &Node) -> LocalHalf {
        LocalHalf { stamp: node.stamp(), meta: node.meta(), racy: self.clock.now - node.change < 3 }
    }

    fn row(&self, step: &Step, node: &Node, there: RemoteHalf, digest: Option<Digest>) -> Box<BaseRow> {
        Box::new(BaseRow {
            key: step.key.clone(),
            kind: step.kind,
            standing: Standing::Agreed,
            here: Some(self.half(node)),
            there: Some(there),
            digest,
            moved_to: None,
        })
    }

    fn send(&mut self, step: &Step, content: Content, meta: Meta) -> Carried<RemoteHalf> {
        self.effect()?;
        let replaced = step.there.as_ref().map(|there| there.stamp.etag.clone());
        let object = Object {
            content,
            etag: String::new(),
            modified: 0,
            meta: Some(meta.clone()),
            digest: content != NOTHING,
            attempt: Some(Attempt { device: self.device.number, key: step.key.clone(), replaced }),
        };
        let stamp = self.bucket.put(&step.key, object, self.clock);
        Ok(RemoteHalf { stamp, meta: Some(meta) })
    }

    fn upload(&mut self, step: &Step) -> Carried {
        if step.here.is_none() || self.check_here(step).is_err() || !self.there_as_expected(step) {
            return Ok(Fate::Stale);
        }
        let node = self.device.disk[&step.path].clone();
        let there = self.send(step, node.content, node.meta())?;
        let digest = (node.kind != Kind::Dir).then(|| digest_of(node.content));
        let row = self.row(step, &node, there, digest);
        self.record(Record::Put(row))
    }

    fn carry_move(&mut self, step: &Step, from: &Key, source: &RemoteStamp, digest: &Digest, proved: bool) -> Carried {
        if self.check_here(step).is_err() {
            return Ok(Fate::Stale);
        }
        let node = self.device.disk[&step.path].clone();
        let same = digest_of(node.content) == *digest;
        assert!(same || !proved, "{}: the stamp proved what is not so", step.key);
        let Some(object) = self.bucket.objects.get(from).filter(|object| object.stamp().same_content(source) && same)
        else {
            return self.upload(step);
        };
        assert_eq!(object.content, node.content, "{}: copied from {from}, which holds other bytes", step.key);
        if !self.there_as_expected(step) {
            return self.upload(step);
        }
        let there = self.send(step, node.content, node.meta())?;
        let row = self.row(step, &node, there, Some(*digest));
        self.moved.insert(from.clone());
        self.record(Record::Move(row, from.clone()))
    }

    fn download(&mut self, step: &Step) -> Carried {
        let Some(object) = self.bucket.objects.get(&step.key).filter(|_| self.there_as_expected(step)).cloned() else {
            return Ok(Fate::Stale);
        };
        if step.kind == Kind::Dir {
            return self.make_folder(step, &object);
        }
        if let Err(fate) = self.check_here(step) {
            return Ok(fate);
        }
        self.effect()?;
        if self.device.make_parents(&step.path, self.clock).is_err() {
            return Ok(Fate::Blocked);
        }
        let mut node = crate::world::new_node(step.kind, object.content, self.clock);
        let meta = object.meta.clone().unwrap_or_default();
        node.mtime = meta.mtime_ns.unwrap_or(node.mtime);
        node.mode = meta.mode.filter(|_| step.kind == Kind::File).unwrap_or(FILE_MODE);
        if let Some(old) = self.device.disk.insert(step.path.clone(), node.clone()) {
            self.device.trash.insert(old.content);
        }
        let there = RemoteHalf { stamp: object.stamp(), meta: object.meta };
        let row = self.row(step, &node, there, Some(digest_of(object.content)));
        self.record(Record::Put(row))
    }

    fn make_folder(&mut self, step: &Step, object: &Object) -> Carried {
        if self.device.disk.get(&step.path).is_some_and(|node| node.kind != Kind::Dir) {
            return Ok(Fate::Blocked);
        }
        self.effect()?;
        if self.device.make_parents(&step.path, self.clock).is_err() {
            return Ok(Fate::Blocked);
        }
        let mode = object.meta.as_ref().and_then(|meta| meta.mode);
        let fresh = crate::world::new_node(Kind::Dir, NOTHING, self.clock);
        let node = self.device.disk.entry(step.path.clone()).or_insert(fresh);
        node.mode = mode.unwrap_or(node.mode);
        let node = node.clone();
        let there = RemoteHalf { stamp: object.stamp(), meta: object.meta.clone() };
        let row = self.row(step, &node, there, None);
        self.record(Record::Put(row))
    }

    fn meta_there(&mut self, step: &Step) -> Carried {
        if step.here.is_none() || self.check_here(step).is_err() || !self.there_as_expected(step) {
            return Ok(Fate::Stale);
        }
        let node = self.device.disk[&step.path].clone();
        let Some(object) = self.bucket.objects.get(&step.key).cloned() else { return Ok(Fate::Stale) };
        let digest = self.device.base.get(&step.key).and_then(|row| row.digest);
        assert!(digest.is_none_or(|digest| digest == digest_of(object.content)), "{}: a false digest", step.key);
        let there = self.send(step, object.content, node.meta())?;
        let row = self.row(step, &node, there, digest);
        self.record(Record::Put(row))
    }

    fn meta_here(&mut self, step: &Step) -> Carried {
        if self.check_here(step).is_err() {
            return Ok(Fate::Stale);
        }
        let Some(object) = self.bucket.objects.get(&step.key).cloned() else { return Ok(Fate::Stale) };
        self.effect()?;
        let digest = self.device.base.get(&step.key).and_then(|row| row.digest);
        let change = self.clock.tick();
        let Some(node) = self.device.disk.get_mut(&step.path) else { return Ok(Fate::Stale) };
        let wanted = comparable(&object.meta.clone().unwrap_or_default(), step.kind);
        node.mode = wanted.mode.unwrap_or(node.mode);
        node.mtime = wanted.mtime_ns.unwrap_or(node.mtime);
        node.change = change;
        let node = node.clone();
        let there = RemoteHalf { stamp: object.stamp(), meta: object.meta };
        let row = self.row(step, &node, there, digest);
        self.record(Record::Put(row))
    }

    fn adopt(&mut self, step: &Step) -> Carried {
        let Some(there) = &step.there else { return Ok(Fate::Stale) };
        if step.here.is_none() || self.check_here(step).is_err() {
            return Ok(Fate::Stale);
        }
        let old = self.device.base.get(&step.key).cloned();
        let digest = old.as_ref().and_then(|row| row.digest);
        let same = old.and_then(|row| row.there).filter(|half| half.stamp.unchanged(&there.stamp));
        let meta = same.and_then(|half| half.meta);
        let half = RemoteHalf { stamp: there.stamp.clone(), meta };
        let node = self.device.disk[&step.path].clone();
        let row = self.row(step, &node, half, digest);
        self.record(Record::Put(row))
    }

    fn refresh(&mut self, step: &Step) -> Carried {
        let Some(mut row) = self.device.base.get(&step.key).cloned() else { return Ok(Fate::Stale) };
        if let (Some(half), Some(seen)) = (&mut row.there, &step.there) {
            half.stamp = seen.stamp.clone();
        }
        row.moved_to = None;
        self.record(Record::Put(Box::new(row)))
    }

    fn compare(&mut self, step: &Step) -> Carried {
        if self.check_here(step) == Err(Fate::Stale) {
            return Ok(Fate::Stale);
        }
        let base = self.device.base.get(&step.key).cloned();
        let read = step.here.as_ref().filter(|_| step.row.here != Side::Same);
        let read = read.and_then(|_| self.device.disk.get(&step.path)).map(|node| digest_of(node.content));
        let both_moved = step.row.here != Side::Same && step.row.there != Side::Same && step.there.is_some();
        let object = match (&step.there, step.row.there) {
            (None, _) | (_, Side::Same) => None,
            _ => match self.bucket.objects.get(&step.key) {
                Some(object) => Some(object.clone()),
                None => return Ok(Fate::Stale),
            },
        };
        let (row, found) = self.findings(step, base.as_ref(), read, object.as_ref(), both_moved);
        let row = resolve(row, &found);
        let there = object.as_ref().map(|object| ThereSeen { stamp: object.stamp(), archived: false, lost: false });
        let step = Step { row, there: there.or_else(|| step.there.clone()), ..step.clone() };
        let again = matches!(decide(row, self.policy), Decision::DeleteThere | Decision::DeleteHere);
        match decide_again(row, self.policy) {
            Decision::Nothing => self.settle_metadata(&step, base, read, object.as_ref()),
            Decision::Adopt if step.row.is_as_agreed() && is_same_object(&step, base.as_ref()) => {
                let base = base.map(|base| BaseRow { standing: Standing::Agreed, ..base });
                self.settle_metadata(&step, base, read, object.as_ref())
            }
            Decision::Adopt => {
                let unread = base.as_ref().filter(|_| step.row.here == Side::Same).and_then(|base| base.digest);
                self.adopt_found(&step, read.or(unread), object.as_ref())
            }
            Decision::Upload => self.upload(&step),
            Decision::Download => self.download(&Step { action: Action::Download, ..step }),
            Decision::KeepBoth => self.keep_both(&step),
            Decision::Newer => self.newer(&step),
            Decision::Conflict => Ok(Fate::Conflict),
            Decision::Forget => Ok(Fate::Stale),
            Decision::Leave | Decision::Compare | Decision::DeleteThere | Decision::DeleteHere => {
                let fate = self.keep_stamp(&step, base, read, object.as_ref())?;
                Ok(if again && fate == Fate::Done { Fate::Again } else { fate })
            }
        }
    }

    fn findings(
        &self,
        step: &Step,
        base: Option<&BaseRow>,
        read: Option<Digest>,
        object: Option<&Object>,
        both_moved: bool,
    ) -> (Row, Found) {
        let proves = object.is_some_and(|object| object.digest || self.bucket.md5);
        let same = match (read, object) {
            (Some(read), Some(object)) if both_moved && proves => {
                if read == digest_of(object.content) {
                    Sameness::Same
                } else {
                    Sameness::Differ
                }
            }
            _ => step.row.same,
        };
        if let Some(object) = object
            && same != Sameness::Same
            && step.here.is_some()
            && self.is_our_own(&step.key, base, object)
        {
            let row = Row { standing: Some(Standing::Agreed), here: Side::Changed, there: Side::Same, same };
            return (row, Found { here_as_agreed: None, there_as_agreed: None, same });
        }
        let agreed = base.and_then(|base| base.digest);
        let known_there = object.filter(|object| object.digest).map(|object| digest_of(object.content));
        let there_as_agreed = match (step.row.there, known_there, agreed) {
            (Side::Touched, ..) => Some(true),
            (_, Some(now), Some(then)) => Some(now == then),
            _ => None,
        };
        let here_as_agreed = read.and_then(|read| agreed.map(|agreed| read == agreed));
        (step.row, Found { here_as_agreed, there_as_agreed, same })
    }

    fn is_our_own(&self, key: &Key, base: Option<&BaseRow>, object: &Object) -> bool {
        let own = object.attempt.as_ref().filter(|attempt| attempt.device == self.device.number && object.digest);
        let Some(attempt) = own else {
            return false;
        };
        let replaced_agreed = match base {
            None => attempt.replaced.is_none(),
            Some(base) if base.standing == Standing::Agreed => {
                base.there.as_ref().map(|half| &half.stamp.etag) == attempt.replaced.as_ref()
            }
            Some(_) => false,
        };
        attempt.key == *key && replaced_agreed
    }

    /// Whether what is here came after an object that a run of ours wrote.
    fn is_after_our_own(&self, step: &Step) -> bool {
        let object = self.bucket.objects.get(&step.key).filter(|_| self.there_as_expected(step));
        let base = self.device.base.get(&step.key);
        step.here.is_some() && object.is_some_and(|object| self.is_our_own(&step.key, base, object))
    }

    /// What a run of ours wrote becomes the base; the next pass decides.
    fn take_as_base(&mut self, step: &Step) -> Carried {
        let object = &self.bucket.objects[&step.key];
        let row = BaseRow {
            key: step.key.clone(),
            kind: step.kind,
            standing: Standing::Agreed,
            here: self.device.base.get(&step.key).and_then(|row| row.here.clone()),
            there: Some(RemoteHalf { stamp: object.stamp(), meta: object.meta.clone() }),
            digest: Some(digest_of(object.content)),
            moved_to: None,
        };
        self.record(Record::Put(Box::new(row)))?;
        Ok(Fate::Again)
    }

    fn settle_metadata(
        &mut self,
        step: &Step,
        base: Option<BaseRow>,
        read: Option<Digest>,
        object: Option<&Object>,
    ) -> Carried {
        let (Some(here), Some(base)) = (&step.here, base) else { return Ok(Fate::Stale) };
        let differs = |now: &Meta, then: Option<&Meta>| {
            then.is_some_and(|then| comparable(now, step.kind).differs(&comparable(then, step.kind)))
        };
        let changed_here = differs(&here.meta, base.here.as_ref().map(|half| &half.meta));
        let then = base.there.as_ref().and_then(|half| half.meta.as_ref());
        let changed_there = object.and_then(|object| object.meta.as_ref()).is_some_and(|now| differs(now, then));
        match decide_meta(changed_here, changed_there, self.policy) {
            MetaDecision::SetThere => self.meta_there(step),
            MetaDecision::SetHere => self.meta_here(step),
            MetaDecision::Nothing => self.keep_stamp(step, Some(base), read, object),
        }
    }

    fn keep_stamp(
        &mut self,
        step: &Step,
        base: Option<BaseRow>,
        read: Option<Digest>,
        object: Option<&Object>,
    ) -> Carried {
        let Some(mut row) = base else { return Ok(Fate::Left) };
        let before = row.clone();
        let unchanged = read.is_some_and(|read| Some(read) == row.digest);
        if let (Some(half), Some(seen), true) = (&mut row.here, &step.here, unchanged) {
            half.stamp = seen.stamp;
            half.racy = self.clock.now - seen.stamp.change_ns < 3;
        }
        if let (Some(half), Some(object)) = (&mut row.there, object)
            && half.stamp.same_content(&object.stamp())
        {
            half.stamp = object.stamp();
            half.meta = half.meta.take().or_else(|| object.meta.clone());
        }
        if row == before {
            return Ok(Fate::Left);
        }
        self.record(Record::Put(Box::new(row)))
    }

    fn adopt_found(&mut self, step: &Step, read: Option<Digest>, object: Option<&Object>) -> Carried {
        let (Some(_), Some(there)) = (&step.here, &step.there) else { return Ok(Fate::Stale) };
        let half = match object {
            Some(object) => RemoteHalf { stamp: object.stamp(), meta: object.meta.clone() },
            None => RemoteHalf { stamp: there.stamp.clone(), meta: None },
        };
        let node = self.device.disk[&step.path].clone();
        let row = self.row(step, &node, half, read);
        self.record(Record::Put(row))
    }

    fn keep_both(&mut self, step: &Step) -> Carried {
        match self.policy.flow {
            Flow::Up => self.keep_theirs_aside(step),
            Flow::Down => self.keep_ours_aside(step, false),
            Flow::Both => self.keep_ours_aside(step, true),
        }
    }

    fn aside(&self, step: &Step, content: &Digest) -> RelPath {
        conflict_path(&step.path, content, &format!("device{}", self.device.number)).expect("room for a name")
    }

    fn keep_ours_aside(&mut self, step: &Step, send: bool) -> Carried {
        if step.here.is_none() || self.check_here(step).is_err() || !self.there_as_expected(step) {
            return Ok(Fate::Stale);
        }
        let mut node = self.device.disk[&step.path].clone();
        let aside = self.aside(step, &digest_of(node.content));
        match self.device.disk.get(&aside) {
            // Put aside before, and not recorded.
            Some(safe) if safe.kind == node.kind && safe.content == node.content => return self.download(step),
            Some(_) => return Ok(Fate::Blocked),
            None => {}
        }
        self.effect()?;
        node.change = self.clock.tick();
        self.device.disk.remove(&step.path);
        self.device.disk.insert(aside.clone(), node.clone());
        let fetched = Step { action: Action::Download, here: None, ..step.clone() };
        let fate = self.download(&fetched)?;
        if fate != Fate::Done || !send {
            return Ok(fate);
        }
        let here = Some(HereSeen { stamp: node.stamp(), meta: node.meta() });
        let key = key(&aside, step.kind);
        self.upload(&Step { key, path: aside, action: Action::Upload, here, there: None, ..step.clone() })?;
        Ok(Fate::Done)
    }

    fn keep_theirs_aside(&mut self, step: &Step) -> Carried {
        if step.here.is_none() || self.check_here(step).is_err() || !self.there_as_expected(step) {
            return Ok(Fate::Stale);
        }
        let Some(object) = self.bucket.objects.get(&step.key).cloned() else { return Ok(Fate::Stale) };
        let content = if object.digest { digest_of(object.content) } else { Digest::of(object.etag.as_bytes()) };
        let aside = key(&self.aside(step, &content), step.kind);
        let ours = |taken: &Object| {
            let attempt = taken.attempt.as_ref();
            attempt.is_some_and(|attempt| attempt.device == self.device.number && attempt.key == aside)
        };
        let taken = self.bucket.objects.get(&aside);
        if taken.is_some_and(|taken| !ours(taken)) {
            return Ok(Fate::Blocked);
        }
        if taken.is_none() {
            self.effect()?;
            let copy = Object {
                attempt: Some(Attempt { device: self.device.number, key: aside.clone(), replaced: None }),
                ..object
            };
            self.bucket.put(&aside, copy, self.clock);
        }
        self.upload(step)
    }

    fn newer(&mut self, step: &Step) -> Carried {
        let Some(here) = &step.here else { return Ok(Fate::Stale) };
        let Some(object) = self.bucket.objects.get(&step.key) else { return Ok(Fate::Stale) };
        let Some(theirs) = object.meta.as_ref().and_then(|meta| meta.mtime_ns) else { return Ok(Fate::Conflict) };
        let ours = here.stamp.mtime_ns;
        if ours == theirs {
            Ok(Fate::Conflict)
        } else if ours > theirs && self.policy.writes_there() {
            self.upload(step)
        } else if ours < theirs && self.policy.writes_here() {
            self.download(step)
        } else {
            Ok(Fate::Left)
        }
    }

    fn deletes(&mut self, plan: &Plan) -> Carried<()> {
        let mut steps = phase(plan, Phase::Delete);
        self.random.shuffle(&mut steps);
        // Folders last, deepest first.
        steps.sort_by_key(|step| match step.action {
            Action::DeleteHere if step.kind == Kind::Dir => (1, std::cmp::Reverse(step.path.segments().count())),
            _ => (0, std::cmp::Reverse(0)),
        });
        let mut parents = BTreeSet::new();
        for step in steps {
            let fate = match step.action {
                Action::DeleteHere => self.delete_here(step, &mut parents)?,
                _ => self.delete_there(step)?,
            };
            self.fates.push((step.clone(), fate));
        }
        for parent in parents.into_iter().rev() {
            self.remove_emptied(parent)?;
        }
        Ok(())
    }

    fn delete_there(&mut self, step: &Step) -> Carried {
        if self.check_here(step) == Err(Fate::Stale) {
            return Ok(Fate::Stale);
        }
        if step.action == Action::DeleteMoved {
            let Some(row) = self.device.base.get(&step.key).cloned() else { return Ok(Fate::Stale) };
            let Some(to) = &row.moved_to else { return Ok(Fate::Stale) };
            if !self.moved.contains(&step.key) && !self.lives_on(&row, to) {
                self.record(Record::Put(Box::new(BaseRow { moved_to: None, ..row })))?;
                return Ok(Fate::Again);
            }
        }
        if self.bucket.objects.contains_key(&step.key) {
            if !self.there_as_expected(step) {
                return Ok(Fate::Stale);
            }
            self.effect()?;
            self.bucket.objects.remove(&step.key);
        }
        self.record(Record::Drop(step.key.clone()))
    }

    /// Whether the bytes of a row that an earlier run moved are still at their new key.
    fn lives_on(&self, row: &BaseRow, to: &Key) -> bool {
        let (now, object) = (self.device.base.get(to), self.bucket.objects.get(to));
        let (Some(now), Some(object)) = (now, object) else { return false };
        let as_recorded = now.there.as_ref().is_some_and(|half| half.stamp.same_content(&object.stamp()));
        as_recorded && now.digest.is_some() && now.digest == row.digest
    }

    fn delete_here(&mut self, step: &Step, parents: &mut BTreeSet<RelPath>) -> Carried {
        if self.bucket.objects.contains_key(&step.key) || self.check_here(step).is_err() {
            return Ok(Fate::Stale);
        }
        if step.kind == Kind::Dir && self.device.has_children(&step.path) {
            let is_tracked = step.row.standing.is_some();
            return if is_tracked { self.record(Record::Drop(step.key.clone())) } else { Ok(Fate::Left) };
        }
        self.effect()?;
        if let Some(node) = self.device.disk.remove(&step.path) {
            self.device.trash.insert(node.content);
        }
        if step.kind != Kind::Dir {
            parents.extend(step.path.parent());
        }
        self.record(Record::Drop(step.key.clone()))
    }

    fn remove_emptied(&mut self, parent: RelPath) -> Carried<()> {
        let mut at = parent;
        while !at.is_root() {
            let marked = self.device.base.contains_key(&key(&at, Kind::Dir));
            let is_dir = self.device.disk.get(&at).is_some_and(|node| node.kind == Kind::Dir);
            if marked || !is_dir || self.device.has_children(&at) {
                break;
            }
            self.effect()?;
            self.device.disk.remove(&at);
            at = at.parent().expect("it is not the root");
        }
        Ok(())
    }
}

fn phase(plan: &Plan, phase: Phase) -> Vec<&Step> {
    let in_phase = |planned: &&Planned| planned.step.action.phase() == phase && planned.chain.is_none();
    plan.steps.iter().filter(in_phase).map(|planned| &planned.step).collect()
}

fn is_same_object(step: &Step, base: Option<&BaseRow>) -> bool {
    let agreed = base.and_then(|base| base.there.as_ref());
    matches!((agreed, &step.there), (Some(half), Some(now)) if half.stamp.same_content(&now.stamp))
}
