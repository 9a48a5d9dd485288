//! The fleet's buckets.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use crds::ClassifierFleet;

use super::Fault;

/// The region whose buckets have no location constraint.
const CLASSIC: &str = "us-east-1";

/// Makes the buckets that are missing. Buckets that exist are left as they are.
pub async fn ensure(s3: &Client, region: &str, fleet: &ClassifierFleet) -> Result<(), Fault> {
    let storage = &fleet.spec.storage;
    for bucket in [&storage.input_bucket, &storage.output_bucket] {
        match s3.head_bucket().bucket(bucket).send().await {
            Ok(_) => {}
            Err(error) if error.as_service_error().is_some_and(|answer| answer.is_not_found()) => create(s3, region, bucket).await?,
            Err(error) => return Err(fault(bucket, &DisplayErrorContext(error).to_string())),
        }
    }
    Ok(())
}

async fn create(s3: &Client, region: &str, bucket: &str) -> Result<(), Fault> {
    let place = (region != CLASSIC)
        .then(|| CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(region)).build());
    match s3.create_bucket().bucket(bucket).set_create_bucket_configuration(place).send().await {
        Ok(_) => {
            tracing::info!(bucket, "bucket made");
            Ok(())
        }
        // Another operator, or the reconcile before this one, was faster.
        Err(error) if error.as_service_error().is_some_and(|answer| answer.is_bucket_already_owned_by_you()) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(|answer| answer.is_bucket_already_exists()) => {
            Err(fault(bucket, "somebody else owns a bucket of this name; bucket names are global, choose another"))
        }
        Err(error) => Err(fault(bucket, &DisplayErrorContext(error).to_string())),
    }
}

fn fault(bucket: &str, message: &str) -> Fault {
    Fault { reason: "BucketUnavailable", message: format!("The bucket {bucket} cannot be made or found: {message}") }
}
