//! Base rows as SQL.
//!
//! One place writes a [`BaseRow`] and one reads it back; the columns are flat so
//! that people can query them and a row stays small.

use super::{Change, Error, Result};
use rusqlite::{Connection, Row, params};
use tidelock_core::entry::{BaseRow, Digest, FileId, LocalHalf, LocalStamp, Meta, RemoteHalf, RemoteStamp, Standing};
use tidelock_core::names::Kind;
use tidelock_core::path::Key;

pub(super) const COLUMNS: &str = "key, kind, standing, \
    l_size, l_mtime, l_change, l_inode, l_birth, l_racy, l_mode, l_uid, l_gid, l_xattrs, \
    r_etag, r_size, r_modified, r_meta, r_mtime, r_mode, r_uid, r_gid, r_xattrs, digest, moved_to";

/// Notes in the spool what became of the old object of a rename.
pub(super) const NOTE_SOURCE: &str = "INSERT OR REPLACE INTO temp.source VALUES (?1, ?2)";

/// Applies one change inside a transaction.
pub(super) fn apply(connection: &Connection, change: &Change) -> Result<()> {
    match change {
        Change::Put(row) => write(connection, row)?,
        Change::Drop(key) => {
            connection.prepare_cached("DELETE FROM base WHERE key = ?1")?.execute([key.as_str()])?;
        }
        Change::Moved(from, to) => {
            let sql = "UPDATE base SET moved_to = ?2 WHERE key = ?1";
            connection.prepare_cached(sql)?.execute([from.as_str(), to.as_str()])?;
            connection.prepare_cached(NOTE_SOURCE)?.execute(params![from.as_str(), true])?;
        }
        Change::Stand(key, standing) => {
            let sql = "UPDATE base SET standing = ?2 WHERE key = ?1";
            connection.prepare_cached(sql)?.execute([key.as_str(), standing_name(*standing)])?;
        }
    }
    Ok(())
}

fn write(connection: &Connection, row: &BaseRow) -> Result<()> {
    let here = row.here.as_ref();
    let there = row.there.as_ref();
    let there_meta = there.and_then(|half| half.meta.as_ref());
    let sql = format!(
        "INSERT OR REPLACE INTO base ({COLUMNS}) VALUES \
         (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24)"
    );
    connection.prepare_cached(&sql)?.execute(params![
        row.key.as_str(),
        kind_name(row.kind),
        standing_name(row.standing),
        here.map(|half| half.stamp.size.cast_signed()),
        here.map(|half| half.stamp.mtime_ns),
        here.map(|half| half.stamp.change_ns),
        here.map(|half| half.stamp.file_id.inode.cast_signed()),
        here.map(|half| half.stamp.file_id.birth_ns),
        here.map(|half| half.racy),
        here.and_then(|half| half.meta.mode),
        here.and_then(|half| half.meta.uid),
        here.and_then(|half| half.meta.gid),
        here.and_then(|half| xattrs_text(&half.meta)),
        there.map(|half| half.stamp.etag.as_str()),
        there.map(|half| half.stamp.size.cast_signed()),
        there.and_then(|half| half.stamp.modified_s),
        there.map(|half| half.meta.is_some()),
        there_meta.and_then(|meta| meta.mtime_ns),
        there_meta.and_then(|meta| meta.mode),
        there_meta.and_then(|meta| meta.uid),
        there_meta.and_then(|meta| meta.gid),
        there_meta.and_then(xattrs_text),
        row.digest.map(|digest| digest.0.to_vec()),
        row.moved_to.as_ref().map(Key::as_str),
    ])?;
    Ok(())
}

/// Reads a row selected by [`COLUMNS`]. The outer error is SQLite's, the inner one
/// says that the row makes no sense.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Result<BaseRow>> {
    // What is looked at where it lies costs nothing: a run reads every row there is.
    let key = row.get_ref(0)?.as_str()?;
    let (kind, standing) = (row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
    let digest = row.get_ref(22)?.as_blob_or_null()?.map(<[u8; 32]>::try_from).transpose();
    let (Some(kind), Some(standing), Ok(digest)) = (parse_kind(kind), parse_standing(standing), digest) else {
        return Ok(Err(Error::Row(format!("{key:?}: kind {kind:?}, standing {standing:?}"))));
    };
    Ok(Ok(BaseRow {
        key: Key::new(key),
        kind,
        standing,
        here: read_here(row)?,
        there: read_there(row)?,
        digest: digest.map(Digest),
        moved_to: row.get_ref(23)?.as_str_or_null()?.map(Key::new),
    }))
}

fn read_here(row: &Row<'_>) -> rusqlite::Result<Option<LocalHalf>> {
    let Some(size) = row.get::<_, Option<i64>>(3)? else { return Ok(None) };
    let mtime_ns = row.get(4)?;
    let stamp = LocalStamp {
        size: size.cast_unsigned(),
        mtime_ns,
        change_ns: row.get(5)?,
        file_id: FileId { inode: row.get::<_, i64>(6)?.cast_unsigned(), birth_ns: row.get(7)? },
    };
    let meta = Meta {
        mtime_ns: Some(mtime_ns),
        mode: row.get(9)?,
        uid: row.get(10)?,
        gid: row.get(11)?,
        xattrs: parse_xattrs(row.get_ref(12)?.as_str_or_null()?),
    };
    Ok(Some(LocalHalf { stamp, meta, racy: row.get::<_, Option<bool>>(8)?.unwrap_or(true) }))
}

fn read_there(row: &Row<'_>) -> rusqlite::Result<Option<RemoteHalf>> {
    let Some(etag) = row.get_ref(13)?.as_str_or_null()?.map(str::to_owned) else { return Ok(None) };
    let size = row.get::<_, Option<i64>>(14)?.unwrap_or(0).cast_unsigned();
    let stamp = RemoteStamp { etag, size, modified_s: row.get(15)? };
    let known = row.get::<_, Option<bool>>(16)?.unwrap_or(false);
    let meta = Meta {
        mtime_ns: row.get(17)?,
        mode: row.get(18)?,
        uid: row.get(19)?,
        gid: row.get(20)?,
        xattrs: parse_xattrs(row.get_ref(21)?.as_str_or_null()?),
    };
    Ok(Some(RemoteHalf { stamp, meta: known.then_some(meta) }))
}

fn xattrs_text(meta: &Meta) -> Option<String> {
    meta.xattrs.as_ref().and_then(|xattrs| serde_json::to_string(xattrs).ok())
}

fn parse_xattrs(text: Option<&str>) -> Option<std::collections::BTreeMap<String, Vec<u8>>> {
    // Unreadable means unknown, which is never a difference.
    text.and_then(|text| serde_json::from_str(text).ok())
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Dir => "dir",
        Kind::Link => "link",
    }
}

fn parse_kind(name: &str) -> Option<Kind> {
    [Kind::File, Kind::Dir, Kind::Link].into_iter().find(|kind| kind_name(*kind) == name)
}

fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Agreed => "agreed",
        Standing::Known => "known",
        Standing::Lapsed => "lapsed",
        Standing::Pruned => "pruned",
    }
}

fn parse_standing(name: &str) -> Option<Standing> {
    [Standing::Agreed, Standing::Known, Standing::Lapsed, Standing::Pruned]
        .into_iter()
        .find(|standing| standing_name(*standing) == name)
}
