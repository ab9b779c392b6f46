//! Replacing one file by another, and undoing it.
//!
//! The exchange is atomic, so the place shows the old or the new and nothing else;
//! and since the old one is still there afterwards, under the swap name, it can be
//! looked at with no race left. Whatever was visible at the place for an instant is
//! never unlinked, only moved to the trash: somebody may be writing into it.

use super::trash::{Grave, TempKind};
use super::{InstallError, Installed, Installer, Part, Result, dirs_of, folder_of, same_version, vanished};
use crate::disk::{Error, ErrorKind, Node, Stat};
use crate::planted::Bug;
use tidelock_core::entry::LocalStamp;
use tidelock_core::path::RelPath;

impl Installer {
    /// Puts a finished part in the place of what is expected there, which goes to
    /// the trash.
    pub(super) async fn swap_in(
        &self,
        part: Part,
        ready: &Stat,
        dest: &RelPath,
        expected: &LocalStamp,
    ) -> Result<Installed> {
        if self.planted.has(Bug::RenameWithoutExpect) {
            return self.replace_blindly(part, ready, dest).await;
        }
        // Everything that can be known to fail fails here, where nothing was touched.
        let (grave, swap) = match self.prepare(dest, expected).await {
            Ok(prepared) => prepared,
            Err(error) => {
                self.abandon(part).await;
                return Err(error);
            }
        };
        // From here on the temporary name may hold the user's file, and says so.
        if let Err(error) = self.disk.rename(&part.path, &swap).await {
            self.abandon(part).await;
            return Err(error.into());
        }
        let exchanged = self.disk.exchange(&swap, dest).await;
        let placed_ns = self.world.clock.wall_ns();
        let out = match self.disk.stat(&swap).await {
            Ok(Some(out)) => out,
            Ok(None) => return Err(vanished(&swap).into()),
            // It cannot be known what came out, so it has to go back.
            Err(error) if exchanged.is_ok() => {
                return Err(self.put_back(&swap, dest, ready, &grave, error.into()).await);
            }
            Err(error) => return Err(error.into()),
        };
        if out.stamp.file_id == ready.stamp.file_id {
            // Still our own: it was never exchanged, whatever the call said.
            self.abandon(Part { path: swap, ..part }).await;
            return Err(match exchanged {
                Err(error) if error.kind != ErrorKind::NotFound => error.into(),
                _ => InstallError::Stale,
            });
        }
        if !same_version(&out, expected) {
            return Err(self.put_back(&swap, dest, ready, &grave, InstallError::Stale).await);
        }
        // Opened since the look before: whoever writes shall find it at its place.
        if out.node == Node::File && self.disk.is_being_written(&swap).await.unwrap_or(false) {
            return Err(self.put_back(&swap, dest, ready, &grave, InstallError::BeingWritten).await);
        }
        let trashed = match self.dispose(&swap, &grave, dest).await {
            Ok(trashed) => trashed,
            Err(error) => return Err(self.put_back(&swap, dest, ready, &grave, error.into()).await),
        };
        let stat = self.ours_at(dest, ready, placed_ns).await?;
        Ok(Installed { stat, trashed, dirs: [grave.dirs, dirs_of(&part.made, dest)?].concat() })
    }

    async fn prepare(&self, dest: &RelPath, expected: &LocalStamp) -> Result<(Grave, RelPath)> {
        let seen = self.require_unwritten(dest, expected).await?;
        let grave = self.grave(dest).await?;
        if grave.filesystem != seen.filesystem {
            let message = "the trash is on another file system";
            return Err(Error::new(ErrorKind::CrossDevice, "move to trash", dest, message).into());
        }
        Ok((grave, self.temporary(&folder_of(dest)?, TempKind::Swap)?))
    }

    /// The old one is verified and leaves.
    async fn dispose(&self, swap: &RelPath, grave: &Grave, dest: &RelPath) -> crate::disk::Result<Option<RelPath>> {
        if self.planted.has(Bug::UnlinkInsteadOfTrash) {
            return self.disk.unlink_temp(swap).await.map(|()| None);
        }
        self.bury(swap, grave, dest.name()).await.map(Some)
    }

    /// Undoes an exchange for the given reason, which is returned if all is as it
    /// was. Else what lies under the swap name is kept in the trash.
    async fn put_back(
        &self,
        swap: &RelPath,
        dest: &RelPath,
        ready: &Stat,
        grave: &Grave,
        reason: InstallError,
    ) -> InstallError {
        let ours = |stat: &Stat| stat.stamp.file_id == ready.stamp.file_id;
        // If the place was changed again, what is there is newer than both.
        let still_ours = matches!(self.disk.stat(dest).await, Ok(Some(here)) if ours(&here));
        if still_ours && self.disk.exchange(swap, dest).await.is_ok() {
            match self.disk.stat(swap).await {
                Ok(Some(out)) if ours(&out) => {
                    let kept = self.bury(swap, grave, dest.name()).await;
                    return match kept {
                        // Somebody wrote into it in the instant it was visible.
                        Ok(kept) if !same_version(&out, &ready.stamp) => InstallError::BothKept { kept },
                        _ => reason,
                    };
                }
                // It was changed between the look and the exchange: the newest one
                // belongs at the place.
                _ => drop(self.disk.exchange(swap, dest).await),
            }
        }
        match self.bury(swap, grave, dest.name()).await {
            Ok(kept) => InstallError::BothKept { kept },
            // It stays under its name and is taken to the trash at the next start.
            Err(error) => error.into(),
        }
    }

    /// The planted bug: what a plain rename over the old file does.
    async fn replace_blindly(&self, part: Part, ready: &Stat, dest: &RelPath) -> Result<Installed> {
        self.disk.exchange(&part.path, dest).await?;
        let placed_ns = self.world.clock.wall_ns();
        self.disk.unlink_temp(&part.path).await?;
        let stat = self.ours_at(dest, ready, placed_ns).await?;
        Ok(Installed { stat, trashed: None, dirs: dirs_of(&part.made, dest)? })
    }
}
