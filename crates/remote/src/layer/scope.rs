//! A remote seen through a prefix.
//!
//! Keys go down with the prefix and come up without it, wherever they stand: in
//! requests, in pieces to be copied, in cursors, listings and errors. Nothing
//! outside can be named, and a place that shows something outside is not believed.

use crate::{
    Ability, Capabilities, Condition, Cursor, Download, Error, ErrorKind, Object, Page, Piece, Progress, Put, Remote,
    Result, Stored,
};
use async_trait::async_trait;
use std::ops::Range;
use std::sync::Arc;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// Everything below one prefix.
pub struct Scope {
    remote: Arc<dyn Remote>,
    prefix: String,
}

impl Scope {
    /// `remote` below `prefix`, which gets a `/` at its end if it has none; empty
    /// is everything.
    pub fn new(remote: Arc<dyn Remote>, prefix: &str) -> Self {
        let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        Self { remote, prefix: format!("{prefix}{slash}") }
    }

    fn down(&self, key: &Key) -> Key {
        Key::new(format!("{}{key}", self.prefix))
    }

    fn up(&self, key: &str, op: &'static str) -> Result<Key> {
        key.strip_prefix(&self.prefix).map(Key::new).ok_or_else(|| {
            let what = format!("the place shows {key:?}, which does not lie below {:?}", self.prefix);
            Error::new(ErrorKind::Other, op, what)
        })
    }

    fn object_up(&self, object: Object, op: &'static str) -> Result<Object> {
        Ok(Object { key: self.up(object.key.as_str(), op)?, ..object })
    }

    fn error_up(&self, mut error: Error) -> Error {
        error.key = error.key.map(|key| key.strip_prefix(&self.prefix).map(str::to_owned).unwrap_or(key));
        error
    }

    fn piece_down(&self, piece: &Piece) -> Piece {
        match piece {
            Piece::CopyOf { key, stamp, offset, size } => {
                Piece::CopyOf { key: self.down(key), stamp: stamp.clone(), offset: *offset, size: *size }
            }
            bytes @ Piece::Bytes { .. } => bytes.clone(),
        }
    }

    fn cursor_up(&self, cursor: Cursor) -> Result<Cursor> {
        let after =
            if cursor.after.is_empty() { String::new() } else { self.up(&cursor.after, "list")?.as_str().to_owned() };
        Ok(Cursor { after, token: cursor.token })
    }
}

#[async_trait]
impl Remote for Scope {
    async fn capabilities(&self, needed: &[Ability]) -> Result<Capabilities> {
        self.remote.capabilities(needed).await.map_err(|error| self.error_up(error))
    }

    fn contradicted(&self) {
        self.remote.contradicted();
    }

    async fn list(&self, prefix: &str, cursor: &Cursor) -> Result<Page> {
        let after = if cursor.after.is_empty() { String::new() } else { format!("{}{}", self.prefix, cursor.after) };
        let below = Cursor { after, token: cursor.token.clone() };
        let page = self.remote.list(&format!("{}{prefix}", self.prefix), &below).await;
        let page = page.map_err(|error| self.error_up(error))?;
        // The marker of the prefix itself names nothing that lies below it.
        let shown = page.objects.into_iter().filter(|object| object.key.as_str() != self.prefix);
        Ok(Page {
            objects: shown.map(|object| self.object_up(object, "list")).collect::<Result<_>>()?,
            next: page.next.map(|next| self.cursor_up(next)).transpose()?,
        })
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>> {
        let found = self.remote.head(&self.down(key)).await.map_err(|error| self.error_up(error))?;
        found.map(|object| self.object_up(object, "head")).transpose()
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>, stamp: Option<&RemoteStamp>) -> Result<Download> {
        let opened = self.remote.get(&self.down(key), range, stamp).await.map_err(|error| self.error_up(error))?;
        Ok(Download { object: self.object_up(opened.object, "get")?, body: opened.body })
    }

    async fn put(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        let below = Put {
            key: self.down(&request.key),
            recipe: request.recipe.iter().map(|piece| self.piece_down(piece)).collect(),
            meta: request.meta.clone(),
            storage_class: request.storage_class.clone(),
            condition: request.condition.clone(),
        };
        self.remote.put(&below, progress).await.map_err(|error| self.error_up(error))
    }

    async fn delete(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        let below: Vec<_> = items.iter().map(|(key, condition)| (self.down(key), condition.clone())).collect();
        let answers = self.remote.delete(&below).await;
        answers.into_iter().map(|answer| answer.map_err(|error| self.error_up(error))).collect()
    }

    async fn abandon(&self, key: &Key, upload_id: &str) -> Result<()> {
        self.remote.abandon(&self.down(key), upload_id).await.map_err(|error| self.error_up(error))
    }

    async fn abandon_begun(&self, key: &Key, began_ms: Range<i64>) -> Result<()> {
        self.remote.abandon_begun(&self.down(key), began_ms).await.map_err(|error| self.error_up(error))
    }

    fn was_unguarded(&self) -> bool {
        self.remote.was_unguarded()
    }

    fn clock_skew_ms(&self) -> Option<i64> {
        self.remote.clock_skew_ms()
    }

    fn describe(&self) -> String {
        let place = self.remote.describe();
        if self.prefix.is_empty() {
            return place;
        }
        format!("{}{}{}", place, if place.ends_with(['/', ':']) { "" } else { "/" }, self.prefix)
    }
}
