//! What is asked of S3, one call each, and how its refusals read.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, CreateBucketConfiguration, Delete, LifecycleRule, ObjectIdentifier, Tag,
    Tagging, TransitionDefaultMinimumObjectSize,
};

use crate::prepare::fault::{Fault, code};
use crate::prepare::owner::Tags;

const REASON: &str = "BucketUnavailable";
const CLEAN_UP: &str = "CleanUpFailed";

/// The region whose buckets have no location constraint.
const CLASSIC: &str = "us-east-1";

/// What S3 says of a bucket's lifecycle.
pub(super) enum Lifecycle {
    /// There is no such bucket.
    NoBucket,
    /// The rules, and a setting that is written with them.
    Rules(Vec<LifecycleRule>, Option<TransitionDefaultMinimumObjectSize>),
    /// S3 does not say, for this operator may not know or this S3 has no such thing.
    Unknown(Fault),
}

/// Whether a bucket exists, and its lifecycle rules: one call for both.
pub(super) async fn lifecycle(s3: &Client, bucket: &str) -> Result<Lifecycle, Fault> {
    let error = match s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await {
        Ok(answer) => return Ok(Lifecycle::Rules(answer.rules.unwrap_or_default(), answer.transition_default_minimum_object_size)),
        Err(error) => error,
    };
    let fault =
        || Fault::aws(REASON, &format!("The lifecycle of the bucket {bucket} cannot be read"), "s3:GetLifecycleConfiguration", &error);
    match code(&error) {
        Some("NoSuchLifecycleConfiguration") => Ok(Lifecycle::Rules(Vec::new(), None)),
        Some("NoSuchBucket") => Ok(Lifecycle::NoBucket),
        Some("PermanentRedirect" | "AuthorizationHeaderMalformed") => {
            let message =
                format!("The bucket {bucket} is in another region: name one of the fleet's region in spec.storage, or a new one.");
            Err(Fault { reason: REASON, message })
        }
        Some("AccessDenied" | "NotImplemented" | "MethodNotAllowed") => Ok(Lifecycle::Unknown(fault())),
        _ => Err(fault()),
    }
}

/// Whether a bucket exists.
pub(super) async fn exists(s3: &Client, bucket: &str) -> Result<bool, Fault> {
    match s3.head_bucket().bucket(bucket).send().await {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(|answer| answer.is_not_found()) => Ok(false),
        Err(error) => Err(Fault::aws(REASON, &format!("The bucket {bucket} cannot be looked up"), "s3:ListBucket", &error)),
    }
}

/// Makes a bucket, tagged from its first moment. Whether it was made now.
pub(super) async fn create(s3: &Client, region: &str, bucket: &str, tags: Tags) -> Result<bool, Fault> {
    let what = format!("The bucket {bucket} cannot be made");
    let place = (region != CLASSIC).then(|| BucketLocationConstraint::from(region));
    let configuration = CreateBucketConfiguration::builder().set_location_constraint(place).set_tags(Some(tag_list(tags, &what)?)).build();
    match s3.create_bucket().bucket(bucket).create_bucket_configuration(configuration).send().await {
        Ok(_) => Ok(true),
        // Another operator, or the reconcile before this one, was faster.
        Err(error) if error.as_service_error().is_some_and(|answer| answer.is_bucket_already_owned_by_you()) => Ok(false),
        Err(error) if error.as_service_error().is_some_and(|answer| answer.is_bucket_already_exists()) => {
            let message =
                format!("{what}: somebody else owns a bucket of this name, and bucket names are global. Choose another in spec.storage.");
            Err(Fault { reason: REASON, message })
        }
        Err(error) => Err(Fault::aws(REASON, &what, "s3:CreateBucket and s3:TagResource", &error)),
    }
}

/// Writes all rules of a bucket.
pub(super) async fn write_rules(
    s3: &Client,
    bucket: &str,
    rules: Vec<LifecycleRule>,
    smallest: Option<TransitionDefaultMinimumObjectSize>,
) -> Result<(), Fault> {
    let what = format!("The lifecycle of the bucket {bucket} cannot be changed");
    let action = "s3:PutLifecycleConfiguration";
    if rules.is_empty() {
        let deleted = s3.delete_bucket_lifecycle().bucket(bucket).send().await;
        return deleted.map(drop).map_err(|error| Fault::aws(REASON, &what, action, &error));
    }
    let rules = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().map_err(|error| unbuilt(&what, &error))?;
    let call = s3.put_bucket_lifecycle_configuration().bucket(bucket).lifecycle_configuration(rules);
    let written = call.set_transition_default_minimum_object_size(smallest).send().await;
    written.map(drop).map_err(|error| Fault::aws(REASON, &what, action, &error))
}

/// The tags of a bucket; none when there is no such bucket.
pub(super) async fn tags(s3: &Client, bucket: &str) -> Result<Option<Tags>, Fault> {
    match s3.get_bucket_tagging().bucket(bucket).send().await {
        Ok(answer) => Ok(Some(answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect())),
        Err(error) => match code(&error) {
            Some("NoSuchTagSet" | "NotImplemented") => Ok(Some(Tags::new())),
            Some("NoSuchBucket") => Ok(None),
            _ => Err(Fault::aws(REASON, &format!("The tags of the bucket {bucket} cannot be read"), "s3:GetBucketTagging", &error)),
        },
    }
}

/// Writes all tags of a bucket.
pub(super) async fn write_tags(s3: &Client, bucket: &str, tags: Tags) -> Result<(), Fault> {
    let what = format!("The bucket {bucket} cannot be tagged");
    let tags = Tagging::builder().set_tag_set(Some(tag_list(tags, &what)?)).build().map_err(|error| unbuilt(&what, &error))?;
    let written = s3.put_bucket_tagging().bucket(bucket).tagging(tags).send().await;
    written.map(drop).map_err(|error| Fault::aws(REASON, &what, "s3:PutBucketTagging", &error))
}

/// Up to 1,000 objects of a bucket, with all their versions; none when there is no such bucket.
pub(super) async fn objects(s3: &Client, bucket: &str) -> Result<Option<Vec<ObjectIdentifier>>, Fault> {
    let what = format!("The objects of the bucket {bucket} cannot be listed");
    let answer = match s3.list_object_versions().bucket(bucket).send().await {
        Ok(answer) => answer,
        Err(error) if code(&error) == Some("NoSuchBucket") => return Ok(None),
        Err(error) => return Err(Fault::aws(CLEAN_UP, &what, "s3:ListBucketVersions", &error)),
    };
    let versions = answer.versions.unwrap_or_default().into_iter().map(|version| (version.key, version.version_id));
    let markers = answer.delete_markers.unwrap_or_default().into_iter().map(|marker| (marker.key, marker.version_id));
    let objects = versions.chain(markers).filter_map(|(key, version)| Some((key?, version)));
    let objects = objects.map(|(key, version)| ObjectIdentifier::builder().key(key).set_version_id(version).build());
    Ok(Some(objects.collect::<Result<_, _>>().map_err(|error| unbuilt(&what, &error))?))
}

/// Deletes up to 1,000 objects.
pub(super) async fn delete_objects(s3: &Client, bucket: &str, objects: Vec<ObjectIdentifier>) -> Result<(), Fault> {
    let what = format!("Objects of the bucket {bucket} cannot be deleted");
    let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(|error| unbuilt(&what, &error))?;
    let answer = s3.delete_objects().bucket(bucket).delete(delete).send().await;
    let answer = answer.map_err(|error| Fault::aws(CLEAN_UP, &what, "s3:DeleteObject and s3:DeleteObjectVersion", &error))?;
    let Some(error) = answer.errors().first() else { return Ok(()) };
    let (key, code) = (error.key().unwrap_or_default(), error.code().unwrap_or_default());
    let message = format!(
        "{what}: {key}: {code}: {}. Is there an object lock, or may the operator not delete it?",
        error.message().unwrap_or_default()
    );
    Err(Fault { reason: CLEAN_UP, message })
}

/// Deletes a bucket. Whether it is gone: it stays when something came into it meanwhile.
pub(super) async fn delete(s3: &Client, bucket: &str) -> Result<bool, Fault> {
    match s3.delete_bucket().bucket(bucket).send().await {
        Ok(_) => Ok(true),
        Err(error) => match code(&error) {
            Some("NoSuchBucket") => Ok(true),
            Some("BucketNotEmpty") => Ok(false),
            _ => Err(Fault::aws(CLEAN_UP, &format!("The bucket {bucket} cannot be deleted"), "s3:DeleteBucket", &error)),
        },
    }
}

fn tag_list(tags: Tags, what: &str) -> Result<Vec<Tag>, Fault> {
    let tags = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect::<Result<_, _>>().map_err(|error| unbuilt(what, &error))
}

fn unbuilt(what: &str, error: &impl std::fmt::Display) -> Fault {
    Fault { reason: REASON, message: format!("{what}: {error}") }
}
