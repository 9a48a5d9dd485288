//! Whether the account's quotas have room for all workers that a fleet may have. EC2 counts vCPUs by classes of instance types, on
//! demand and spot apart, over all that runs in a region.

use std::collections::BTreeMap;

use aws_sdk_servicequotas::Client;
use aws_sdk_servicequotas::error::DisplayErrorContext;
use crds::ClassifierFleetSpec;
use ec2::Ec2;

use super::finding::Finding;

const SUBJECT: &str = "quotas";

/// A class of instance types, as EC2 names it, and the codes of its two quotas ("Amazon EC2 instance type quotas").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Class {
    name: &'static str,
    on_demand: &'static str,
    spot: &'static str,
}

/// By the letters that a family begins with. High memory, HPC and Mac instances are counted otherwise, and no worker runs there.
const CLASSES: [(&[&str], Class); 8] = [
    (&["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"], class("Standard", "L-1216C47A", "L-34B43A08")),
    (&["dl"], class("DL", "L-6E869C2A", "L-85EED4F7")),
    (&["f"], class("F", "L-74FC7D96", "L-88CF9481")),
    (&["g", "gr", "vt"], class("G and VT", "L-DB2E81BA", "L-3819A6DF")),
    (&["inf"], class("Inf", "L-1945791B", "L-B5D1601B")),
    (&["p"], class("P", "L-417A185B", "L-7212CCBC")),
    (&["trn"], class("Trn", "L-2C3B7624", "L-6B0D517C")),
    (&["x"], class("X", "L-7295265B", "L-E3A00192")),
];

/// What a quota leaves to a fleet that has it to itself.
#[derive(Debug, Clone, PartialEq)]
struct Share {
    name: String,
    code: &'static str,
    vcpus: f64,
    /// Of the smallest of the fleet's types in the class.
    worker_vcpus: u32,
}

/// Whether the quotas have room for `workers.max`.
pub(super) async fn check(ec2: &Ec2, quotas: &Client, spec: &ClassifierFleetSpec) -> Vec<Finding> {
    let template = &spec.workers.template;
    vec![match shares(ec2, quotas, &template.instance_types, template.capacity.spot).await {
        Ok(shares) => judge(spec.workers.max, &shares),
        Err(finding) => finding,
    }]
}

/// The quotas that the fleet's workers count against; a finding of what kept them from being known.
async fn shares(ec2: &Ec2, quotas: &Client, types: &[String], spot: bool) -> Result<Vec<Share>, Finding> {
    let vcpus = ec2.vcpus(types).await.map_err(|error| {
        if error.is("InvalidInstanceType") {
            return Finding::wrong(SUBJECT, error.to_string(), "Name types of this region in spec.workers.template.instanceTypes");
        }
        Finding::unsaid(SUBJECT, "The vCPUs of the instance types", &error.to_string())
    })?;
    let mut shares = Vec::new();
    for (class, worker_vcpus) in smallest(&vcpus)? {
        for spot in if spot { [true, false].as_slice() } else { &[false] } {
            let (name, code) = class.quota(*spot);
            let vcpus = value(quotas, code).await.map_err(|why| Finding::unsaid(SUBJECT, &format!("The quota {name} ({code})"), &why))?;
            shares.push(Share { name, code, vcpus, worker_vcpus });
        }
    }
    Ok(shares)
}

async fn value(quotas: &Client, code: &str) -> Result<f64, String> {
    let answer = quotas.get_service_quota().service_code("ec2").quota_code(code).send().await;
    let answer = answer.map_err(|error| DisplayErrorContext(error).to_string())?;
    answer.quota.and_then(|quota| quota.value).ok_or_else(|| "Service Quotas gave no number".to_owned())
}

/// The fewest vCPUs of the types in each class: so many workers fit at most.
fn smallest(vcpus: &BTreeMap<String, u32>) -> Result<BTreeMap<Class, u32>, Finding> {
    let mut smallest = BTreeMap::new();
    for (name, vcpus) in vcpus {
        let class = class_of(name).ok_or_else(|| {
            let remedy = "Look at it in the console of Service Quotas, under Amazon EC2";
            Finding::unknown(SUBJECT, format!("Which quota counts {name} is not known here"), remedy)
        })?;
        let least = smallest.entry(class).or_insert(*vcpus);
        *least = (*least).min(*vcpus);
    }
    Ok(smallest)
}

fn judge(max: i32, shares: &[Share]) -> Finding {
    let fit: f64 = shares.iter().map(|share| (share.vcpus / f64::from(share.worker_vcpus)).floor()).sum();
    let missing = f64::from(max) - fit;
    let Some(first) = shares.first().filter(|_| missing > 0.0) else {
        return Finding::right(SUBJECT, format!("The vCPU quotas have room for {fit} workers, less what else runs in the account"));
    };
    let each = shares.iter().map(|share| format!("{} {} at {} a worker", share.name, share.vcpus, share.worker_vcpus));
    let each = each.collect::<Vec<_>>().join(", ");
    let wanted = first.vcpus + missing * f64::from(first.worker_vcpus);
    let sentence = format!("The vCPU quotas have room for {fit} workers, and workers.max is {max} ({each})");
    let remedy = format!(
        "Lower workers.max, or ask for more: aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {} \
         --desired-value {wanted}",
        first.code
    );
    Finding::wrong(SUBJECT, sentence, remedy)
}

fn class_of(instance_type: &str) -> Option<Class> {
    let letters = instance_type.split(|letter: char| !letter.is_ascii_lowercase()).next()?;
    CLASSES.iter().find(|(families, _)| families.contains(&letters)).map(|(_, class)| *class)
}

const fn class(name: &'static str, on_demand: &'static str, spot: &'static str) -> Class {
    Class { name, on_demand, spot }
}

impl Class {
    /// Name and code of the quota that counts its instances.
    fn quota(self, spot: bool) -> (String, &'static str) {
        if spot {
            (format!("All {} Spot Instance Requests", self.name), self.spot)
        } else {
            (format!("Running On-Demand {} instances", self.name), self.on_demand)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    fn share(code: &'static str, vcpus: f64, worker_vcpus: u32) -> Share {
        Share { name: code.to_owned(), code, vcpus, worker_vcpus }
    }

    #[test]
    fn a_family_is_of_the_class_that_its_letters_say() {
        for (name, class) in [
            ("t3.small", Some("Standard")),
            ("c7i.large", Some("Standard")),
            ("im4gn.large", Some("Standard")),
            ("inf2.xlarge", Some("Inf")),
            ("gr6.4xlarge", Some("G and VT")),
            ("dl1.24xlarge", Some("DL")),
            ("mac2.metal", None),
            ("u-6tb1.metal", None),
        ] {
            assert_eq!(class_of(name).map(|class| class.name), class, "{name}");
        }
    }

    #[test]
    fn the_smallest_type_of_a_class_counts() {
        let vcpus = |types: &[(&str, u32)]| types.iter().map(|(name, vcpus)| ((*name).to_owned(), *vcpus)).collect::<BTreeMap<_, _>>();
        let found = smallest(&vcpus(&[("c7i.xlarge", 4), ("t3.small", 2), ("g4dn.xlarge", 4)])).unwrap();
        let found: Vec<(&str, u32)> = found.iter().map(|(class, vcpus)| (class.name, *vcpus)).collect();
        assert_eq!(found, [("G and VT", 4), ("Standard", 2)]);
        assert_eq!(smallest(&vcpus(&[("mac2.metal", 8)])).unwrap_err().verdict, Verdict::Unknown);
    }

    #[test]
    fn quotas_have_room_for_all_workers_or_say_for_how_many() {
        let both = [share("L-SPOT", 10.0, 4), share("L-DEMAND", 5.0, 2)];
        assert_eq!(judge(4, &both).verdict, Verdict::Right);
        let short = judge(7, &both);
        assert_eq!(short.verdict, Verdict::Wrong);
        assert!(short.sentence.contains("room for 4 workers, and workers.max is 7"), "{}", short.sentence);
        assert!(short.remedy.unwrap().ends_with("--quota-code L-SPOT --desired-value 22"));
    }
}
