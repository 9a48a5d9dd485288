//! Machines that are switched on: performs EC2's effects by starting and ending worker tasks, and has them billed. Decides no states.

use std::collections::HashMap;
use std::sync::Arc;

use cloudsim::state::Effect;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::lock;
use crate::worker::{self, Activity};
use crate::world::World;

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

/// Ends what runs on a machine. A worker that ends its own machine has finished before.
async fn shut_down(world: Arc<World>, id: String, machine: Option<Machine>, force: bool) {
    if let Some(Machine { mut task, activity, shutdown }) = machine {
        let busy = activity.is_busy();
        shutdown.cancel();
        let grace = if force { std::time::Duration::ZERO } else { world.settings.worker.shutdown_grace };
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
