//! What we have to know of instance types.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::InstanceType;

use crate::actions::DESCRIBE_TYPES;
use crate::{Ec2, Error};

impl Ec2 {
    /// vCPUs of each of these instance types (at most 100), which is what quotas count.
    ///
    /// # Errors
    /// As EC2 answers; it refuses all if it does not know one in this region (`InvalidInstanceType`).
    pub async fn vcpus(&self, types: &[String]) -> Result<BTreeMap<String, u32>, Error> {
        let types = types.iter().map(|name| InstanceType::from(name.as_str())).collect();
        let call = self.api.client.describe_instance_types().set_instance_types(Some(types));
        let answer = self.api.gate.call(DESCRIBE_TYPES, || call.clone().send()).await?;
        let known = answer.instance_types().iter().filter_map(|found| {
            let vcpus = u32::try_from(found.v_cpu_info()?.default_v_cpus()?).ok()?;
            Some((found.instance_type()?.as_str().to_owned(), vcpus))
        });
        Ok(known.collect())
    }
}
