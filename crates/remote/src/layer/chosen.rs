//! A few objects of a place, under names of one's own choice.
//!
//! Each [`Choice`] shows one key, or all keys below one, under another name; nothing
//! else is listed. So one file can be sent or fetched by the plan that whole folders
//! are synced by, without a listing of everything around it, and under another name
//! than it has there. A key that no choice covers is the place's own.

use crate::{
    Ability, Capabilities, Condition, Cursor, Download, Error, Object, Page, Piece, Progress, Put, Remote, Result,
    Stored,
};
use async_trait::async_trait;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// So many objects are looked at for one page, at most.
const PAGE: usize = 256;
/// How many of them at once.
const AT_ONCE: usize = 16;
/// Greater than any character of a key below a folder.
const LAST: char = '\u{10ffff}';

/// Something of a place, and what it is to be called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Choice {
    /// How it is shown; ends in `/` if it is a folder.
    pub shown: String,
    /// Its key there, or what all of its keys begin with: empty, or ending in `/`.
    pub real: String,
}

impl Choice {
    fn is_folder(&self) -> bool {
        self.shown.ends_with('/')
    }

    fn covers_shown(&self, key: &str) -> bool {
        if self.is_folder() { key.starts_with(&self.shown) } else { key == self.shown }
    }

    fn covers_real(&self, key: &str) -> bool {
        if self.is_folder() { key.starts_with(&self.real) } else { key == self.real }
    }
}

/// A place of which only the chosen is seen.
pub struct Chosen {
    remote: Arc<dyn Remote>,
    /// In the order of what is shown.
    choices: Vec<Choice>,
}

impl Chosen {
    /// Shows these of `remote`. No two of them may be shown alike.
    pub fn new(remote: Arc<dyn Remote>, mut choices: Vec<Choice>) -> Self {
        choices.sort();
        Self { remote, choices }
    }

    fn down(&self, key: &Key) -> Key {
        let covering = self.choices.iter().find(|choice| choice.covers_shown(key.as_str()));
        covering.map_or_else(
            || key.clone(),
            |choice| Key::new(format!("{}{}", choice.real, &key.as_str()[choice.shown.len()..])),
        )
    }

    fn up(&self, key: &str) -> String {
        let covering = self.choices.iter().find(|choice| choice.covers_real(key));
        covering.map_or_else(|| key.to_owned(), |choice| format!("{}{}", choice.shown, &key[choice.real.len()..]))
    }

    fn error_up(&self, mut error: Error) -> Error {
        error.key = error.key.map(|key| self.up(&key));
        error
    }

    /// The chosen files from `at` on, as many as one page holds and no folder is between.
    async fn files(&self, at: usize, prefix: &str) -> Result<(Vec<Object>, usize)> {
        let run = self.choices[at..].iter().take_while(|choice| !choice.is_folder()).take(PAGE);
        let wanted: Vec<&Choice> = run.collect();
        let looks = wanted.iter().filter(|choice| choice.shown.starts_with(prefix)).map(|choice| async move {
            let found = self.remote.head(&Key::new(choice.real.as_str())).await;
            found.map(|object| object.map(|object| Object { key: Key::new(choice.shown.as_str()), ..object }))
        });
        let found: Vec<_> = futures::stream::iter(looks.collect::<Vec<_>>()).buffered(AT_ONCE).collect().await;
        let objects = found.into_iter().filter_map(Result::transpose).collect::<Result<Vec<_>>>();
        Ok((objects.map_err(|error| self.error_up(error))?, at + wanted.len()))
    }

    /// A page of a chosen folder.
    async fn folder(&self, choice: &Choice, prefix: &str, cursor: &Cursor) -> Result<Page> {
        let within = |text: &str| text.strip_prefix(choice.shown.as_str()).map(|rest| format!("{}{rest}", choice.real));
        let after = within(&cursor.after).unwrap_or_default();
        let token = cursor.token.clone().filter(|_| cursor.after.starts_with(&choice.shown));
        let below = within(prefix).unwrap_or_else(|| choice.real.clone());
        let page = self.remote.list(&below, &Cursor { after, token }).await.map_err(|error| self.error_up(error))?;
        let shown = |key: &str| format!("{}{}", choice.shown, key.strip_prefix(&choice.real).unwrap_or(key));
        let objects = page.objects.into_iter();
        Ok(Page {
            objects: objects.map(|object| Object { key: Key::new(shown(object.key.as_str())), ..object }).collect(),
            next: page.next.map(|next| Cursor { after: shown(&next.after), token: next.token }),
        })
    }
}

#[async_trait]
impl Remote for Chosen {
    async fn capabilities(&self, needed: &[Ability]) -> Result<Capabilities> {
        self.remote.capabilities(needed).await
    }

    fn contradicted(&self) {
        self.remote.contradicted();
    }

    async fn list(&self, prefix: &str, cursor: &Cursor) -> Result<Page> {
        let ended = |choice: &Choice| {
            let last = if choice.is_folder() { format!("{}{LAST}", choice.shown) } else { choice.shown.clone() };
            last <= cursor.after
        };
        let is_asked = |choice: &Choice| choice.shown.starts_with(prefix) || prefix.starts_with(&choice.shown);
        let first = self.choices.iter().position(|choice| !ended(choice) && is_asked(choice));
        let Some(at) = first else { return Ok(Page::default()) };
        let choice = &self.choices[at];
        let (page, done) = if choice.is_folder() {
            (self.folder(choice, prefix, cursor).await?, at + 1)
        } else {
            let (objects, done) = self.files(at, prefix).await?;
            (Page { objects, next: None }, done)
        };
        let more = page.next.clone().or_else(|| {
            let last = self.choices[..done].last().filter(|_| done < self.choices.len())?;
            let end = if last.is_folder() { LAST.to_string() } else { String::new() };
            Some(Cursor { after: format!("{}{end}", last.shown), token: None })
        });
        Ok(Page { next: more, ..page })
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>> {
        let found = self.remote.head(&self.down(key)).await.map_err(|error| self.error_up(error))?;
        Ok(found.map(|object| Object { key: key.clone(), ..object }))
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>, stamp: Option<&RemoteStamp>) -> Result<Download> {
        let opened = self.remote.get(&self.down(key), range, stamp).await.map_err(|error| self.error_up(error))?;
        Ok(Download { object: Object { key: key.clone(), ..opened.object }, body: opened.body })
    }

    async fn put(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        let piece = |piece: &Piece| match piece {
            Piece::CopyOf { key, stamp, offset, size } => {
                Piece::CopyOf { key: self.down(key), stamp: stamp.clone(), offset: *offset, size: *size }
            }
            bytes @ Piece::Bytes { .. } => bytes.clone(),
        };
        let recipe = request.recipe.iter().map(piece).collect();
        let below = Put { key: self.down(&request.key), recipe, ..request.clone() };
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

    fn real_key(&self, key: &Key) -> Key {
        self.down(key)
    }

    fn was_unguarded(&self) -> bool {
        self.remote.was_unguarded()
    }

    fn clock_skew_ms(&self) -> Option<i64> {
        self.remote.clock_skew_ms()
    }

    fn describe(&self) -> String {
        self.remote.describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Memory, Profile};
    use crate::testing::world::world;
    use crate::{ErrorKind, ObjectMeta, Unwatched};
    use futures::executor::block_on;

    fn place(keys: &[&str]) -> Arc<Memory> {
        let memory = Memory::new(Profile::aws().tiny(), world(1).0);
        keys.iter().for_each(|key| drop(memory.write(&Key::new(*key), "x", ObjectMeta::default())));
        Arc::new(memory)
    }

    fn choice(shown: &str, real: &str) -> Choice {
        Choice { shown: shown.to_owned(), real: real.to_owned() }
    }

    fn listed(remote: &dyn Remote, prefix: &str) -> Vec<String> {
        let (mut keys, mut cursor) = (Vec::new(), Some(Cursor::start()));
        while let Some(at) = cursor {
            let page = block_on(remote.list(prefix, &at)).expect("listed");
            assert_ne!(page.next.as_ref(), Some(&at), "it goes on");
            keys.extend(page.objects.into_iter().map(|object| object.key.to_string()));
            cursor = page.next;
        }
        keys
    }

    #[test]
    fn only_the_chosen_is_listed_in_the_order_it_is_shown() {
        let memory = place(&["a", "b/1", "b/2", "b/3", "b/4", "b/5", "b.txt", "c/", "c/x", "other"]);
        let chosen = Chosen::new(
            memory,
            vec![
                choice("z", "a"),
                choice("d/", "b/"),
                choice("d.txt", "b.txt"),
                choice("k", "none"),
                choice("e/", "c/"),
            ],
        );
        let all = ["d.txt", "d/1", "d/2", "d/3", "d/4", "d/5", "e/", "e/x", "z"];
        assert_eq!(listed(&chosen, ""), all);
        assert_eq!(listed(&chosen, "d/"), &all[1..6]);
        assert_eq!(listed(&chosen, "d/3"), &all[3..4]);
        assert_eq!(listed(&chosen, "z"), ["z"]);
        assert_eq!(listed(&chosen, "x"), [""; 0]);
        let after = block_on(chosen.list("", &Cursor::after(&Key::new("d/4")))).expect("listed");
        assert_eq!(after.objects.first().map(|object| object.key.as_str()), Some("d/5"));
    }

    #[test]
    fn everything_that_is_done_reaches_the_true_keys() {
        let memory = place(&["deep/a", "deep/f/1"]);
        let chosen = Chosen::new(memory.clone(), vec![choice("b", "deep/a"), choice("g/", "deep/f/")]);
        let seen = block_on(chosen.head(&Key::new("g/1"))).expect("answered").expect("there");
        assert_eq!(seen.key.as_str(), "g/1");
        let piece = Piece::CopyOf { key: Key::new("b"), stamp: seen.stamp.clone(), offset: 0, size: 1 };
        let request = Put {
            key: Key::new("g/2"),
            recipe: vec![piece],
            meta: ObjectMeta::default(),
            storage_class: None,
            condition: Condition::Absent,
        };
        block_on(chosen.put(&request, &Unwatched)).expect("stored");
        let error = block_on(chosen.put(&request, &Unwatched)).expect_err("it is there");
        assert_eq!((error.kind, error.key.as_deref()), (ErrorKind::Precondition, Some("g/2")));
        assert!(block_on(chosen.delete(&[(Key::new("g/1"), Condition::Matches(seen.stamp))]))[0].is_ok());
        let keys: Vec<String> = memory.snapshot().keys().map(ToString::to_string).collect();
        assert_eq!(keys, ["deep/a", "deep/f/2"]);
    }
}
