//! Workers that go: told to drain by a tag, terminated when their time is over. And those that are told to stay.

use ec2::tags;
use jiff::Timestamp;
use plan::Termination;

use super::{Acting, News, Outcome};
use crate::memory::Told;
use crate::observe::Observation;
use crate::offerings;
use crate::reconcile::Error;

/// Tells `ids` to finish what they have and leave.
pub(super) async fn drain(acting: &Acting<'_>, outcome: &mut Outcome, ids: &[String]) -> Result<(), Error> {
    if !ids.is_empty() {
        tell_to_leave(acting, ids).await?;
        outcome.news.push(News::Draining(ids.to_vec()));
    }
    Ok(())
}

/// Tells `ids` to leave, which did not register in time: they count against their offerings.
pub(super) async fn give_up(acting: &Acting<'_>, outcome: &mut Outcome, observation: &Observation, ids: &[String]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    tell_to_leave(acting, ids).await?;
    let inventory = observation.observed.inventory.as_ref();
    for instance in ids.iter().filter_map(|id| inventory?.find(id)) {
        offerings::refused(&mut outcome.offerings, &instance.offering, "BootTimeout", acting.closed_until());
    }
    outcome.news.push(News::GivenUp(ids.to_vec()));
    Ok(())
}

async fn tell_to_leave(acting: &Acting<'_>, ids: &[String]) -> Result<(), Error> {
    acting.cloud.inventory.hurry();
    let at = tell(acting, ids, tags::DRAIN).await?;
    remember(acting, ids, Told::Drain(at));
    Ok(())
}

/// Tells `ids` to stay though they have nothing to do.
pub(super) async fn keep(acting: &Acting<'_>, ids: &[String]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let at = tell(acting, ids, tags::KEEP).await?;
    remember(acting, ids, Told::Keep(at));
    Ok(())
}

/// Gives an order, and says when: a reconcile may have waited for SQS for longer than workers have to drain. Orders of one second are
/// alike, so that those of many fleets go in one call.
async fn tell(acting: &Acting<'_>, ids: &[String], intent: &str) -> Result<Timestamp, Error> {
    let at = acting.operator.clock.now();
    let second = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let order = [(tags::INTENT.to_owned(), intent.to_owned()), (tags::INTENT_AT.to_owned(), second)];
    acting.cloud.ec2.create_tags(ids, &order).await.map_err(Error::Remove)?;
    Ok(at)
}

/// Terminates those whose time is over.
pub(super) async fn terminate(acting: &Acting<'_>, outcome: &mut Outcome, ended: &[Termination]) -> Result<(), Error> {
    if ended.is_empty() {
        return Ok(());
    }
    acting.cloud.inventory.hurry();
    let ids: Vec<String> = ended.iter().map(|termination| termination.id.clone()).collect();
    acting.cloud.ec2.terminate_instances(&ids).await.map_err(Error::Remove)?;
    remember(acting, &ids, Told::Terminate(acting.now));
    outcome.news.extend(ended.iter().cloned().map(News::Terminated));
    Ok(())
}

fn remember(acting: &Acting<'_>, ids: &[String], told: Told) {
    acting.operator.memory.with(acting.uid, |remembered| remembered.told.extend(ids.iter().map(|id| (id.clone(), told))));
}
