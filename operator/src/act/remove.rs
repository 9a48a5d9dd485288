//! Workers that go: told to drain by a tag, terminated when their time is over.

use ec2::tags;
use jiff::Timestamp;
use kube::ResourceExt as _;
use plan::Termination;

use super::{News, Outcome};
use crate::context::Operator;
use crate::memory::Told;
use crate::reconcile::Error;

/// Tells `ids` to finish what they have and leave.
pub async fn drain(operator: &Operator, outcome: &mut Outcome, ids: &[String], now: Timestamp) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    operator.inventory.hurry();
    let order = [(tags::INTENT.to_owned(), tags::DRAIN.to_owned()), (tags::INTENT_AT.to_owned(), now.to_string())];
    operator.ec2.create_tags(ids, &order).await.map_err(Error::Remove)?;
    remember(operator, outcome, ids, Told::Drain(now));
    outcome.news.push(News::Draining(ids.to_vec()));
    Ok(())
}

/// Terminates those whose time is over.
pub async fn terminate(operator: &Operator, outcome: &mut Outcome, ended: &[Termination], now: Timestamp) -> Result<(), Error> {
    if ended.is_empty() {
        return Ok(());
    }
    operator.inventory.hurry();
    let ids: Vec<String> = ended.iter().map(|termination| termination.id.clone()).collect();
    operator.ec2.terminate_instances(&ids).await.map_err(Error::Remove)?;
    remember(operator, outcome, &ids, Told::Terminate(now));
    outcome.news.extend(ended.iter().cloned().map(News::Terminated));
    Ok(())
}

fn remember(operator: &Operator, outcome: &Outcome, ids: &[String], told: Told) {
    let uid = outcome.fleet.uid().unwrap_or_default();
    operator.memory.with(&uid, |remembered| remembered.told.extend(ids.iter().map(|id| (id.clone(), told))));
}
