//! `buckets`: which buckets the credentials may see.
//! One question to the service. No bucket is looked into: which of them may be listed
//! is told when one is.

use super::open::s3_options;
use crate::api::{BucketReply, Buckets, BucketsReply, Context, Options};
use crate::failure::Failure;
use tidelock_remote::s3::buckets;

/// One look.
pub async fn run(context: &Context, request: &Buckets) -> Result<BucketsReply, Failure> {
    let options = s3_options(context, &request.service, &Options::default()).await?;
    let found = buckets(context.world.clone(), options).await?;
    let told = |bucket: tidelock_remote::s3::Bucket| BucketReply { name: bucket.name, created_s: bucket.created_s };
    Ok(BucketsReply { buckets: found.into_iter().map(told).collect() })
}
