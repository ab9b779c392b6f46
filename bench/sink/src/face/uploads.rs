//! Uploads in parts.
//!
//! Begin, parts sent and copied, completion under a condition, and the two listings, a
//! page at a time. The rules on parts are those of S3: their numbers ascend, only the
//! last may be small, and each is named by the entity tag that it was given.

use super::{Answered, Asked, Sink, empty, kept, now_s, range, stored, text, unquoted};
use crate::digest::{self, Checksums, Kind, md5_of_parts};
use crate::store::{Begun, Body, Object, Refusal, UploadName};
use crate::xml::{self, CompleteUpload};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use std::collections::BTreeMap;

const PART_MIN_BYTES: u64 = 5 << 20;
const PAGE: usize = 1000;

impl Asked<'_> {
    fn upload(&self) -> UploadName<'_> {
        UploadName { bucket: &self.bucket, key: &self.key, id: self.query("uploadId").unwrap_or_default() }
    }

    fn part_number(&self) -> Result<u32, Refusal> {
        let number = self.query("partNumber").and_then(|text| text.parse().ok());
        number.filter(|number| (1..=10_000).contains(number)).ok_or(Refusal::InvalidArgument)
    }

    fn page_limit(&self, name: &str) -> usize {
        self.query(name).and_then(|text| text.parse().ok()).unwrap_or(PAGE).clamp(1, PAGE)
    }
}

impl Sink {
    pub(super) fn begin(&self, asked: &Asked<'_>) -> Answered {
        let kind = asked.header("x-amz-checksum-algorithm").and_then(Kind::named);
        let full = match asked.header("x-amz-checksum-type") {
            Some(name) => name == "FULL_OBJECT",
            None => kind.is_none_or(|kind| kind == Kind::Crc64Nvme),
        };
        let kind = kind.unwrap_or(Kind::Crc64Nvme);
        let begun = Begun { at_s: now_s(), headers: kept(&asked.head.headers), kind, full };
        let id = self.store.begin(&asked.bucket, &asked.key, begun)?;
        Ok(text(xml::begun(&asked.bucket, &asked.key, &id)))
    }

    pub(super) fn abandon(&self, asked: &Asked<'_>) -> Answered {
        self.store.end(&asked.upload()).map(|()| empty(StatusCode::NO_CONTENT))
    }

    pub(super) fn part(&self, asked: &Asked<'_>, body: Body) -> Answered {
        let kind = self.store.kind(&asked.upload())?;
        let part = self.object(asked, body, kind)?;
        let answer = stored(&part)?;
        self.store.take_part(&asked.upload(), asked.part_number()?, part)?;
        Ok(answer)
    }

    pub(super) fn copy_part(&self, asked: &Asked<'_>, source: &(String, String)) -> Answered {
        let kind = self.store.kind(&asked.upload())?;
        let from = self.copy_source(asked, source)?;
        let len = from.body.len;
        let cut = asked.header("x-amz-copy-source-range").map(|text| range(text, len).ok_or(Refusal::InvalidRange));
        let (begin, end) = cut.transpose()?.unwrap_or((0, len));
        let mut part = self.object(asked, from.body.slice(begin, end), kind)?;
        if part.sums.is_empty() && (begin, end) == (0, len) {
            // Of bytes that were forgotten, only the sums remain.
            part.sums = from.sums.iter().filter(|sum| sum.of_parts.is_none()).cloned().collect();
        }
        let answer = xml::copied("CopyPartResult", &part);
        self.store.take_part(&asked.upload(), asked.part_number()?, part)?;
        Ok(text(answer))
    }

    pub(super) fn list_parts(&self, asked: &Asked<'_>) -> Answered {
        let name = asked.upload();
        let (_, parts) = self.store.upload(&name)?;
        let after: u32 = asked.query("part-number-marker").and_then(|text| text.parse().ok()).unwrap_or(0);
        let limit = asked.page_limit("max-parts");
        let page: BTreeMap<_, _> = parts.range(after.saturating_add(1)..).take(limit).collect();
        let last = page.last_key_value().map(|(number, _)| **number);
        let next = last.filter(|last| parts.range(last + 1..).next().is_some());
        let shown = page.into_iter().map(|(number, part)| (*number, part.as_ref()));
        Ok(text(xml::parts(&asked.key, name.id, shown, next)))
    }

    pub(super) fn list_uploads(&self, asked: &Asked<'_>) -> Answered {
        self.store.has_bucket(&asked.bucket)?;
        let query = |name: &str| asked.query(name).unwrap_or_default();
        let after = (query("key-marker"), query("upload-id-marker"));
        let mut found = self.store.uploads(&asked.bucket, query("prefix"), after);
        let limit = asked.page_limit("max-uploads");
        let more = found.len() > limit;
        found.truncate(limit);
        Ok(text(xml::uploads(&asked.bucket, &found, more, query("encoding-type") == "url")))
    }

    pub(super) fn complete(&self, asked: &Asked<'_>, body: &Body) -> Answered {
        let name = asked.upload();
        let bytes = body.pieces.concat();
        let wanted: CompleteUpload = xml::read(std::str::from_utf8(&bytes).map_err(|_| Refusal::InvalidArgument)?)?;
        let (begun, parts) = self.store.upload(&name)?;
        let (mut whole, mut chosen) = (Body::default(), Vec::new());
        let mut last = 0;
        for part in &wanted.parts {
            let found = parts.get(&part.number).filter(|found| found.etag == unquoted(&part.etag));
            let found = found.filter(|found| part.agrees(&found.sums) && part.number > last);
            let found = found.ok_or(Refusal::InvalidPart)?;
            whole.append(&found.body);
            chosen.push(found);
            last = part.number;
        }
        let Some((_, all_but_last)) = chosen.split_last() else { return Err(Refusal::InvalidArgument) };
        if all_but_last.iter().any(|part| part.body.len < PART_MIN_BYTES) {
            return Err(Refusal::EntityTooSmall);
        }
        let each = chosen.iter().map(|part| (part.sums.as_slice(), part.body.len));
        let sum = digest::of_parts(begun.kind, begun.full, each);
        let said = asked.sums.iter().find(|said| said.kind == begun.kind).filter(|_| begun.full);
        let differs = said.zip(sum.as_ref()).is_some_and(|(said, sum)| said.value != sum.value);
        if differs && self.behaviour.checksums != Checksums::None {
            return Err(Refusal::BadDigest);
        }
        let etag = match self.behaviour.md5_etags {
            true => md5_of_parts(chosen.iter().map(|part| part.etag.as_str())),
            false => format!("{:032x}-{}", self.store.fresh_id(), chosen.len()),
        };
        let mut headers = begun.headers;
        headers.extend(kept(&asked.head.headers).into_iter().filter(|(name, _)| name != CONTENT_TYPE));
        let object = Object { body: whole, etag, modified_s: now_s(), headers, sums: sum.into_iter().collect() };
        let answer = xml::completed(&asked.bucket, &asked.key, &object);
        self.store.put(&asked.bucket, &asked.key, object, &asked.condition())?;
        self.store.end(&name)?;
        Ok(text(answer))
    }
}
