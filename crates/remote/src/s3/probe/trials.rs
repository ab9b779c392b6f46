//! One trial for each ability: what must be refused, what must be granted.
//!
//! Pure sequences over a [`Bench`]; nothing here cleans up or remembers.

use super::bench::{Answer, Bench, WRONG_ETAG, element, tag};
use crate::error::{ErrorKind, Result};
use crate::s3::client::Request;
use crate::s3::headers::{CRC64NVME, write_checksum};
use crate::{Ability, Cursor, Page};
use crc_fast::{CrcAlgorithm, checksum};
use http::Method;
use tidelock_core::path::Key;

/// Whether the place has the ability.
pub(super) async fn run(bench: &mut Bench<'_>, ability: Ability) -> Result<bool> {
    match ability {
        Ability::PutIfAbsent => put_if_absent(bench).await,
        Ability::PutIfMatch => put_if_match(bench).await,
        Ability::DeleteIfMatch => delete_if_match(bench).await,
        Ability::BatchDeleteIfMatch => batch_delete_if_match(bench).await,
        Ability::CopyIfMatch => copy_if_match(bench).await,
        Ability::CopySourceIfMatch => copy_source_if_match(bench).await,
        Ability::PartCopy => part_copy(bench).await,
        Ability::Crc64Nvme => crc64nvme(bench).await,
        Ability::Versions => versions(bench).await,
        Ability::OrderedList => ordered_list(bench).await,
    }
}

const IF_ABSENT: (&str, &str) = ("if-none-match", "*");

async fn put_if_absent(bench: &mut Bench<'_>) -> Result<bool> {
    let (single, parts) = (bench.key("a"), bench.key("b"));
    if !bench.put(&single, "first", &[IF_ABSENT]).await?.is_granted() {
        return Ok(false);
    }
    if !bench.put(&single, "second", &[IF_ABSENT]).await?.is_refused() {
        return Ok(false);
    }
    Ok(upload(bench, &single, "third", &[IF_ABSENT]).await?.is_refused()
        && bench.read(&single).await?.as_deref() == Some("first")
        && upload(bench, &parts, "first", &[IF_ABSENT]).await?.is_granted())
}

async fn put_if_match(bench: &mut Bench<'_>) -> Result<bool> {
    let key = bench.key("a");
    let first = bench.create(&key, "first").await?;
    let wrong = tag(WRONG_ETAG);
    let wrong = [("if-match", wrong.as_str())];
    if !bench.put(&key, "wrong", &wrong).await?.is_refused() {
        return Ok(false);
    }
    let Answer::Granted(second) = bench.put(&key, "second", &[("if-match", &tag(&first))]).await? else {
        return Ok(false);
    };
    Ok(upload(bench, &key, "wrong", &wrong).await?.is_refused()
        && bench.read(&key).await?.as_deref() == Some("second")
        && upload(bench, &key, "third", &[("if-match", &tag(&second))]).await?.is_granted())
}

/// An upload of one part, completed under a condition.
async fn upload(bench: &mut Bench<'_>, key: &Key, body: &str, condition: &[(&str, &str)]) -> Result<Answer> {
    let Some(id) = bench.begin(key, &[]).await? else { return Ok(Answer::Foreign) };
    match bench.part(key, &id, body, &[]).await? {
        Answer::Granted(etag) => bench.complete(key, &id, &etag, condition).await,
        other => Ok(other),
    }
}

async fn delete_if_match(bench: &mut Bench<'_>) -> Result<bool> {
    let key = bench.key("a");
    let etag = bench.create(&key, "body").await?;
    Ok(bench.delete(&key, &[("if-match", &tag(WRONG_ETAG))]).await?.is_refused()
        && bench.read(&key).await?.is_some()
        && bench.delete(&key, &[("if-match", &tag(&etag))]).await?.is_granted()
        && bench.read(&key).await?.is_none())
}

async fn batch_delete_if_match(bench: &mut Bench<'_>) -> Result<bool> {
    let (kept, gone) = (bench.key("a"), bench.key("b"));
    bench.create(&kept, "kept").await?;
    let etag = bench.create(&gone, "gone").await?;
    let items = [(&kept, Some(WRONG_ETAG)), (&gone, Some(etag.as_str()))];
    let answers = match bench.s3.delete_objects(&items).await {
        Ok(answers) => answers,
        Err(error) if matches!(error.kind, ErrorKind::Unsupported | ErrorKind::Other | ErrorKind::Corrupt) => {
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    let refused = matches!(answers.get(kept.as_str()), Some(Err(error)) if error.kind == ErrorKind::Precondition);
    let granted = matches!(answers.get(gone.as_str()), Some(Ok(())));
    Ok(refused && granted && bench.read(&kept).await?.is_some() && bench.read(&gone).await?.is_none())
}

async fn copy_if_match(bench: &mut Bench<'_>) -> Result<bool> {
    let (from, to) = (bench.key("a"), bench.key("b"));
    bench.create(&from, "from").await?;
    let Answer::Granted(etag) = bench.copy(&from, &to, &[IF_ABSENT]).await? else { return Ok(false) };
    Ok(bench.copy(&from, &to, &[IF_ABSENT]).await?.is_refused()
        && bench.copy(&from, &to, &[("if-match", &tag(WRONG_ETAG))]).await?.is_refused()
        && bench.copy(&from, &to, &[("if-match", &tag(&etag))]).await?.is_granted())
}

async fn copy_source_if_match(bench: &mut Bench<'_>) -> Result<bool> {
    let (from, to) = (bench.key("a"), bench.key("b"));
    let etag = bench.create(&from, "from").await?;
    Ok(bench.copy(&from, &to, &[("x-amz-copy-source-if-match", &tag(WRONG_ETAG))]).await?.is_refused()
        && bench.read(&to).await?.is_none()
        && bench.copy(&from, &to, &[("x-amz-copy-source-if-match", &tag(&etag))]).await?.is_granted())
}

async fn part_copy(bench: &mut Bench<'_>) -> Result<bool> {
    let (from, to) = (bench.key("a"), bench.key("b"));
    bench.create(&from, "copied by parts").await?;
    let Some(id) = bench.begin(&to, &[]).await? else { return Ok(false) };
    let source = bench.source(&from);
    let Answer::Granted(etag) = bench.part(&to, &id, "", &[("x-amz-copy-source", &source)]).await? else {
        return Ok(false);
    };
    // A server that does not know the header stores an empty part.
    Ok(bench.complete(&to, &id, &etag, &[]).await?.is_granted()
        && bench.read(&to).await?.as_deref() == Some("copied by parts"))
}

async fn crc64nvme(bench: &mut Bench<'_>) -> Result<bool> {
    let (key, parts) = (bench.key("a"), bench.key("b"));
    let body = "checked";
    let sum = checksum(CrcAlgorithm::Crc64Nvme, body.as_bytes());
    let (right, wrong) = (write_checksum(sum), write_checksum(!sum));
    if !bench.put(&key, body, &[(CRC64NVME, &wrong)]).await?.is_refused() || bench.read(&key).await?.is_some() {
        return Ok(false);
    }
    if !bench.put(&key, body, &[(CRC64NVME, &right)]).await?.is_granted() {
        return Ok(false);
    }
    let kept = bench.s3.look(&key).await?.and_then(|object| object.crc64nvme);
    let whole = [("x-amz-checksum-algorithm", "CRC64NVME"), ("x-amz-checksum-type", "FULL_OBJECT")];
    let Some(id) = bench.begin(&parts, &whole).await? else { return Ok(false) };
    let Answer::Granted(etag) = bench.part(&parts, &id, body, &[(CRC64NVME, &right)]).await? else {
        return Ok(false);
    };
    let complete =
        |whole| [("part-crc64nvme", right.as_str()), (CRC64NVME, whole), ("x-amz-checksum-type", "FULL_OBJECT")];
    Ok(kept == Some(sum)
        && bench.complete(&parts, &id, &etag, &complete(wrong.as_str())).await?.is_refused()
        && bench.complete(&parts, &id, &etag, &complete(right.as_str())).await?.is_granted())
}

async fn versions(bench: &mut Bench<'_>) -> Result<bool> {
    let mut request = Request::reading("probe", Method::GET, None, "s3:GetBucketVersioning");
    request.query = vec![("versioning", "")];
    match bench.s3.client.send(&request).await {
        Ok(reply) => {
            let status = element(&reply.bytes().await?, "Status");
            Ok(status.as_deref() == Some("Enabled"))
        }
        // Who may not ask cannot rely on it.
        Err(error) if matches!(error.kind, ErrorKind::Denied | ErrorKind::NotFound) => Ok(false),
        Err(error) if matches!(error.kind, ErrorKind::Unsupported | ErrorKind::Other) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn ordered_list(bench: &mut Bench<'_>) -> Result<bool> {
    // Orders other than that of bytes differ on these: by segments, without case.
    let expected = ["B", "a.x", "a/x", "b", "é"].map(|name| bench.key(name));
    for key in expected.iter().rev() {
        bench.create(key, "x").await?;
    }
    let keys = |page: Page| -> Vec<Key> { page.objects.into_iter().map(|object| object.key).collect() };
    let (all, _) = bench.s3.page_as(&bench.stem(), &Cursor::start(), false).await?;
    let (rest, _) = bench.s3.page_as(&bench.stem(), &Cursor::after(&expected[1]), true).await?;
    Ok(keys(all) == expected && keys(rest) == expected[2..])
}
