//! The fleet's buckets: made if missing, with a rule for how long they keep what is in them, and deleted with the fleet if it
//! says so. Fleets may share buckets, for images and results have unique keys; but not with another retention.
//!
//! Nothing here opens a bucket to the public: S3 blocks that by default, and it stays so.

mod calls;
pub mod lifecycle;

use std::collections::BTreeSet;

use aws_sdk_s3::Client;
use crds::ClassifierFleet;

use self::calls::Lifecycle;
use self::lifecycle::{revised, rule_id};
use super::fault::Fault;
use super::names::Fleets;
use super::owner::{Owner, Registry, Whose};

/// Batches of up to 1,000 objects that are deleted at once: the next reconcile goes on, so that no bucket holds one up for ever.
pub const BATCHES: u32 = 50;

/// S3 as a fleet sees it, and whose buckets there are.
pub struct Place<'a> {
    /// S3.
    pub s3: &'a Client,
    /// The region of buckets that are made.
    pub region: &'a str,
    /// The fleet, as its tags say.
    pub owner: &'a Owner,
    /// All fleets that are known.
    pub fleets: &'a Fleets,
}

impl Place<'_> {
    /// Makes the buckets of `fleet` that are missing and puts their rules right. Of those `known`, tags are not asked again.
    ///
    /// # Errors
    /// `RetentionDiffers` when a bucket is shared with another retention; others when S3 does not do what it is asked.
    pub async fn ensure(&self, fleet: &ClassifierFleet, known: &mut BTreeSet<String>, registry: &impl Registry) -> Result<(), Fault> {
        let storage = &fleet.spec.storage;
        for bucket in [&storage.input_bucket, &storage.output_bucket] {
            self.retain(fleet, bucket).await?;
            if !known.contains(bucket) {
                self.inherit(bucket, registry).await?;
                known.insert(bucket.clone());
            }
        }
        Ok(())
    }

    async fn retain(&self, fleet: &ClassifierFleet, bucket: &str) -> Result<(), Fault> {
        let days = fleet.spec.storage.retention_days;
        let sharing = self.fleets.sharing(fleet, bucket);
        if let Some((theirs, other)) = sharing.differs {
            return Err(differs(
                bucket,
                days,
                &format!("it is shared with the older fleet {other}, which keeps objects {}", for_days(theirs)),
            ));
        }
        let (rules, smallest) = match calls::lifecycle(self.s3, bucket).await? {
            Lifecycle::Rules(rules, smallest) => (rules, smallest),
            Lifecycle::NoBucket => return self.make(fleet, bucket).await,
            // A fleet without retention needs no rule.
            Lifecycle::Unknown(_) if days.is_none() => {
                return if calls::exists(self.s3, bucket).await? { Ok(()) } else { self.create(bucket).await };
            }
            Lifecycle::Unknown(fault) => return Err(fault),
        };
        let revised =
            revised(&rules, &rule_id(fleet), days, &sharing.rule_ids).map_err(|error| differs(bucket, days, &error.to_string()))?;
        let Some(rules) = revised else { return Ok(()) };
        let Owner { name, namespace, .. } = self.owner;
        tracing::info!(bucket, fleet = name, namespace, days, "the bucket's lifecycle is put right");
        calls::write_rules(self.s3, bucket, rules, smallest).await
    }

    async fn make(&self, fleet: &ClassifierFleet, bucket: &str) -> Result<(), Fault> {
        self.create(bucket).await?;
        let days = fleet.spec.storage.retention_days;
        match revised(&[], &rule_id(fleet), days, &[]).map_err(|error| differs(bucket, days, &error.to_string()))? {
            Some(rules) => calls::write_rules(self.s3, bucket, rules, None).await,
            None => Ok(()),
        }
    }

    async fn create(&self, bucket: &str) -> Result<(), Fault> {
        if calls::create(self.s3, self.region, bucket, self.owner.tags()).await? {
            tracing::info!(bucket, fleet = self.owner.name, namespace = self.owner.namespace, "bucket made");
        }
        Ok(())
    }

    /// A bucket that was made for a fleet which is gone belongs to this one now, with its deletion policy.
    async fn inherit(&self, bucket: &str, registry: &impl Registry) -> Result<(), Fault> {
        let Some(mut tags) = calls::tags(self.s3, bucket).await? else { return Ok(()) };
        if self.owner.whose(&tags, registry).await? != Whose::Inherited {
            return Ok(());
        }
        tags.extend(self.owner.tags());
        tracing::info!(
            bucket,
            fleet = self.owner.name,
            namespace = self.owner.namespace,
            "the bucket of a fleet that is gone is taken over"
        );
        calls::write_tags(self.s3, bucket, tags).await
    }

    /// Empties and deletes the buckets that the operator made for `fleet` and that no other fleet uses, at most `batches`
    /// times 1,000 objects of each.
    ///
    /// # Errors
    /// `CleaningUp` while there is more to delete; others when S3 does not do what it is asked.
    pub async fn delete(&self, fleet: &ClassifierFleet, batches: u32) -> Result<(), Fault> {
        let storage = &fleet.spec.storage;
        for bucket in [&storage.input_bucket, &storage.output_bucket] {
            self.delete_own(fleet, bucket, batches).await?;
        }
        Ok(())
    }

    async fn delete_own(&self, fleet: &ClassifierFleet, bucket: &str, batches: u32) -> Result<(), Fault> {
        let Owner { uid, name, namespace, .. } = self.owner;
        let Some(tags) = calls::tags(self.s3, bucket).await? else { return Ok(()) };
        if Owner::read(&tags).is_none_or(|tagged| tagged.uid != *uid) {
            tracing::info!(bucket, fleet = name, namespace, "the bucket was not made for the fleet and stays");
            return Ok(());
        }
        if let Some(user) = self.fleets.user_of(bucket, fleet) {
            tracing::info!(bucket, fleet = name, namespace, user, "the bucket is used by another fleet and stays");
            return Ok(());
        }
        empty(self.s3, bucket, batches).await?;
        if !calls::delete(self.s3, bucket).await? {
            return Err(cleaning(bucket));
        }
        tracing::info!(bucket, fleet = name, namespace, "bucket deleted");
        Ok(())
    }
}

async fn empty(s3: &Client, bucket: &str, batches: u32) -> Result<(), Fault> {
    for _ in 0..batches {
        match calls::objects(s3, bucket).await? {
            None => return Ok(()),
            Some(objects) if objects.is_empty() => return Ok(()),
            Some(objects) => calls::delete_objects(s3, bucket, objects).await?,
        }
    }
    Err(cleaning(bucket))
}

fn cleaning(bucket: &str) -> Fault {
    let message = format!("The bucket {bucket} is being emptied before it is deleted, for spec.deletion.buckets is Delete.");
    Fault { reason: "CleaningUp", message }
}

fn differs(bucket: &str, days: Option<i32>, why: &str) -> Fault {
    let message = format!(
        "spec.storage.retentionDays asks to keep the objects of the bucket {bucket} {}, but {why}: give both fleets the same retentionDays, or this one \
         buckets of its own; a rule that is left over from a fleet that is gone can be removed from the bucket.",
        for_days(days)
    );
    Fault { reason: "RetentionDiffers", message }
}

fn for_days(days: Option<i32>) -> String {
    days.map_or_else(|| "for ever".to_owned(), |days| format!("for {days} days"))
}
