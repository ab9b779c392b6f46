//! Fetching what is there.
//!
//! Bytes go into a temporary file beside their destination, are verified against
//! the best evidence the object carries, and are installed by `install.rs`, which
//! alone may replace anything. Bytes that are already here under another name are
//! copied instead of fetched. Folders are made, links are planted as links.

use super::upload::done;
use super::way::is_twin;
use super::{Carrier, Fate, disk_fate, install_fate, problem, remote_fate};
use crate::digest::{is_hash, wanted_for};
use crate::disk::{self, Node, ReadFile, Stat};
use crate::event::Event;
use crate::install::{Expect, InstallError, Part};
use crate::planted::Bug;
use crate::record::{Counts, Outcome};
use crate::state::Change;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use md5::Digest as _;
use tidelock_core::entry::{BaseRow, Digest, Meta, RemoteHalf};
use tidelock_core::hex::hex;
use tidelock_core::meta::{Attributes, decode};
use tidelock_core::names::{Kind, LinkStyle};
use tidelock_core::path::RelPath;
use tidelock_core::plan::{ProblemClass, Step};
use tidelock_remote::{Error, ErrorKind, Object, Result};

/// Longer link targets are not targets.
const TARGET_MAX_BYTES: u64 = 4096;
/// How much of a file that is already here is copied at once.
const COPY_BYTES: usize = 1 << 20;

/// Bytes that have arrived, and what they amount to.
struct Arrival {
    digest: Digest,
    evidence: &'static str,
}

impl Carrier<'_> {
    pub(super) async fn download(&self, step: &Step) -> Fate {
        let Some(there) = &step.there else { return Fate::Stale };
        if step.kind == Kind::Dir {
            // What belongs in it may have made it meanwhile.
            return self.make_folder(step).await.unwrap_or_else(|fate| fate);
        }
        if let Err(fate) = self.check_place(step).await {
            return fate;
        }
        if step.kind == Kind::File
            && let Some(fate) = self.reuse(step).await
        {
            return fate;
        }
        let fetched = match self.pair.remote.get(&step.key, None, Some(&there.stamp)).await {
            Ok(fetched) => fetched,
            Err(error) => return remote_fate(step, error),
        };
        let attributes = self.attributes(&fetched.object);
        let styled = self.pair.settings.scan.links == LinkStyle::Mode;
        match (step.kind, attributes.kind) {
            (Kind::Link, _) => self.plant_link(step, fetched.object, attributes, fetched.body).await,
            (_, Some(Kind::Link)) if styled => {
                let step = Step { kind: Kind::Link, ..step.clone() };
                self.plant_link(&step, fetched.object, attributes, fetched.body).await
            }
            (_, Some(Kind::Link)) => Fate::Problem(problem(
                step,
                ProblemClass::Skipped,
                "it is a symbolic link as s3fs stores them; use --metadata s3fs for this pair",
            )),
            _ => self.fetch(step, fetched.object, attributes, fetched.body).await,
        }
    }

    /// An object's attributes, as far as this pair looks at them.
    pub(super) fn attributes(&self, object: &Object) -> Attributes {
        let mut attributes = object.meta.as_ref().map(|meta| decode(&meta.user)).unwrap_or_default();
        if !self.pair.settings.scan.xattrs {
            attributes.meta.xattrs = None;
        }
        attributes
    }

    async fn fetch(
        &self,
        step: &Step,
        object: Object,
        attributes: Attributes,
        body: BoxStream<'static, Result<Bytes>>,
    ) -> Fate {
        let mut part = match self.installer.begin(&step.path).await {
            Ok(part) => part,
            Err(error) => return install_fate(step, error),
        };
        match self.receive(step, &mut part, &object, &attributes, body).await {
            Ok(arrival) => {
                let counts = Counts { downloaded: 1, downloaded_bytes: object.stamp.size, ..Counts::default() };
                self.install(step, part, object, attributes, arrival, counts).await
            }
            Err(fate) => {
                self.installer.abandon(part).await;
                fate
            }
        }
    }

    /// Writes the body into the part and holds it against the object's evidence.
    async fn receive(
        &self,
        step: &Step,
        part: &mut Part,
        object: &Object,
        attributes: &Attributes,
        mut body: BoxStream<'static, Result<Bytes>>,
    ) -> std::result::Result<Arrival, Fate> {
        let looks_md5 = wanted_for(&object.stamp.etag, object.stamp.size).md5;
        let by_digest = attributes.digest.is_some();
        let mut blake = blake3::Hasher::new();
        let mut md5 = (looks_md5 && !by_digest && object.crc64nvme.is_none()).then(md5::Md5::new);
        let mut size = 0_u64;
        while let Some(chunk) = body.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(_) if self.pair.planted.has(Bug::ShortBodyAccepted) => break,
                Err(error) => return Err(remote_fate(step, error)),
            };
            blake.update(&chunk);
            if let Some(md5) = &mut md5 {
                md5.update(&chunk);
            }
            size += u64::try_from(chunk.len()).unwrap_or(0);
            part.write(&chunk).await.map_err(|error| install_fate(step, error))?;
            self.pair.listener.hear(&Event::Progress { bytes: u64::try_from(chunk.len()).unwrap_or(0) });
        }
        let digest = Digest(*blake.finalize().as_bytes());
        if self.pair.planted.has(Bug::ShortBodyAccepted) {
            return Ok(Arrival { digest, evidence: "none" });
        }
        if size != object.stamp.size {
            let what = format!("{size} bytes arrived instead of {}", object.stamp.size);
            return Err(corrupt(step, &what));
        }
        let md5 = md5.map(|md5| hex(&md5.finalize()));
        let evidence = match (&attributes.digest, object.crc64nvme, md5) {
            (Some(known), ..) if *known == digest => "blake3",
            (Some(_), ..) => return Err(corrupt(step, "the bytes that arrived do not have the object's digest")),
            // The remote's own reading has held the bytes against its checksum.
            (None, Some(_), _) => "crc64nvme",
            (None, None, Some(md5)) if md5 == object.stamp.etag.to_ascii_lowercase() => "md5",
            _ => "length",
        };
        Ok(Arrival { digest, evidence })
    }

    async fn install(
        &self,
        step: &Step,
        mut part: Part,
        object: Object,
        attributes: Attributes,
        arrival: Arrival,
        counts: Counts,
    ) -> Fate {
        let meta = self.or_usual(step, &object, &attributes.meta);
        let finished = self.installer.finish(&mut part, &meta, self.pair.settings.meta_scope).await;
        let ready = match finished {
            Ok(ready) => ready,
            Err(error) => {
                self.installer.abandon(part).await;
                return install_fate(step, error);
            }
        };
        if let Err(fate) = self.check_above(step).await {
            self.installer.abandon(part).await;
            return fate;
        }
        if self.pair.planted.has(Bug::CommitBeforeEffect) {
            let there = RemoteHalf { stamp: object.stamp.clone(), meta: Some(attributes.meta.clone()) };
            let row = self.row(step, self.half(ready.stamp, ready.meta(), self.now_ns()), there, Some(arrival.digest));
            let _ = self.pair.state.commit(&[Change::Put(Box::new(row))]);
        }
        let expect = step.here.as_ref().map_or(Expect::Absent, |here| Expect::Is(here.stamp));
        // From the moment that it has its name, somebody may write into it.
        let before_ns = self.now_ns();
        let installed = match self.installer.install(part, &step.path, &expect).await {
            Ok(installed) => installed,
            Err(error) => return install_fate(step, error),
        };
        if let Some(trashed) = &installed.trashed {
            self.note_buried(step, trashed);
        }
        let mut meta = installed.stat.meta();
        meta.xattrs = attributes.meta.xattrs.clone();
        let there = RemoteHalf { stamp: object.stamp, meta: Some(attributes.meta) };
        let row = self.row(step, self.half(installed.stat.stamp, meta, before_ns), there, Some(arrival.digest));
        let event = Event::Done {
            action: "download".to_owned(),
            path: step.key.to_string(),
            bytes: counts.downloaded_bytes,
            evidence: Some(arrival.evidence.to_owned()),
            from: None,
        };
        Fate::Done(Outcome {
            changes: vec![Change::Put(Box::new(row))],
            dirs: installed.dirs,
            events: vec![event],
            counts,
            again: false,
            synced: true,
        })
    }

    /// What was replaced may be what another name is to hold. If that cannot be kept in
    /// mind, it is fetched.
    fn note_buried(&self, step: &Step, trashed: &RelPath) {
        let Ok(Some(BaseRow { there: Some(there), digest: Some(digest), here: Some(half), .. })) =
            self.pair.state.row(&step.key)
        else {
            return;
        };
        if step.here.as_ref().is_some_and(|here| here.stamp == half.stamp) {
            let _ = self.spool.bury(&there.stamp.etag, there.stamp.size, &digest, trashed);
        }
    }

    /// What a file gets whose object tells nothing: the mode of the file it replaces or
    /// that of any new file, and the time of the object.
    fn or_usual(&self, step: &Step, object: &Object, meta: &Meta) -> Meta {
        if step.kind != Kind::File {
            return meta.clone();
        }
        let replaced = step.here.as_ref().and_then(|here| here.meta.mode);
        let usual = self.pair.settings.scan.default_dir_mode & 0o666;
        let modified_ns = object.stamp.modified_s.and_then(|at_s| at_s.checked_mul(1_000_000_000));
        let meta = meta.clone();
        Meta { mode: meta.mode.or(replaced).or(Some(usual)), mtime_ns: meta.mtime_ns.or(modified_ns), ..meta }
    }

    async fn plant_link(
        &self,
        step: &Step,
        object: Object,
        attributes: Attributes,
        mut body: BoxStream<'static, Result<Bytes>>,
    ) -> Fate {
        if self.pair.disk.follows_links() {
            // Who writes there could have any file of this machine sent to them.
            let what = "a symbolic link, and this run sends what links point to; run without --follow-links to get it";
            return Fate::Problem(problem(step, ProblemClass::Skipped, what));
        }
        let mut target = Vec::new();
        while let Some(chunk) = body.next().await {
            match chunk {
                Ok(chunk) => target.extend_from_slice(&chunk),
                Err(error) => return remote_fate(step, error),
            }
            if u64::try_from(target.len()).unwrap_or(u64::MAX) > TARGET_MAX_BYTES {
                break;
            }
        }
        let usable =
            !target.is_empty() && !target.contains(&0) && target.len() < usize::try_from(TARGET_MAX_BYTES).unwrap_or(0);
        if !usable {
            return Fate::Problem(problem(
                step,
                ProblemClass::Skipped,
                "its content is not the target of a symbolic link",
            ));
        }
        let digest = Digest::of(&target);
        if attributes.digest.is_some_and(|known| known != digest) {
            return corrupt(step, "the target that arrived does not have the object's digest");
        }
        let part = match self.installer.begin_link(&step.path, &target).await {
            Ok(part) => part,
            Err(error) => return install_fate(step, error),
        };
        let counts = Counts { downloaded: 1, downloaded_bytes: object.stamp.size, ..Counts::default() };
        let attributes = Attributes { meta: Meta { mode: None, ..attributes.meta.clone() }, ..attributes };
        self.install(step, part, object, attributes, Arrival { digest, evidence: "blake3" }, counts).await
    }

    /// Makes the file from bytes that are already here; `None` if there are none.
    async fn reuse(&self, step: &Step) -> Option<Fate> {
        let there = step.there.as_ref()?;
        let rows = self.spool.holders(&there.stamp.etag, there.stamp.size).ok()?;
        for row in rows {
            if let Some(fate) = self.reuse_from(step, &row).await {
                return Some(fate);
            }
        }
        // Another step may have put its own file in their place meanwhile.
        if let Some((path, digest)) = self.spool.buried(&there.stamp.etag, there.stamp.size).ok()?
            && let Ok(file) = self.pair.disk.open(&path).await
            && let Some(fate) = self.reuse_file(step, &*file, digest).await
        {
            return Some(fate);
        }
        // A copy may have changed the ETag, but not the digest that travels with it.
        let alike = self.spool.look_alikes(there.stamp.size).ok()?;
        if alike.is_empty() {
            return None;
        }
        let object = self.pair.remote.head(&step.key).await.ok()??;
        let digest = self.attributes(&object).digest?;
        for row in alike.iter().filter(|row| row.digest == Some(digest)) {
            if let Some(fate) = self.reuse_from(step, row).await {
                return Some(fate);
            }
        }
        None
    }

    async fn reuse_from(&self, step: &Step, row: &BaseRow) -> Option<Fate> {
        let (digest, half) = (row.digest?, row.here.as_ref()?);
        let (path, _) = tidelock_core::names::entry_of(&row.key, self.pair.settings.scan.links).ok()?;
        let file = self.pair.disk.open(&path).await.ok()?;
        if file.stat().await.ok()?.stamp != half.stamp {
            return None;
        }
        self.reuse_file(step, &*file, digest).await
    }

    /// The same, from an open file that should have this digest: what is copied is held
    /// against it.
    async fn reuse_file(&self, step: &Step, file: &dyn ReadFile, digest: Digest) -> Option<Fate> {
        // The metadata may have changed with the name, and the object must be there.
        let object = self.pair.remote.head(&step.key).await.ok()??;
        if !step.there.as_ref()?.stamp.same_content(&object.stamp) {
            return Some(Fate::Stale);
        }
        let attributes = self.attributes(&object);
        let evidence = match attributes.digest {
            Some(known) if known == digest => "blake3",
            // An ETag that is no hash says which object it is, not what is in it.
            None if is_hash(&object.stamp) => "etag",
            _ => return None,
        };
        if attributes.kind == Some(Kind::Link) {
            return None;
        }
        let mut part = self.installer.begin(&step.path).await.ok()?;
        if copy(file, &mut part).await != Some(digest) {
            self.installer.abandon(part).await;
            return None;
        }
        let counts = Counts { downloaded: 1, reused: 1, ..Counts::default() };
        Some(self.install(step, part, object, attributes, Arrival { digest, evidence }, counts).await)
    }

    /// Makes the folder that a marker stands for.
    async fn make_folder(&self, step: &Step) -> std::result::Result<Fate, Fate> {
        self.check_above(step).await?;
        let object = self.pair.remote.head(&step.key).await.map_err(|error| remote_fate(step, error))?;
        let object = object.ok_or(Fate::Stale)?;
        let meta = self.attributes(&object).meta;
        // Folders get their times, and modes that would lock us out, when all that
        // belongs in them is there.
        let now = Meta { mtime_ns: None, mode: meta.mode.map(|mode| mode | 0o300), ..meta.clone() };
        let scope = self.pair.settings.meta_scope;
        let (stat, dirs, is_new) = match self.installer.make_dir_here(&step.path, &now, scope).await {
            Ok(made) => (made.stat, made.dirs, true),
            Err(InstallError::Stale) => (self.take_folder(step, &now).await?, vec![step.path.clone()], false),
            Err(error) => return Err(install_fate(step, error)),
        };
        if let Err(fate) = self.check_above(step).await {
            // What was here before, and what somebody has put something in, stays.
            if is_new {
                let _ = self.pair.disk.remove_dir(&step.path).await;
            }
            return Err(fate);
        }
        self.later(step, &stat, meta.clone());
        let there = RemoteHalf { stamp: object.stamp, meta: Some(meta) };
        // What is on the disk, whatever the marker says: it may ask for more than is set
        // here, or than is set yet.
        let row = self.row(step, self.half(stat.stamp, stat.meta(), self.now_ns()), there, None);
        Ok(Fate::Done(Outcome {
            changes: vec![Change::Put(Box::new(row))],
            dirs,
            events: vec![done("download", step, 0)],
            counts: Counts { downloaded: 1, ..Counts::default() },
            again: false,
            synced: true,
        }))
    }

    /// The folder is there already; it gets the marker's metadata.
    async fn take_folder(&self, step: &Step, meta: &Meta) -> std::result::Result<Stat, Fate> {
        if !self.installer.claim(&step.path) {
            return Err(Fate::Stale);
        }
        let stat = self.pair.disk.stat(&step.path).await.map_err(|error| disk_fate(step, error))?;
        let stat = stat.ok_or(Fate::Stale)?;
        if stat.node != Node::Dir || step.here.is_none() && is_twin(self.pair, &step.path).await {
            let what = "another entry holds the name of this folder; rename one of them";
            return Err(Fate::Blocked(problem(step, ProblemClass::Skipped, what)));
        }
        let (id, scope) = (stat.stamp.file_id, self.pair.settings.meta_scope);
        self.pair.disk.set_meta(&step.path, id, meta, scope).await.map_err(|error| disk_fate(step, error))
    }
}

/// Copies a file into a part; the digest of what was copied, if all went well.
async fn copy(file: &dyn disk::ReadFile, part: &mut Part) -> Option<Digest> {
    let mut blake = blake3::Hasher::new();
    let mut at = 0_u64;
    loop {
        let bytes = file.read_at(at, COPY_BYTES).await.ok()?;
        if bytes.is_empty() {
            return Some(Digest(*blake.finalize().as_bytes()));
        }
        blake.update(&bytes);
        at += u64::try_from(bytes.len()).unwrap_or(0);
        part.write(&bytes).await.ok()?;
    }
}

fn corrupt(step: &Step, what: &str) -> Fate {
    let error = Error::new(ErrorKind::Corrupt, "get", format!("{what}; nothing was installed"));
    Fate::Problem(problem(step, ProblemClass::Failed, error.to_string()))
}
