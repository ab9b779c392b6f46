//! Plans as files: NDJSON, one header, the steps, one footer.
//!
//! Written and read a line at a time. The footer's digest covers every line before
//! it, so that a plan that was cut or edited is refused before its first step; a
//! step whose path and key do not belong together is refused as well.

use crate::failure::Failure;
use crate::pair::Pair;
use crate::state::Spool;
use crate::survey::Survey;
use std::io::{BufRead, Write};
use tidelock_core::entry::Digest;
use tidelock_core::meta::MetaFormat;
use tidelock_core::names::{Kind, LinkStyle, entry_of};
use tidelock_core::plan::{Footer, Header, LINE_MAX_BYTES, PLAN_VERSION, Said, StepLine, Totals};

/// What a plan calls the pair that it is for.
pub struct Names<'a> {
    /// Its id.
    pub pair: &'a str,
    /// The folder.
    pub local: &'a str,
    /// The remote's URL.
    pub remote: &'a str,
    /// What the configuration calls them.
    pub said: Said,
}

/// The first line of a plan: what `apply` must know and what must still be so then.
/// `generation` was taken before the survey.
pub fn header(pair: &Pair, names: Names<'_>, generation: &str, seen: &Survey) -> Header {
    let settings = &pair.settings;
    Header {
        tidelock_plan: PLAN_VERSION,
        pair: names.pair.to_owned(),
        local: names.local.to_owned(),
        remote: names.remote.to_owned(),
        said: names.said,
        policy: settings.policy,
        rules: settings.rules.clone(),
        filter: seen.filter.clone(),
        generation: generation.to_owned(),
        format: settings.format,
        xattrs: settings.scan.xattrs,
        follow_links: settings.scan.follow_links,
    }
}

/// Writes a complete plan.
pub fn write(out: &mut dyn Write, header: &Header, spool: &Spool<'_>, totals: Totals) -> Result<(), Failure> {
    let mut hasher = blake3::Hasher::new();
    put(out, &mut hasher, header)?;
    let mut after = 0;
    loop {
        let page = spool.lines(after)?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        for (_, line) in &page {
            put(out, &mut hasher, line)?;
        }
    }
    let digest = Digest(*hasher.finalize().as_bytes());
    put(out, &mut hasher, &Footer { totals, digest })?;
    out.flush().map_err(|error| trouble(&error))
}

fn put(out: &mut dyn Write, hasher: &mut blake3::Hasher, line: &impl serde::Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_vec(line).map_err(|error| invalid(&error.to_string()))?;
    text.push(b'\n');
    hasher.update(&text);
    out.write_all(&text).map_err(|error| trouble(&error))
}

/// A plan being read.
pub struct Reader<'a> {
    input: &'a mut (dyn BufRead + Send),
    hasher: blake3::Hasher,
}

impl<'a> Reader<'a> {
    /// Reads the first line.
    pub fn start(input: &'a mut (dyn BufRead + Send)) -> Result<(Self, Header), Failure> {
        let mut reader = Self { input, hasher: blake3::Hasher::new() };
        let line = reader.line()?.ok_or_else(|| invalid("it is empty"))?;
        let version = serde_json::from_slice::<serde_json::Value>(&line)
            .ok()
            .and_then(|header| header.get("tidelock_plan").and_then(serde_json::Value::as_u64))
            .ok_or_else(|| invalid("its first line is not the header of a plan"))?;
        if version != u64::from(PLAN_VERSION) {
            return Err(invalid(&format!("it is of version {version}, and this program knows {PLAN_VERSION}")));
        }
        let header = serde_json::from_slice(&line).map_err(|error| invalid(&format!("its header: {error}")))?;
        reader.hasher.update(&line);
        Ok((reader, header))
    }

    /// Reads the steps into the spool; what they add up to, if all is as written.
    pub fn load(mut self, spool: &Spool<'_>, links: LinkStyle) -> Result<Totals, Failure> {
        spool.fill()?;
        let loaded = self.load_lines(spool, links);
        spool.filled()?;
        loaded
    }

    fn load_lines(&mut self, spool: &Spool<'_>, links: LinkStyle) -> Result<Totals, Failure> {
        let mut counted = Totals::default();
        let mut number = 1_u64;
        loop {
            let line = self.line()?.ok_or_else(|| invalid("it ends early: its last line is missing"))?;
            number += 1;
            if let Ok(footer) = serde_json::from_slice::<Footer>(&line) {
                counted.renamed_here = spool.renamed_here()?;
                return self.close(&footer, counted);
            }
            let step: StepLine =
                serde_json::from_slice(&line).map_err(|error| invalid(&format!("line {number}: {error}")))?;
            let belongs = entry_of(&step.step.key, links).is_ok_and(|(path, kind)| {
                // In the s3fs style a key does not tell a link from a file.
                path == step.step.path && (kind == step.step.kind || links == LinkStyle::Mode && kind == Kind::File)
            });
            if !belongs {
                return Err(invalid(&format!("line {number}: its path and its key do not belong together")));
            }
            self.hasher.update(&line);
            counted.add(&step.step);
            spool.load(&step)?;
        }
    }

    fn close(&mut self, footer: &Footer, counted: Totals) -> Result<Totals, Failure> {
        if footer.digest != Digest(*self.hasher.finalize().as_bytes()) {
            return Err(invalid("it was edited or damaged: its digest does not fit its lines"));
        }
        if self.line()?.is_some() {
            return Err(invalid("something follows its last line"));
        }
        let Totals { here, there, agreed, unchanged, problems, .. } = footer.totals;
        if (Totals { here, there, agreed, unchanged, problems, ..counted }) != footer.totals {
            return Err(invalid("its totals do not fit its steps"));
        }
        Ok(footer.totals)
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut line = Vec::new();
        let mut limited = std::io::Read::take(&mut *self.input, LINE_MAX_BYTES);
        limited.read_until(b'\n', &mut line).map_err(|error| trouble(&error))?;
        match line.last() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(line)),
            Some(_) => Err(invalid("it ends within a line")),
        }
    }
}

/// How a plan's header says that links are stored.
pub fn links(format: MetaFormat) -> LinkStyle {
    if format == MetaFormat::S3fs { LinkStyle::Mode } else { LinkStyle::Suffix }
}

fn invalid(why: &str) -> Failure {
    Failure::Unable(format!("this plan cannot be carried out: {why}; nothing was changed"))
}

fn trouble(error: &std::io::Error) -> Failure {
    Failure::Place { path: "the plan".to_owned(), kind: error.kind(), what: error.to_string() }
}
