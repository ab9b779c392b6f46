//! Looking at both sides: the three streams joined into a plan.
//!
//! Base, folder and remote come in key order; each key is looked at once and turned
//! into at most one step, which goes into the spool. Nothing is changed here, on
//! either side or in the state. What the steps are is `core/sight.rs`; this room
//! only brings together what was seen.

pub use crate::mode::mode_name;

use crate::blind::Blind;
use crate::failure::Failure;
use crate::listing::{Failed, Listed, Listing};
use crate::pair::{Pair, RemoteCheck, Settings};
use crate::planted::Bug;
use crate::scan::{Scan, ScanOptions, Sighting};
use crate::state::Spool;
use crate::transfer::HELD;
use std::collections::VecDeque;
use std::sync::Arc;
use tidelock_core::decide::{Change, Row, Sameness};
use tidelock_core::entry::{BaseRow, RemoteEntry, RemoteHalf, Standing};
use tidelock_core::names::{Kind, LinkStyle, entry_of};
use tidelock_core::path::{Key, RelPath};
use tidelock_core::plan::{Action, Phase, Problem, ProblemClass, Step, Totals};
use tidelock_core::sight::{Here, Seen, follows_moves, look};
use tidelock_core::triple::pick;
use tidelock_remote::Readiness;

/// What is said of an object whose bytes the remote has lost.
pub const LOST: &str = "the remote has lost its bytes; a sync that writes there sends it again from a folder that \
                        still has the agreed file, or delete the object there";

/// What looking at both sides brought.
#[derive(Debug, Default)]
pub struct Survey {
    /// What the plan adds up to.
    pub totals: Totals,
    /// Paths and keys with problems.
    pub problems: Vec<Problem>,
    /// Temporary files of earlier runs.
    pub leftovers: Vec<RelPath>,
    /// The fingerprint of all rules met.
    pub filter: String,
    /// What of the folder is not known.
    pub blind: Blind,
    /// Objects that patterns exclude.
    pub left_out: u64,
    /// Names of files that have more than one.
    pub hard_links: u64,
    /// Entries of the base, …
    pub comparable: u64,
    /// … and those of them that are here with the same size and time, or are folders.
    pub alike: u64,
}

/// How what is seen is to be taken.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lens {
    /// Rows of the base prove sameness only.
    pub lapsed: bool,
    /// Where the state is trusted for what is there: that it was found wrong, and
    /// every object is asked for that a step would write over.
    pub asks: bool,
}

/// Looks at both sides. Steps go into the spool, in key order.
pub async fn survey(pair: &Pair, spool: &Spool<'_>, lens: Lens) -> Result<Survey, Failure> {
    match join(pair, spool, false, lens).await {
        Err(Failed::Unordered) => {
            let fresh = pair.state.spool()?;
            Ok(join(pair, &fresh, true, lens).await?)
        }
        other => Ok(other?),
    }
}

async fn join(pair: &Pair, spool: &Spool<'_>, sorted: bool, lens: Lens) -> Result<Survey, Failed> {
    let scan = start_scan(pair).await?;
    let remote = Arc::clone(&pair.remote);
    let listing = match pair.settings.remote_check {
        RemoteCheck::List => {
            let Settings { only, scan, .. } = &pair.settings;
            Some(Listing::start(remote, only.as_str(), scan.links, spool, sorted, Arc::clone(&pair.interrupted)))
        }
        RemoteCheck::State => None,
    };
    spool.fill()?;
    let joined = Join {
        pair,
        spool,
        scan,
        listing,
        base: Base { lapsed: lens.lapsed, ..Base::default() },
        asks: lens.asks,
        hole: None,
        names: Vec::new(),
        survey: Survey::default(),
    }
    .run()
    .await;
    spool.filled()?;
    joined
}

async fn start_scan(pair: &Pair) -> Result<Scan, Failed> {
    let options = ScanOptions { planted: pair.planted, ..pair.settings.scan.clone() };
    Scan::start(Arc::clone(&pair.disk), pair.settings.rules.clone(), options).await
}

/// The fingerprint of all rules that are met in the folder now, and what of it is not known.
pub(crate) async fn filter(pair: &Pair) -> Result<(String, Blind), Failure> {
    let mut scan = start_scan(pair).await?;
    while scan.next().await.is_some() {
        if pair.is_interrupted() {
            return Err(Failure::Interrupted);
        }
    }
    Ok((scan.rules().fingerprint().to_string(), std::mem::take(&mut scan.blind)))
}

struct Join<'a> {
    pair: &'a Pair,
    spool: &'a Spool<'a>,
    scan: Scan,
    listing: Option<Listing<'a>>,
    base: Base,
    asks: bool,
    /// Below this key, the folder's side is unknown.
    hole: Option<Key>,
    /// Names that files of this plan will have and that a key to come may be below of.
    names: Vec<RelPath>,
    survey: Survey,
}

/// The base, a page at a time.
#[derive(Default)]
struct Base {
    rows: VecDeque<BaseRow>,
    last: Option<Key>,
    ended: bool,
    lapsed: bool,
}

impl Base {
    fn next(&mut self, pair: &Pair) -> Result<Option<BaseRow>, Failed> {
        if self.rows.is_empty() && !self.ended {
            self.rows = pair.state.page(self.last.as_ref())?.into();
            self.last = self.rows.back().map(|row| row.key.clone());
            self.ended = self.rows.is_empty();
        }
        let mut row = self.rows.pop_front();
        if let Some(row) = row.as_mut().filter(|row| self.lapsed && row.standing == Standing::Agreed) {
            row.standing = Standing::Lapsed;
        }
        Ok(row)
    }
}

impl Join<'_> {
    async fn run(mut self) -> Result<Survey, Failed> {
        let mut base = self.base.next(self.pair)?;
        let mut here = self.scan.next().await;
        let mut there = self.listed().await?;
        loop {
            if self.pair.is_interrupted() {
                return Err(Failed::Interrupted);
            }
            let heads = (base.as_ref().map(|row| &row.key), here.as_ref().map(Sighting::key));
            let Some(picked) = pick(heads.0, heads.1, there.as_ref().map(|listed| &listed.entry.key)) else { break };
            let taken_base = if picked.base { std::mem::replace(&mut base, self.base.next(self.pair)?) } else { None };
            let taken_here = if picked.here { std::mem::replace(&mut here, self.scan.next().await) } else { None };
            let taken_there = if picked.there { std::mem::replace(&mut there, self.listed().await?) } else { None };
            let taken_base = taken_base.map(|row| mistaken(self.pair, row, taken_here.as_ref()));
            let from_state = match self.listing {
                None => self.believed(taken_base.as_ref(), taken_here.as_ref()).await?,
                Some(_) => None,
            };
            self.meet(taken_base, taken_here, taken_there.or(from_state), there.as_ref())?;
        }
        let mut survey = self.survey;
        survey.problems.append(&mut self.scan.problems);
        if let Some(listing) = &mut self.listing {
            survey.problems.append(&mut listing.problems);
        }
        survey.problems.retain(|problem| is_about(&problem.path, &self.pair.settings.only));
        survey.totals.problems = u64::try_from(survey.problems.len()).unwrap_or(u64::MAX);
        survey.leftovers = std::mem::take(&mut self.scan.leftovers);
        survey.filter = self.scan.rules().fingerprint().to_string();
        survey.hard_links = self.scan.hard_links;
        survey.blind = std::mem::take(&mut self.scan.blind);
        Ok(survey)
    }

    async fn listed(&mut self) -> Result<Option<Listed>, Failed> {
        match &mut self.listing {
            None => Ok(None),
            Some(listing) => match listing.next().await {
                Err(Failed::Remote(_)) if self.pair.planted.has(Bug::PartialListComplete) => Ok(None),
                other => other,
            },
        }
    }

    /// The object that the state believes in, or the one that is there.
    async fn believed(&self, base: Option<&BaseRow>, here: Option<&Sighting>) -> Result<Option<Listed>, Failed> {
        let believed = base.and_then(|row| trusted(row, self.pair.settings.scan.links));
        let Some((key, path, kind)) = self.identify(base, here, believed.as_ref()).filter(|_| self.asks) else {
            return Ok(believed);
        };
        let here = match here {
            Some(Sighting::Hole { .. }) => return Ok(believed),
            Some(Sighting::Entry(entry)) => Here::Present(entry),
            None => Here::Absent,
        };
        let there = believed.as_ref().map(|listed| &listed.entry);
        let seen = Seen { key: &key, path: &path, kind, base, here, there, there_below: false };
        let step = look(&seen, &self.pair.settings.policy);
        if !step.is_some_and(|step| step.action.phase() != Phase::None && !step.action.is_bookkeeping()) {
            return Ok(believed);
        }
        let found = self.pair.remote.head(&key).await?;
        Ok(found.map(|object| {
            let archived = matches!(object.readiness, Readiness::Archived | Readiness::Thawing);
            let lost = object.readiness == Readiness::Lost;
            Listed { entry: RemoteEntry { key, stamp: object.stamp, archived, lost }, path, kind }
        }))
    }

    /// One key, with whatever of the three sides holds it.
    fn meet(
        &mut self,
        base: Option<BaseRow>,
        here: Option<Sighting>,
        there: Option<Listed>,
        next_there: Option<&Listed>,
    ) -> Result<(), Failed> {
        let Some((key, path, kind)) = self.identify(base.as_ref(), here.as_ref(), there.as_ref()) else {
            return Ok(());
        };
        self.watch_hole(&key, here.as_ref());
        let is_outside = !path.is_within(&self.pair.settings.only);
        if is_outside || self.listing.as_mut().is_some_and(|listing| listing.is_occupied(&key)) {
            return Ok(());
        }
        if here.is_none() && self.scan.rules().verdict_for_path(&path, kind == Kind::Dir).is_excluded() {
            self.survey.left_out += u64::from(there.is_some());
            return self.lapse(base, key, path, kind);
        }
        let hidden = matches!(here, Some(Sighting::Hole { .. })) || here.is_none() && self.is_in_hole(&key);
        let entry = match &here {
            Some(Sighting::Entry(entry)) => Some(entry),
            _ => None,
        };
        if let Some(entry) = entry {
            // What is here already keeps its name from any file to come.
            self.names.retain(|name| !entry.path.is_within(name));
        }
        let seen = Seen {
            key: &key,
            path: &path,
            kind,
            base: base.as_ref(),
            here: match entry {
                Some(entry) => Here::Present(entry),
                None if hidden && !self.pair.planted.has(Bug::HolesIgnored) => Here::Hidden,
                None => Here::Absent,
            },
            there: there.as_ref().map(|listed| &listed.entry),
            there_below: kind == Kind::Dir
                && next_there.is_some_and(|next| next.entry.key.as_str().starts_with(key.as_str())),
        };
        self.tally(&seen);
        if !hidden {
            self.note_departure(&seen)?;
        }
        let step = look(&seen, &self.pair.settings.policy);
        if step.as_ref().is_none_or(|step| step.action == Action::Refresh) {
            self.mention_left_out(&seen);
        }
        let Some(step) = step else {
            self.survey.totals.unchanged += u64::from(base.is_some());
            return Ok(());
        };
        if step.action == Action::Download && self.is_name_taken(&step) {
            let problem = Problem { path: key.to_string(), what: HELD.to_owned(), class: ProblemClass::Skipped };
            self.survey.problems.push(problem);
            return Ok(());
        }
        if step.action == Action::Leave && step.there.as_ref().is_some_and(|there| there.lost) {
            let problem = Problem { path: key.to_string(), what: LOST.to_owned(), class: ProblemClass::Failed };
            self.survey.problems.push(problem);
            return Ok(());
        }
        self.survey.totals.add(&step);
        Ok(self.spool.push(&step, has_arrived(&seen, &step))?)
    }

    /// What the key stands for; `None` if that is nobody's business.
    fn identify(
        &self,
        base: Option<&BaseRow>,
        here: Option<&Sighting>,
        there: Option<&Listed>,
    ) -> Option<(Key, RelPath, Kind)> {
        match (here, there, base) {
            (Some(Sighting::Entry(entry)), _, _) => Some((entry.key.clone(), entry.path.clone(), entry.kind)),
            (Some(Sighting::Hole { key, path }), _, _) => {
                let kind = if key.as_str().ends_with('/') { Kind::Dir } else { Kind::File };
                Some((key.clone(), path.clone(), kind))
            }
            (None, Some(listed), _) => Some((listed.entry.key.clone(), listed.path.clone(), listed.kind)),
            (None, None, Some(row)) => {
                // A row was once made from an entry, so its key maps back to one.
                let (path, _) = entry_of(&row.key, self.pair.settings.scan.links).ok()?;
                Some((row.key.clone(), path, row.kind))
            }
            (None, None, None) => None,
        }
    }

    fn watch_hole(&mut self, key: &Key, here: Option<&Sighting>) {
        if matches!(here, Some(Sighting::Hole { .. })) && key.as_str().ends_with('/') {
            self.hole = Some(key.clone());
        }
    }

    fn is_in_hole(&self, key: &Key) -> bool {
        self.hole.as_ref().is_some_and(|hole| key.as_str().starts_with(hole.as_str()))
    }

    /// The path is excluded: whatever is known of it proves sameness at most.
    fn lapse(&mut self, base: Option<BaseRow>, key: Key, path: RelPath, kind: Kind) -> Result<(), Failed> {
        if base.is_none_or(|row| row.standing != Standing::Agreed) {
            return Ok(());
        }
        let unseen =
            Row { standing: Some(Standing::Agreed), here: Change::Same, there: Change::Same, same: Sameness::Unknown };
        let step = Step { key, path, kind, action: Action::Lapse, row: unseen, here: None, there: None };
        Ok(self.spool.push(&step, false)?)
    }

    fn tally(&mut self, seen: &Seen<'_>) {
        let totals = &mut self.survey.totals;
        totals.agreed += u64::from(seen.base.is_some_and(|row| row.standing == Standing::Agreed));
        totals.there += u64::from(seen.there.is_some());
        if let Some((row, then)) = seen.base.and_then(|row| Some((row, row.here.as_ref()?))) {
            let alike = matches!(seen.here, Here::Present(now)
                if now.kind == Kind::Dir && row.kind == Kind::Dir
                    || (now.stamp.size, now.stamp.mtime_ns) == (then.stamp.size, then.stamp.mtime_ns));
            self.survey.comparable += 1;
            self.survey.alike += u64::from(alike);
        }
        totals.here += match seen.here {
            Here::Present(entry) => u64::from(entry.kind != Kind::Dir || entry.needs_marker || seen.base.is_some()),
            Here::Hidden => u64::from(seen.base.is_some()),
            Here::Absent => 0,
        };
    }

    /// Attributes that were too many to travel are told as long as they are.
    fn mention_left_out(&mut self, seen: &Seen<'_>) {
        let Some(BaseRow { here: Some(here), there: Some(RemoteHalf { meta: Some(there), .. }), .. }) = seen.base
        else {
            return;
        };
        let some = here.meta.xattrs.as_ref().is_some_and(|xattrs| !xattrs.is_empty());
        if self.pair.settings.scan.xattrs && some && there.xattrs.is_none() {
            let what = "the extended attributes are more than an object's metadata can hold; they are kept here only";
            let problem = Problem { path: seen.key.to_string(), what: what.to_owned(), class: ProblemClass::Skipped };
            self.survey.problems.push(problem);
        }
    }

    /// Whether a file of this plan is to have the name of this one, or that of a folder
    /// above it. The first in key order has it, whichever arrives first.
    fn is_name_taken(&mut self, step: &Step) -> bool {
        // Between a name and what is below it come only keys that begin with it.
        while self.names.last().is_some_and(|name| !step.key.as_str().starts_with(name.as_str())) {
            self.names.pop();
        }
        let taken = self.names.iter().any(|name| step.path == *name || step.path.is_within(name));
        if !taken && step.kind != Kind::Dir {
            self.names.push(step.path.clone());
        }
        taken
    }

    /// A file that is no longer where the base has it may have been renamed.
    fn note_departure(&mut self, seen: &Seen<'_>) -> Result<(), Failed> {
        let Some(row) = seen.base else { return Ok(()) };
        let Some(then) = &row.here else { return Ok(()) };
        let id = then.stamp.file_id;
        let stayed = matches!(seen.here, Here::Present(entry) if entry.stamp.file_id == id);
        // A lapsed row proves what the bytes were, which is all a copy needs; and the
        // old object goes because they live on elsewhere, not because it is absent here.
        let usable = matches!(row.standing, Standing::Agreed | Standing::Lapsed)
            && row.kind == Kind::File
            && row.digest.is_some()
            && row.there.is_some()
            && row.moved_to.is_none();
        // What is lost there is nothing to copy.
        let lost = seen.there.is_some_and(|there| there.lost);
        if !stayed && !lost && usable && id.is_trustworthy() && follows_moves(&self.pair.settings.policy) {
            self.spool.depart(id, &row.key)?;
        }
        Ok(())
    }
}

/// The row as somebody reads it who makes the mistakes that tests have switched on.
fn mistaken(pair: &Pair, mut row: BaseRow, here: Option<&Sighting>) -> BaseRow {
    const SECOND_NS: i64 = 1_000_000_000;
    if row.standing == Standing::Pruned && pair.planted.has(Bug::PrunedIsDeleted)
        || row.standing == Standing::Lapsed && pair.planted.has(Bug::LapsedIsAgreed)
    {
        row.standing = Standing::Agreed;
    }
    let coarse = pair.planted.has(Bug::MtimeSeconds);
    if let (Some(then), Some(Sighting::Entry(entry))) = (&mut row.here, here)
        && (coarse || pair.planted.has(Bug::CtimeIgnored))
    {
        let now = &entry.stamp;
        then.stamp.change_ns = now.change_ns;
        if coarse && now.mtime_ns.div_euclid(SECOND_NS) == then.stamp.mtime_ns.div_euclid(SECOND_NS) {
            then.stamp.mtime_ns = now.mtime_ns;
        }
    }
    row
}

/// Whether another file than the agreed one is here now, which the remote knows
/// nothing of: it may have been renamed to here.
fn has_arrived(seen: &Seen<'_>, step: &Step) -> bool {
    let agreed = seen.base.and_then(|row| row.here.as_ref()).map(|half| half.stamp.file_id);
    let now = step.here.as_ref().map(|here| here.stamp.file_id);
    // Only an agreed object may be overwritten unseen: a pruned one is the only copy.
    let vouched = step.row.standing == Some(Standing::Agreed) && step.row.there == Change::Same;
    // An object that nobody agreed on may be the copy of a move whose record was lost;
    // whoever carries the move out looks before it takes it for that.
    let unagreed = matches!(step.row.standing, None | Some(Standing::Lapsed)) && step.row.here.is_present();
    let sends = step.action == Action::Upload || step.action == Action::Compare && (vouched || unagreed);
    step.kind == Kind::File && sends && now.is_some_and(|now| Some(now) != agreed && now.is_trustworthy())
}

/// Whether a problem of this path or key is one of a run that is about a part only.
fn is_about(path: &str, only: &RelPath) -> bool {
    let path = RelPath::parse(path.trim_end_matches('/'));
    only.is_root() || path.is_ok_and(|path| path.is_within(only) || only.is_within(&path))
}

/// The object that the state believes in, whatever else its row proves.
fn trusted(row: &BaseRow, links: LinkStyle) -> Option<Listed> {
    let half = row.there.as_ref()?;
    let (path, kind) = entry_of(&row.key, links).ok()?;
    let entry = RemoteEntry { key: row.key.clone(), stamp: half.stamp.clone(), archived: false, lost: false };
    Some(Listed { entry, path, kind })
}
