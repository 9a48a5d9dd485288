//! Owns the spot market's side of a launch: what may be asked, as "SpotMarketOptions" documents it. There are no prices here.

use crate::refusal::Refusal;

/// EC2's smallest price, in USD an hour.
const MIN_PRICE: f64 = 0.001;

/// `InstanceMarketOptions` with `MarketType` = `spot`, as given. Requests are one-time, and interruption terminates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpotOptions {
    /// `MaxPrice`, in USD an hour.
    pub max_price: Option<String>,
    /// `SpotInstanceType`: `one-time`, which is also the default.
    pub request_type: Option<String>,
    /// `InstanceInterruptionBehavior`: `terminate` is the default and all that a one-time request may have.
    pub interruption_behavior: Option<String>,
    /// `ValidUntil`, which a one-time request may not have.
    pub valid_until: Option<String>,
}

impl SpotOptions {
    /// Whether an instance can be launched with these.
    ///
    /// # Errors
    /// `InvalidParameterCombination`, `InvalidParameterValue`.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if let Some(behavior) = self.interruption_behavior.as_deref().filter(|behavior| *behavior != "terminate") {
            return Err(Refusal::InvalidParameterCombination(format!(
                "The request with type 'one-time' is not supported when instanceInterruptionBehavior is set to '{behavior}'."
            )));
        }
        if self.valid_until.is_some() {
            return Err(Refusal::InvalidParameterCombination(
                "The parameter validUntil cannot be specified when the SpotRequestType is set to 'one-time'.".to_owned(),
            ));
        }
        match &self.max_price {
            Some(price) if !price.parse().is_ok_and(|price: f64| price > MIN_PRICE) => Err(Refusal::InvalidParameterValue(format!(
                "Value ({price}) for parameter maxPrice is invalid. It must be a price above {MIN_PRICE} USD an hour."
            ))),
            _ => Ok(()),
        }
    }
}
