//! What instances cost, as the user's price file says. Knows nothing of what runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

/// The prices, in the order of the file. Without a file there are none, and nothing is told of costs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prices(Arc<[Price]>);

/// A price, and what it is for; what it does not say may be anything.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Price {
    instance_type: String,
    usd_per_hour: f64,
    #[serde(default)]
    spot: Option<bool>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    zone: Option<String>,
}

/// What a price is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Such as `t3.small`.
    pub instance_type: &'a str,
    /// Spot rather than on-demand.
    pub spot: bool,
    /// The region.
    pub region: &'a str,
    /// The availability zone, if it is known.
    pub zone: Option<&'a str>,
}

/// The price file does not serve.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// It cannot be read.
    #[error("the price file {path} cannot be read: {source}")]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not understood.
    #[error(
        "the price file is not understood: {0}\nIt is a list, YAML or JSON, of entries such as \
         {{instanceType: t3.small, spot: false, region: us-east-1, usdPerHour: 0.0208}}; spot, region and zone may be left out"
    )]
    Form(String),
    /// A price is none.
    #[error("usdPerHour of {0} in the price file must be a number of 0 or more")]
    Negative(String),
}

impl Prices {
    /// Those of the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is not understood.
    pub fn read(path: &Path) -> Result<Self, PriceError> {
        let text = std::fs::read_to_string(path).map_err(|source| PriceError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Those of a list in YAML or JSON.
    ///
    /// # Errors
    /// When it is not understood.
    pub fn parse(text: &str) -> Result<Self, PriceError> {
        let prices: Vec<Price> = serde_saphyr::from_str(text).map_err(|error| PriceError::Form(error.to_string()))?;
        match prices.iter().find(|price| !(price.usd_per_hour.is_finite() && price.usd_per_hour >= 0.0)) {
            Some(price) => Err(PriceError::Negative(price.instance_type.clone())),
            None => Ok(Self(prices.into())),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// US dollars per hour: of the first entry that fits.
    #[must_use]
    pub fn usd_per_hour(&self, wanted: Wanted<'_>) -> Option<f64> {
        let fits = |price: &&Price| {
            let Price { instance_type, usd_per_hour: _, spot, region, zone } = price;
            instance_type == wanted.instance_type
                && spot.is_none_or(|spot| spot == wanted.spot)
                && region.as_deref().is_none_or(|region| region == wanted.region)
                && zone.as_deref().is_none_or(|zone| Some(zone) == wanted.zone)
        };
        self.0.iter().find(fits).map(|price| price.usd_per_hour)
    }
}
