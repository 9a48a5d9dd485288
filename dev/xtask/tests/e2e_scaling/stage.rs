//! The stack and its three operators. Knows no story.
//!
//! - `operator` keeps the namespace `default`, where the fleet with a gateway is. It hardly ever polls: what it does, it was
//!   woken for.
//! - `operator-polling` keeps the namespace `scaling`, and polls.
//! - `operator-failing` keeps the namespace `failing`. Its calls pass a gate that can let them fail.

use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::json;
use xtask::stack::{CloudDelays, Extent, Guests, Lane, OperatorOptions, Stack};

use super::history::History;
use super::support::aws;

/// The namespace of fleets that are polled.
pub const POLLED: &str = "scaling";
/// The namespace of fleets whose samples can fail.
pub const FAILING: &str = "failing";
/// The namespace of fleets that are not polled.
pub const UNPOLLED: &str = "default";

/// What the stories share.
pub struct Stage {
    pub stack: Stack,
    pub kube: Client,
    pub sqs: aws_sdk_sqs::Client,
    /// All that fleets were and said.
    pub history: History,
    /// The way of the operator whose samples can fail.
    pub lane: Lane,
}

impl Stage {
    /// Starts everything.
    pub async fn raise(name: &str) -> Self {
        let stack = Stack::for_test(name, |options| {
            options.extent = Extent::Fleet;
            // Boots of 3 s: short for the test, and long beside the work of a second.
            options.delays = CloudDelays { pending: 1.0, boot: 2.0, describe_lag: 0.2 };
            options.guests = Guests::Simulated { drain: 0.1 };
            options.operator_args =
                ["--namespaces=default", "--sample-seconds=3600", "--idle-sample-seconds=3600"].map(str::to_owned).to_vec();
        });
        let stack = stack.await.unwrap();
        let kube = stack.kubernetes().client().await.unwrap();
        for namespace in [POLLED, FAILING] {
            let object = serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
            Api::<k8s_openapi::api::core::v1::Namespace>::all(kube.clone()).create(&PostParams::default(), &object).await.unwrap();
        }
        let history = History::begin(kube.clone());
        let polling = OperatorOptions { args: polling(POLLED), ..stack.operator_options("operator-polling").unwrap() };
        stack.spawn_operator_with(&polling).await.unwrap();
        let lane = failing_operator(&stack).await;
        let (_, sqs) = aws::clients(&stack).await;
        Self { stack, kube, sqs, history, lane }
    }

    /// Where to look when a story goes wrong.
    pub fn logs(&self) -> String {
        self.stack.dir().join("logs").display().to_string()
    }

    /// Ends everything.
    pub async fn strike(self) {
        self.stack.stop().await.unwrap();
    }
}

fn polling(namespace: &str) -> Vec<String> {
    // Each operator is the only one that works in its namespace.
    [&format!("--namespaces={namespace}"), "--leader-elect=false", "--sample-seconds=0.5", "--idle-sample-seconds=2"]
        .map(str::to_owned)
        .to_vec()
}

async fn failing_operator(stack: &Stack) -> Lane {
    let folder = stack.dir().join("lanes");
    std::fs::create_dir_all(&folder).unwrap();
    let lane = Lane::start(stack.kubernetes(), stack.endpoints().unwrap(), &folder.join("failing.jsonl")).await.unwrap();
    let kubeconfig = folder.join("failing.kubeconfig");
    lane.write_kubeconfig(&kubeconfig, FAILING).unwrap();
    let (name, endpoints) = ("operator-failing".to_owned(), lane.aws.endpoints());
    let options = OperatorOptions { name, kubeconfig, endpoints, args: polling(FAILING), env: Vec::new() };
    stack.spawn_operator_with(&options).await.unwrap();
    lane
}
