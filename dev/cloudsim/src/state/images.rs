//! Owns DescribeImages. Images are all alike here: they are known by their ids alone.

use super::Cloud;
use crate::ids;
use crate::refusal::{IdKind, Refusal};

impl Cloud {
    /// The ids of the images that are asked for, of all of them if none is.
    ///
    /// # Errors
    /// `InvalidAMIID.Malformed`, `InvalidAMIID.NotFound`: one bad id fails the call.
    pub fn describe_images(&self, asked: &[String]) -> Result<Vec<&String>, Refusal> {
        ids::check_form(IdKind::Image, asked)?;
        let images = &self.settings.images;
        let missing: Vec<String> = asked.iter().filter(|id| !images.contains(*id)).cloned().collect();
        if !missing.is_empty() {
            return Err(Refusal::NotFound(IdKind::Image, missing));
        }
        Ok(images.iter().filter(|id| asked.is_empty() || asked.contains(id)).collect())
    }
}
