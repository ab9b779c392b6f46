//! Renames among a plan's rows.
//!
//! Which steps turn out to be renames, and what became of the old objects of those that
//! were carried out: a renamed folder may hold millions, so that neither is kept in
//! memory. What makes two files the same one is decided in `core/moves.rs`.

use super::{Result, Spool, rows, to_json};
use rusqlite::{OptionalExtension, params};
use tidelock_core::path::Key;
use tidelock_core::plan::Step;

impl Spool<'_> {
    /// Notes that the step at this place may become this rename of `from`.
    pub fn note_rename(&self, seq: i64, from: &Key, step: &Step) -> Result<()> {
        let sql = "INSERT INTO temp.rename VALUES (?1, ?2, ?3)";
        self.state.lock().prepare_cached(sql)?.execute(params![seq, from.as_str(), to_json(step)?])?;
        Ok(())
    }

    /// The renames that were noted, in key order, after a place.
    pub fn renames(&self, after_seq: i64) -> Result<Vec<(i64, Step)>> {
        self.select("SELECT seq, json FROM temp.rename WHERE seq > ?1 ORDER BY seq LIMIT 1000", params![after_seq])
    }

    /// The rename that was noted for this new key, if one was.
    pub fn rename_to(&self, key: &Key) -> Result<Option<Step>> {
        let sql = "SELECT r.seq, r.json FROM temp.rename r JOIN temp.step s ON s.seq = r.seq WHERE s.key = ?1";
        Ok(self.select(sql, params![key.as_str()])?.into_iter().next().map(|(_, step)| step))
    }

    /// Whether a rename was noted that leaves this key.
    pub fn is_renamed(&self, key: &Key) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM temp.rename WHERE source = ?1)";
        Ok(self.state.lock().prepare_cached(sql)?.query_row([key.as_str()], |row| row.get(0))?)
    }

    /// Notes that the objects of these old keys are where they were renamed to. Of keys whose
    /// rows are marked so by this run, the commit does that.
    pub fn note_moved<'k>(&self, keys: impl Iterator<Item = &'k Key>) -> Result<()> {
        let mut connection = self.state.lock();
        let transaction = connection.transaction()?;
        for key in keys {
            transaction.prepare_cached(rows::NOTE_SOURCE)?.execute(params![key.as_str(), true])?;
        }
        Ok(transaction.commit()?)
    }

    /// Notes that the object of an old key waits with its new one for somebody.
    pub fn note_waiting(&self, key: &Key) -> Result<()> {
        self.state.lock().prepare_cached(rows::NOTE_SOURCE)?.execute(params![key.as_str(), false])?;
        Ok(())
    }

    /// Whether the object of an old key is where it was renamed to, or waits; if it is noted.
    pub fn source(&self, from: &Key) -> Result<Option<bool>> {
        let sql = "SELECT moved FROM temp.source WHERE key = ?1";
        let connection = self.state.lock();
        Ok(connection.prepare_cached(sql)?.query_row([from.as_str()], |row| row.get(0)).optional()?)
    }
}
