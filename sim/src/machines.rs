//! Machines that are switched on: performs EC2's effects by starting and ending worker tasks, and has them billed. Decides no states.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cloudsim::state::Effect;
use jiff::SignedDuration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::lock;
use crate::worker::{self, Activity};
use crate::world::{Draw, World};

/// "Spot Instance interruption notices": two minutes.
const SPOT_NOTICE: SignedDuration = SignedDuration::from_mins(2);

struct Machine {
    task: JoinHandle<()>,
    activity: Arc<Activity>,
    shutdown: CancellationToken,
}

/// Performs effects until there are no more.
pub async fn run(world: Arc<World>, mut effects: UnboundedReceiver<Effect>) {
    let mut on: HashMap<String, Machine> = HashMap::new();
    let mut boots = 0;
    while let Some(effect) = effects.recv().await {
        match effect {
            Effect::Boot(boot) => {
                lock(&world.account).began(&boot.instance_id, world.clock.seconds());
                let (activity, shutdown) = (Arc::new(Activity::default()), CancellationToken::new());
                lock(&world.workers).insert(boot.instance_id.clone(), activity.clone());
                tokio::spawn(take_back(world.clone(), boot.instance_id.clone(), boots));
                let life = worker::Life { world: world.clone(), activity: activity.clone(), drain: shutdown.clone(), boot: boots };
                boots += 1;
                let task = tokio::spawn(life.run(boot.instance_id.clone(), boot.first));
                on.insert(boot.instance_id, Machine { task, activity, shutdown });
            }
            Effect::Shutdown { instance_id, force } => {
                lock(&world.account).ended(&instance_id, world.clock.seconds());
                lock(&world.workers).remove(&instance_id);
                let machine = on.remove(&instance_id);
                tokio::spawn(shut_down(world.clone(), instance_id, machine, force));
            }
        }
    }
}

/// Once a spot instance has lived long enough, EC2 says that it takes it back, and does.
async fn take_back(world: Arc<World>, id: String, boot: u64) {
    let is_spot = world.ec2.with(|endpoint| endpoint.cloud.instance(&id).is_some_and(|instance| instance.spec.market.is_some()));
    let Some(life) = world.settings.spot_life.filter(|_| is_spot) else { return };
    tokio::time::sleep(Duration::from_secs_f64(life.sample(&mut world.rng(Draw::SpotLife(boot))))).await;
    // One that is gone by now needs no notice.
    world.ec2.act(|cloud, now| (drop(cloud.interrupt(&id, SPOT_NOTICE, now)), Vec::new()));
}

/// Ends what runs on a machine. A worker that ends its own machine has finished before.
async fn shut_down(world: Arc<World>, id: String, machine: Option<Machine>, force: bool) {
    if let Some(Machine { mut task, activity, shutdown }) = machine {
        let busy = activity.is_busy();
        shutdown.cancel();
        let grace = if force { Duration::ZERO } else { world.settings.worker.shutdown_grace };
        let lost = tokio::time::timeout(grace, &mut task).await.is_err();
        if lost {
            task.abort();
        }
        let mut account = lock(&world.account);
        account.ended_busy += u32::from(busy);
        account.killed_busy += u32::from(busy && lost);
    }
    world.ec2.act(|cloud, now| {
        cloud.guest_ended(&id, now);
        ((), Vec::new())
    });
}
