//! The fleet's launch template, with a version for its revision.

use super::Fault;
use crate::clouds::Cloud;
use crate::revision::Revision;

/// Largest user data that EC2 takes, in bytes before base64.
const USER_DATA_AT_MOST: usize = 16 * 1024;

/// Makes the template or the version if missing, and answers with the version's number.
pub async fn ensure(cloud: &Cloud, revision: &Revision) -> Result<i64, Fault> {
    let size = revision.version.user_data.len();
    if size > USER_DATA_AT_MOST {
        let message = format!(
            "Workers would start with {size} bytes of user data, and EC2 takes {USER_DATA_AT_MOST}: shorten spec.workers.template.userData, \
             or let it fetch what it needs."
        );
        return Err(Fault { reason: "UserDataTooLong", message });
    }
    let made = cloud.ec2.ensure_template(&revision.template, &revision.version).await;
    made.map_err(|error| Fault { reason: "LaunchTemplateRefused", message: error.to_string() })
}
