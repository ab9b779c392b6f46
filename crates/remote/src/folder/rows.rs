//! The rows of the database, read and written.
//!
//! Statements and their meaning in one place: objects with their extents, bodies
//! with how often extents refer to them. Says nothing of transactions, conditions
//! or files; whoever writes decides what goes together.

use super::extent::{Body, Extent, Half};
use super::{failure, schema};
use crate::error::Result;
use crate::{Cursor, Object, ObjectMeta, Page, Readiness};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// Objects on a page of a listing.
const PAGE_OBJECTS: u16 = 1000;

/// Connections that only read.
pub(super) struct Readers {
    root: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), idle: Mutex::default() }
    }

    /// Reads with one of them.
    pub(super) fn with<T>(
        &self,
        op: &'static str,
        read: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let fail = |error| failure::sql(op, &error);
        let mut connection = match idle {
            Some(connection) => connection,
            None => schema::reader(&self.root).map_err(fail)?,
        };
        let found = read(&mut connection).map_err(fail)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < super::READERS {
            idle.push(connection);
        }
        Ok(found)
    }
}

/// An object and the number of this state of it.
#[derive(Debug, Clone)]
pub(super) struct ObjectRow {
    pub(super) id: u64,
    pub(super) object: Object,
}

impl ObjectRow {
    /// The object, with whether it is among those that lost bytes.
    pub(super) fn told(self, lost: &HashSet<u64>) -> Object {
        let readiness = if lost.contains(&self.id) { Readiness::Lost } else { self.object.readiness };
        Object { readiness, ..self.object }
    }
}

const OBJECT: &str = "key, id, etag, size, crc64, modified_s, storage_class";

/// The object at a key, metadata included.
pub(super) fn find(connection: &Connection, key: &Key) -> rusqlite::Result<Option<ObjectRow>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {OBJECT}, meta FROM objects WHERE key = ?1"))?;
    let found = statement.query_row([key.as_str()], |row| {
        let mut found = object(row)?;
        let meta: String = row.get(7)?;
        let meta: ObjectMeta = serde_json::from_str(&meta)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(7, rusqlite::types::Type::Text, error.into()))?;
        found.object.meta = Some(meta);
        Ok(found)
    });
    found.optional()
}

/// When an object was last set, in Unix seconds.
pub(super) fn modified(connection: &Connection, key: &Key) -> rusqlite::Result<i64> {
    let mut query = connection.prepare_cached("SELECT modified_s FROM objects WHERE key = ?1")?;
    query.query_row([key.as_str()], |row| row.get(0))
}

/// The number and the ETag of the object at a key.
pub(super) fn identify(connection: &Connection, key: &Key) -> rusqlite::Result<Option<(u64, String)>> {
    let mut statement = connection.prepare_cached("SELECT id, etag FROM objects WHERE key = ?1")?;
    statement.query_row([key.as_str()], |row| Ok((number(row, 0)?, row.get(1)?))).optional()
}

fn object(row: &Row<'_>) -> rusqlite::Result<ObjectRow> {
    let stamp = RemoteStamp { etag: row.get(2)?, size: number(row, 3)?, modified_s: Some(row.get(5)?) };
    let object = Object {
        key: Key::new(row.get::<_, String>(0)?),
        stamp,
        storage_class: row.get(6)?,
        version: None,
        readiness: Readiness::Ready,
        meta: None,
        crc64nvme: Some(number(row, 4)?),
    };
    Ok(ObjectRow { id: number(row, 1)?, object })
}

/// A number the database keeps as the signed one with the same bits.
pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

/// One page of the keys that begin with `prefix`, after `after`.
pub(super) fn page(connection: &Connection, prefix: &str, after: &str, lost: &HashSet<u64>) -> rusqlite::Result<Page> {
    // One lower bound, so that the index is entered where the page begins.
    let (from, bound) = if after >= prefix && !after.is_empty() { (after, ">") } else { (prefix, ">=") };
    let end = prefix_end(prefix);
    let limit = if end.is_some() { "AND key < ?2" } else { "AND ?2 IS NULL" };
    let sql = format!("SELECT {OBJECT} FROM objects WHERE key {bound} ?1 {limit} ORDER BY key LIMIT ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_map(params![from, end, PAGE_OBJECTS + 1], object)?;
    let mut objects = found.map(|row| Ok(row?.told(lost))).collect::<rusqlite::Result<Vec<Object>>>()?;
    let more = objects.len() > usize::from(PAGE_OBJECTS);
    objects.truncate(PAGE_OBJECTS.into());
    let next = objects.last().filter(|_| more).map(|last| Cursor::after(&last.key));
    Ok(Page { objects, next })
}

/// The least text that is greater than everything that begins with `prefix`.
fn prefix_end(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // UTF-8 sorts as code points do; the surrogates are not among them.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// The extents of an object, in order.
pub(super) fn extents(connection: &Connection, object: u64) -> rusqlite::Result<Vec<Extent>> {
    let mut statement = connection.prepare_cached(
        "SELECT e.body, e.start, e.size, e.crc64, b.size, b.digest, b.filed
         FROM extents e JOIN bodies b ON b.id = e.body WHERE e.object = ?1 ORDER BY e.place",
    )?;
    let rows = statement.query_map([object.cast_signed()], |row| {
        let id = number(row, 0)?;
        let body = Body { id, size: number(row, 4)?, digest: row.get::<_, Half>(5)?, filed: row.get(6)? };
        Ok(Extent { body, start: number(row, 1)?, size: number(row, 2)?, crc64: number(row, 3)? })
    })?;
    rows.collect()
}

/// The bytes of a body that is a row.
pub(super) fn small_bytes(connection: &Connection, body: u64) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM small WHERE body = ?1")?;
    statement.query_row([body.cast_signed()], |row| row.get(0)).optional()
}

/// Adds a body that nothing refers to yet; `bytes` if it is a row.
pub(super) fn add_body(connection: &Connection, body: &Body, bytes: Option<&[u8]>) -> rusqlite::Result<()> {
    let id = body.id.cast_signed();
    let mut statement =
        connection.prepare_cached("INSERT INTO bodies (id, size, digest, refs, filed) VALUES (?1, ?2, ?3, 0, ?4)")?;
    statement.execute(params![id, body.size.cast_signed(), body.digest, body.filed])?;
    if let Some(bytes) = bytes {
        connection.prepare_cached("INSERT INTO small (body, bytes) VALUES (?1, ?2)")?.execute(params![id, bytes])?;
    }
    Ok(())
}

/// Sets the object at a key, whose old state must have been cleared.
pub(super) fn add_object(
    connection: &Connection,
    id: u64,
    object: &Object,
    meta: &str,
    extents: &[Extent],
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO objects (key, id, etag, size, crc64, modified_s, meta, storage_class)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute(params![
        object.key.as_str(),
        id.cast_signed(),
        object.stamp.etag,
        object.stamp.size.cast_signed(),
        object.crc64nvme.unwrap_or_default().cast_signed(),
        object.stamp.modified_s.unwrap_or_default(),
        meta,
        object.storage_class,
    ])?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO extents (object, place, body, start, size, crc64) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (place, extent) in (0_i64..).zip(extents) {
        let numbers = [extent.body.id, extent.start, extent.size, extent.crc64].map(u64::cast_signed);
        let [body, start, size, crc64] = numbers;
        statement.execute(params![id.cast_signed(), place, body, start, size, crc64])?;
    }
    Ok(())
}

/// Counts the references that these extents are. Done before an old state is
/// cleared, so that what both share never looks unused.
pub(super) fn refer(connection: &Connection, extents: &[Extent]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("UPDATE bodies SET refs = refs + 1 WHERE id = ?1")?;
    for extent in extents {
        let found = statement.execute([extent.body.id.cast_signed()])?;
        // The caller saw in this transaction the object that these extents come from.
        // Should its body be gone all the same, nothing more may be built on it.
        if found != 1 {
            return Err(rusqlite::Error::StatementChangedRows(found));
        }
    }
    Ok(())
}

/// Removes an object, and the bodies that nothing refers to any more. Those of
/// them that are files go to `freed`, to be unlinked once this is durable.
pub(super) fn clear(connection: &Connection, key: &Key, id: u64, freed: &mut Vec<u64>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("SELECT body FROM extents WHERE object = ?1")?;
    let bodies = statement.query_map([id.cast_signed()], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    connection.prepare_cached("DELETE FROM extents WHERE object = ?1")?.execute([id.cast_signed()])?;
    connection.prepare_cached("DELETE FROM objects WHERE key = ?1")?.execute([key.as_str()])?;
    let mut release =
        connection.prepare_cached("UPDATE bodies SET refs = refs - 1 WHERE id = ?1 RETURNING refs, filed")?;
    for body in bodies {
        let (refs, filed): (i64, bool) = release.query_row([body], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if refs > 0 {
            continue;
        }
        connection.prepare_cached("DELETE FROM bodies WHERE id = ?1")?.execute([body])?;
        if filed {
            freed.push(body.cast_unsigned());
        } else {
            connection.prepare_cached("DELETE FROM small WHERE body = ?1")?.execute([body])?;
        }
    }
    Ok(())
}

/// The highest number in use by an object or a body.
pub(super) fn highest_number(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT max(coalesce((SELECT max(id) FROM objects), 0), coalesce((SELECT max(id) FROM bodies), 0))";
    connection.query_row(sql, [], |row| number(row, 0))
}

/// Goes through all objects in order, each with its number and the bodies it refers
/// to.
pub(super) fn each_reference(connection: &Connection, mut look: impl FnMut(Key, u64, u64)) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT DISTINCT o.key, o.id, e.body FROM objects o JOIN extents e ON e.object = o.id ORDER BY o.key, e.body",
    )?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        look(Key::new(row.get::<_, String>(0)?), number(row, 1)?, number(row, 2)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_above_all_that_begin_with_it() {
        for (prefix, end) in [
            ("a", Some("b")),
            ("dir/", Some("dir0")),
            ("", None),
            ("\u{10ffff}", None),
            ("a\u{10ffff}", Some("b")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("\u{7f}", Some("\u{80}")),
        ] {
            assert_eq!(prefix_end(prefix).as_deref(), end, "{prefix:?}");
        }
    }
}
