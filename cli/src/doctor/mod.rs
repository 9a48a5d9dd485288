//! `kubectl fleet doctor`: what keeps a fleet from working, and what to do about it. Changes nothing. What the operator has tried,
//! it says in the fleet's status; what nobody tells is looked at here, with the caller's own rights.

mod finding;
mod launches;
mod queues;
mod quotas;
mod said;
mod secrets;
mod storage;
mod text;

use std::io::Write as _;

use anyhow::Result;
use crds::ClassifierFleet;
use ec2::Ec2;
use kube::ResourceExt as _;
use service::aws::{Place, config};

pub use finding::{Finding, Verdict};
pub use said::by_the_operator;

use crate::args::DoctorArgs;
use crate::cluster::Cluster;
use crate::paint::Paint;

/// Examines the fleets asked for; false: something is wrong with one.
///
/// # Errors
/// When the cluster does not answer: why, and what to do.
pub async fn run(args: &DoctorArgs) -> Result<bool> {
    let cluster = Cluster::connect(&args.cluster, false).await?;
    let mut is_well = true;
    for fleet in cluster.list(args.name.as_deref()).await? {
        let findings = examine(&cluster, &fleet).await;
        is_well &= findings.iter().all(|finding| finding.verdict != Verdict::Wrong);
        std::io::stdout().lock().write_all(text::text(&fleet.name_any(), &findings, Paint::for_stdout()).as_bytes())?;
    }
    Ok(is_well)
}

/// All that was looked at, by subject.
async fn examine(cluster: &Cluster, fleet: &ClassifierFleet) -> Vec<Finding> {
    let place = Place { region: fleet.spec.region.clone(), endpoint_url: fleet.spec.endpoint_url.clone() };
    let aws = config("kubectl-fleet", &place).await;
    let (ec2, s3, sqs) = (Ec2::new(&aws), aws_sdk_s3::Client::new(&aws), aws_sdk_sqs::Client::new(&aws));
    let service_quotas = aws_sdk_servicequotas::Client::new(&aws);
    let (secrets, launches, quotas, model, buckets, queues) = tokio::join!(
        secrets::check(cluster, fleet),
        launches::check(&ec2, fleet),
        quotas::check(&ec2, &service_quotas, &fleet.spec),
        storage::model(&s3, &fleet.spec.model.uri),
        storage::buckets(&s3, &fleet.spec.storage),
        queues::check(&sqs, &fleet.spec),
    );
    [by_the_operator(fleet), secrets, launches, quotas, model, buckets, queues].concat()
}
