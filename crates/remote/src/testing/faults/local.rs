//! A request that needs its sender no more: its bytes, read and sealed while the
//! sender was still there, travel in it.
//! It is dropped, not finished, when the simulation drops it: a request that died.

use crate::{Error, ErrorKind, Piece, Progress, Put, Result, Source};
use async_trait::async_trait;
use std::sync::Arc;

/// The request with its bytes in it, read and sealed.
pub(super) async fn detach(request: &Put, progress: &dyn Progress) -> Result<Put> {
    let mut recipe = Vec::new();
    let mut sources: Vec<&Arc<dyn Source>> = Vec::new();
    for piece in &request.recipe {
        recipe.push(match piece {
            Piece::Bytes { source, offset, size } => {
                let wanted = usize::try_from(*size)
                    .map_err(|_| Error::new(ErrorKind::Source, "read", "the piece is longer than memory can hold"))?;
                let bytes = source.read(*offset, wanted).await?;
                progress.sent(*size);
                if !sources.iter().any(|known| Arc::ptr_eq(known, source)) {
                    sources.push(source);
                }
                Piece::Bytes { source: Arc::new(bytes), offset: 0, size: *size }
            }
            copy @ Piece::CopyOf { .. } => copy.clone(),
        });
    }
    for source in sources {
        source.seal().await?;
    }
    Ok(Put { recipe, ..request.clone() })
}

/// Tells of uploads and not of bytes, which were told when they left.
pub(super) struct OnlyUploads<'a>(pub &'a dyn Progress);

#[async_trait]
impl Progress for OnlyUploads<'_> {
    async fn starting(&self) -> Result<()> {
        self.0.starting().await
    }
    async fn started(&self, upload_id: &str) -> Result<()> {
        self.0.started(upload_id).await
    }
    async fn ended(&self, upload_id: &str) -> Result<()> {
        self.0.ended(upload_id).await
    }
    fn sent(&self, _bytes: u64) {}
}

/// Tells of everything but the end of an upload: nobody learns that it is over.
pub(super) struct Endless<'a>(pub &'a dyn Progress);

#[async_trait]
impl Progress for Endless<'_> {
    async fn starting(&self) -> Result<()> {
        self.0.starting().await
    }
    async fn started(&self, upload_id: &str) -> Result<()> {
        self.0.started(upload_id).await
    }
    async fn ended(&self, _upload_id: &str) -> Result<()> {
        Ok(())
    }
    fn sent(&self, bytes: u64) {
        self.0.sent(bytes);
    }
}
