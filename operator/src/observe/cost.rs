//! What a fleet's instances cost, from their prices. Pure.

use std::collections::HashMap;

use ec2::{Instance, InstanceState};
use jiff::Timestamp;
use plan::Offering;

use crate::prices::{Prices, Wanted};

/// EC2 bills by the second, and so many at least for each start.
const BILLED_AT_LEAST_SECONDS: f64 = 60.0;

/// What a fleet costs, in US dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// All running instances together, each hour; none while the price of one of them is not known.
    pub usd_per_hour: Option<f64>,
    /// What they have cost since the operator first looked.
    pub usd_total: f64,
    /// 1,000 images at the rate that workers measured: what a busy worker costs. Boots and idle time come on top.
    pub usd_per_thousand_images: Option<f64>,
}

/// What instances have cost so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bills {
    /// Of each start of each instance; none before the first look, which only tells where the bills stand.
    starts: Option<HashMap<(String, Timestamp), f64>>,
    /// Since the first look.
    usd_total: f64,
}

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Running<'a> {
    /// The fleet's instances, listed at `at`.
    pub listed: &'a [Instance],
    /// When.
    pub at: Timestamp,
    /// Where.
    pub region: &'a str,
    /// Where workers are launched first: the price counts while none runs.
    pub first: Option<&'a Offering>,
    /// What one worker does.
    pub jobs_per_second: Option<f64>,
}

/// What the fleet costs; `bills` grow.
pub fn cost(prices: &Prices, bills: &mut Bills, running: Running<'_>) -> Cost {
    if prices.is_empty() {
        return Cost::default();
    }
    let Running { listed, at, region, first, jobs_per_second } = running;
    let instances: Vec<&Instance> = listed.iter().filter(|instance| instance.state == InstanceState::Running).collect();
    let each = instances.iter().map(|instance| prices.usd_per_hour(wanted(instance, region)));
    let usd_per_hour: Option<f64> = each.sum();
    #[allow(clippy::cast_precision_loss)] // far below 2⁵³ workers
    let mean = usd_per_hour.filter(|_| !instances.is_empty()).map(|usd| usd / instances.len() as f64);
    let of_first = || {
        let Offering { instance_type, subnet_id: _, spot } = first?;
        prices.usd_per_hour(Wanted { instance_type, spot: *spot, region, zone: None })
    };
    let rate = jobs_per_second.filter(|rate| *rate > 0.0);
    let usd_per_thousand_images = mean.or_else(of_first).zip(rate).map(|(usd, rate)| three_digits(usd / (rate * 3.6)));
    bills.usd_total += grow(prices, bills, &instances, at, region);
    Cost { usd_per_hour, usd_total: bills.usd_total, usd_per_thousand_images }
}

fn wanted<'a>(instance: &'a Instance, region: &'a str) -> Wanted<'a> {
    Wanted { instance_type: &instance.instance_type, spot: instance.spot, region, zone: instance.zone.as_deref() }
}

/// What the bills grew by. What an instance runs on after it was last listed as running (seconds) is left out.
fn grow(prices: &Prices, bills: &mut Bills, instances: &[&Instance], at: Timestamp, region: &str) -> f64 {
    let bill = |instance: &Instance| {
        let seconds = at.duration_since(instance.launched_at).as_secs_f64().max(BILLED_AT_LEAST_SECONDS);
        prices.usd_per_hour(wanted(instance, region)).unwrap_or(0.0) * seconds / 3600.0
    };
    let now = instances.iter().map(|instance| ((instance.id.clone(), instance.launched_at), bill(instance))).collect();
    let Some(before) = bills.starts.replace(now) else { return 0.0 };
    let grown = |(start, usd): (&(String, Timestamp), &f64)| (usd - before.get(start).copied().unwrap_or(0.0)).max(0.0);
    bills.starts.iter().flatten().map(grown).sum()
}

/// Enough to compare, and few enough that a status does not change all the time.
fn three_digits(usd: f64) -> f64 {
    if usd <= 0.0 {
        return 0.0;
    }
    let unit = 10_f64.powf(usd.log10().floor() - 2.0);
    let rounded = (usd / unit).round() * unit;
    // Through text: what was multiplied by a power of ten has digits that nobody needs.
    format!("{rounded:.9}").parse().unwrap_or(rounded)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const PRICES: &str = "
- {instanceType: t3.small, spot: true, zone: us-east-1b, usdPerHour: 0.009}
- {instanceType: t3.small, spot: true, usdPerHour: 0.006}
- {instanceType: t3.small, region: us-east-1, usdPerHour: 0.036}
";

    fn instance(id: &str, spot: bool, age: i64) -> Instance {
        Instance {
            id: id.to_owned(),
            state: InstanceState::Running,
            launched_at: Timestamp::UNIX_EPOCH - SignedDuration::from_secs(age),
            instance_type: "t3.small".to_owned(),
            subnet_id: None,
            zone: Some("us-east-1a".to_owned()),
            private_ip: None,
            spot,
            state_reason: None,
            tags: Vec::new(),
        }
    }

    fn look(bills: &mut Bills, listed: &[Instance], later: i64) -> Cost {
        let first = Offering { instance_type: "t3.small".to_owned(), subnet_id: None, spot: false };
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(later);
        cost(
            &Prices::parse(PRICES).unwrap(),
            bills,
            Running { listed, at, region: "us-east-1", first: Some(&first), jobs_per_second: Some(10.0) },
        )
    }

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    #[test]
    fn the_first_entry_that_fits_is_the_price() {
        let prices = Prices::parse(PRICES).unwrap();
        let price = |spot, region, zone| prices.usd_per_hour(Wanted { instance_type: "t3.small", spot, region, zone });
        assert_eq!(price(true, "us-east-1", Some("us-east-1b")), Some(0.009));
        assert_eq!(price(true, "us-east-1", Some("us-east-1a")), Some(0.006));
        assert_eq!(price(false, "us-east-1", None), Some(0.036));
        assert_eq!(price(false, "eu-west-1", None), None);
        for (text, told) in [("- {instanceType: t3.small}", "usdPerHour"), ("- {instanceType: t3.small, usdPerHour: -1}", "0 or more")] {
            let error = Prices::parse(text).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_start_costs_a_minute_at_least_and_then_by_the_second() {
        let (mut bills, second) = (Bills::default(), 0.036 / 3600.0);
        assert!(
            close(look(&mut bills, &[instance("i-old", false, 1000)], 0).usd_total, 0.0),
            "an operator that starts knows no earlier bill"
        );
        let both = [instance("i-old", false, 1000), instance("i-new", false, 0)];
        assert!(close(look(&mut bills, &both, 10).usd_total, second * (10.0 + 60.0)));
        assert!(close(look(&mut bills, &both, 60).usd_total, second * (60.0 + 60.0)), "the new one's minute is paid");
        assert!(close(look(&mut bills, &both[1..], 70).usd_total, second * 130.0));
        let again = [Instance { launched_at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(80), ..instance("i-new", false, 0) }];
        assert!(close(look(&mut bills, &again, 90).usd_total, second * 190.0), "a start is a new minute");
    }

    #[test]
    fn a_thousand_images_cost_what_busy_workers_do() {
        let both = [instance("i-1", false, 100), instance("i-2", true, 100)];
        let cost = look(&mut Bills::default(), &both, 0);
        assert!(close(cost.usd_per_hour.unwrap(), 0.042));
        assert_eq!(cost.usd_per_thousand_images, Some(0.000_583), "0.021 USD for 36,000 images");
        assert_eq!(look(&mut Bills::default(), &[], 0).usd_per_thousand_images, Some(0.001), "no worker runs: where the next one will");
        let stranger = [Instance { instance_type: "m5.large".to_owned(), ..instance("i-3", false, 0) }];
        assert_eq!(look(&mut Bills::default(), &stranger, 0).usd_per_hour, None, "a sum without one of them would be wrong");
        let none = cost_without_prices(&both);
        assert_eq!(none, Cost::default());
    }

    fn cost_without_prices(listed: &[Instance]) -> Cost {
        let running = Running { listed, at: Timestamp::UNIX_EPOCH, region: "us-east-1", first: None, jobs_per_second: Some(1.0) };
        cost(&Prices::default(), &mut Bills::default(), running)
    }
}
