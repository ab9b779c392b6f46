//! What the model world found once, each as a world of its own.

use crate::laws::{settle, told};
use crate::random::{Random, policies};
use crate::survey::plan;
use crate::world::{Bucket, Clock, Device, NOTHING, agreed, key, path};
use tidelock_core::decide::{Change as Side, Decision, Row, Sameness, decide};
use tidelock_core::entry::Standing;
use tidelock_core::names::Kind;
use tidelock_core::path::Key;
use tidelock_core::plan::Action;
use tidelock_core::policy::{Compare, Deletes, Drift, Policy, Preset};
use tidelock_core::sight::decide_again;

struct Small {
    device: Device,
    bucket: Bucket,
    clock: Clock,
}

impl Small {
    fn new() -> Self {
        Self { device: Device::new(1), bucket: Bucket::default(), clock: Clock::default() }
    }

    /// An entry that both sides hold and the base knows.
    fn in_step(&mut self, at: &str, kind: Kind) -> Key {
        let content = if kind == Kind::Dir { NOTHING } else { self.clock.content() };
        self.device.write(&path(at), kind, content, &mut self.clock);
        let (node, key) = (&self.device.disk[&path(at)], key(&path(at), kind));
        self.bucket.put_foreign(&key, content, Some(node.meta()), &mut self.clock);
        self.device.base.insert(key.clone(), agreed(&key, node, &self.bucket.objects[&key]));
        self.clock.now += 10;
        key
    }

    fn stand(&mut self, key: &Key, standing: Standing) {
        self.device.base.get_mut(key).expect("a row").standing = standing;
    }

    fn actions(&self, policy: &Policy) -> Vec<(String, Action)> {
        let planned = plan(&self.device, &self.bucket, policy);
        planned.steps.into_iter().map(|planned| (planned.step.key.to_string(), planned.step.action)).collect()
    }

    fn settle(&mut self, policy: &Policy) {
        let Self { device, bucket, clock } = self;
        let settled = settle(device, bucket, clock, policy, &mut Random(1), &[]).expect("it settles");
        assert!(settled.left.is_empty(), "{}", told(&settled.left));
    }
}

fn only(at: &str, action: Action) -> Vec<(String, Action)> {
    vec![(at.to_owned(), action)]
}

/// A push died between the copy and the deletion; a restore then took the mark for
/// a licence to delete there.
#[test]
fn a_restore_does_not_finish_a_move() {
    let mut small = Small::new();
    let (old, new) = (small.in_step("old", Kind::File), small.in_step("new", Kind::File));
    small.device.base.get_mut(&old).expect("a row").moved_to = Some(new);
    small.device.remove(&path("old"));
    assert_eq!(small.actions(&Preset::Push.policy()), only("old", Action::DeleteMoved));
    for preset in [Preset::Restore, Preset::RestoreOverwrite] {
        assert_eq!(small.actions(&preset.policy()), only("old", Action::Leave), "{}", preset.name());
    }
}

/// The file is as the lapsed row has it, the object was written again: whether the
/// bytes are the same was never asked, and it became a conflict.
#[test]
fn a_lapsed_row_has_both_sides_looked_at() {
    let mut small = Small::new();
    let key = small.in_step("a", Kind::File);
    small.stand(&key, Standing::Lapsed);
    let object = small.bucket.objects[&key].clone();
    small.bucket.md5 = true;
    small.bucket.put(&key, object, &mut small.clock);
    let planned = plan(&small.device, &small.bucket, &Preset::Push.policy());
    let step = &planned.steps[0].step;
    assert_eq!((&step.action, step.row.here, step.row.there), (&Action::Compare, Side::Touched, Side::Changed));
    small.settle(&Preset::Push.policy());
    assert_eq!(small.device.base[&key].standing, Standing::Agreed);
}

/// A folder that the remote has by what lies in it, and whose marker nobody wrote,
/// was planned to be deleted here by every run.
#[test]
fn a_folder_that_is_there_by_its_content_is_not_deleted_here() {
    let mut small = Small::new();
    small.in_step("d/a", Kind::File);
    small.device.disk.get_mut(&path("d")).expect("the folder").mode = 0o700;
    let exact = Policy { deletes: Deletes::Propagate, drift: Drift::Overwrite, ..Preset::Restore.policy() };
    assert_eq!(small.actions(&exact), []);
    assert_eq!(small.actions(&Preset::Push.policy()), only("d/", Action::Upload));
}

/// A marker gone there, a lapsed row and content below: the folder was compared
/// with nothing, for ever.
#[test]
fn a_lapsed_folder_without_a_marker_gets_one() {
    let mut small = Small::new();
    let marker = small.in_step("d", Kind::Dir);
    small.stand(&marker, Standing::Lapsed);
    small.bucket.objects.remove(&marker);
    small.bucket.put_foreign(&Key::new("d/x/"), NOTHING, None, &mut small.clock);
    let policy = Preset::TwoWay.policy();
    assert!(small.actions(&policy).contains(&("d/".to_owned(), Action::Upload)), "{:?}", small.actions(&policy));
    small.settle(&policy);
    assert!(small.device.disk.contains_key(&path("d/x")));
}

/// Bytes as agreed, another mode here: an exact restore set it only if somebody had
/// changed the object too.
#[test]
fn a_mode_changed_here_is_set_back_by_an_exact_restore() {
    let mut small = Small::new();
    small.in_step("a", Kind::File);
    let node = small.device.disk.get_mut(&path("a")).expect("the file");
    (node.mode, node.change) = (0o600, small.clock.tick());
    small.settle(&Preset::Restore.policy());
    assert_eq!(small.device.disk[&path("a")].mode, 0o600);
    small.settle(&Preset::RestoreOverwrite.policy());
    assert_eq!(small.device.disk[&path("a")].mode, 0o644);
}

/// What would be a deletion after a closer look waits for the next plan, which
/// counts it.
#[test]
fn a_second_decision_is_never_a_deletion() {
    use Side::{Changed, Gone, Never, New, Same, Touched};
    let standings =
        [None, Some(Standing::Agreed), Some(Standing::Known), Some(Standing::Lapsed), Some(Standing::Pruned)];
    let mut deletions = 0;
    for policy in policies() {
        for standing in standings {
            for here in [Never, New, Same, Touched, Changed, Gone] {
                for there in [Never, New, Same, Touched, Changed, Gone] {
                    for same in [Sameness::Same, Sameness::Differ, Sameness::Unknown] {
                        let row = Row { standing, here, there, same };
                        let deletes = |decision| matches!(decision, Decision::DeleteHere | Decision::DeleteThere);
                        deletions += usize::from(deletes(decide(row, &policy)));
                        assert!(!deletes(decide_again(row, &policy)), "{row} under {policy:?}");
                    }
                }
            }
        }
    }
    assert!(deletions > 0, "no row deletes at all");
}

/// `--compare stamp` is for what nobody agreed on: bytes that were agreed are read where
/// the stamp moved, for somebody may have put the time back.
#[test]
fn a_stamp_that_moved_is_read_however_sameness_is_proved() {
    let mut small = Small::new();
    small.in_step("a", Kind::File);
    let node = small.device.disk.get_mut(&path("a")).expect("the file");
    (node.id, node.change) = (99, small.clock.tick());
    let policy = Policy { compare: Compare::Stamp, ..Preset::Push.policy() };
    assert_eq!(small.actions(&policy), only("a", Action::Compare));
    small.settle(&policy);
    assert_eq!(small.actions(&policy), []);
}

/// A rename, an edit on top, a swap and a file become a folder, in one plan.
#[test]
fn kinds_and_names_that_change_at_once_end_right() {
    let mut small = Small::new();
    for at in ["a", "b", "f", "g"] {
        small.in_step(at, Kind::File);
    }
    let contents = |small: &Small| ["a", "b", "g"].map(|at| small.device.disk[&path(at)].content);
    let [a, b, g] = contents(&small);
    let Small { device, clock, .. } = &mut small;
    device.rename(&path("a"), &path("tmp"), clock);
    device.rename(&path("b"), &path("a"), clock);
    device.rename(&path("tmp"), &path("b"), clock);
    device.rename(&path("g"), &path("f/g"), clock);
    small.settle(&Preset::SyncDelete.policy());
    let there: Vec<(String, u32)> =
        small.bucket.objects.iter().map(|(key, object)| (key.to_string(), object.content)).collect();
    assert_eq!(there, [("a".to_owned(), b), ("b".to_owned(), a), ("f/g".to_owned(), g)]);
}
