//! The whole system on one machine: a local Kubernetes, AWS's stand-ins, the operator, a fleet and its gateway.
//! Owns what is started in which order and with which settings; must not know how the parts do their work.

mod aws;
mod ec2;
mod environment;
mod fleet;
mod kubernetes;
mod launch;
mod operator;
mod options;
mod relays;
mod second;
mod stop;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

pub use aws::Endpoints;
pub use ec2::{CloudDelays, Guests};
pub use environment::CREDENTIALS;
pub use fleet::FleetRef;
pub use kubernetes::Kubernetes;
pub(crate) use kubernetes::{client, write_secret};
pub use operator::OperatorOptions;
pub use options::{Cloud, Extent, StackOptions, Storage};
pub use relays::{Lane, Relays};
pub use stop::end_all;

use crate::node::Node;
use crate::paths::Paths;
use crate::pods::ImageBinary;
use crate::process::Supervisor;
use crate::tools::Tools;
pub(crate) use aws::start_ministack;
pub(crate) use launch::{Launcher, Part};
pub(crate) use second::start_moto;

/// A running stack. Unless it was started detached, all its processes end when it is dropped.
#[derive(Debug)]
pub struct Stack {
    launcher: Launcher,
    detached: bool,
    operator_args: Vec<String>,
    kubernetes: Kubernetes,
    node: Option<Node>,
    endpoints: Option<Endpoints>,
    /// Between our programs and the endpoints, when they are recorded.
    relays: Option<Relays>,
    gateway_url: Option<String>,
}

impl Stack {
    /// Starts what is missing of the stack in `options.dir`, as far as `options.extent` says, and waits until it is ready.
    /// What runs already, as it should, is left alone.
    ///
    /// # Errors
    /// When a part does not start: which one, and the end of its log. What was started is ended, unless detached.
    pub async fn start(paths: Paths, tools: Tools, options: StackOptions) -> Result<Self> {
        ensure!(
            cfg!(target_os = "linux"),
            "the local stack needs Linux: it finds processes in /proc and gives each pod an address in 127.0.0.0/8"
        );
        ensure!(!(options.record && options.detached), "a stack that outlives this process cannot be recorded by it");
        ensure!(!(options.node && options.record), "pods of a node do not reach the relays that record, which are on loopback");
        ensure!(!(options.node && options.context.is_some()), "a node joins the local Kubernetes alone");
        ensure!(!(options.node && options.detached), "the node of a stack ends with the process that started it");
        let supervisor = Supervisor::new(&options.dir)?;
        if supervisor.processes().is_empty() {
            stop::forget(supervisor.dir())?;
            stop::forget_logs(supervisor.dir())?;
        }
        let mut launcher = Launcher::new(Supervisor::new(&options.dir)?, paths, tools, options.progress)?;
        let detached = options.detached;
        let begun = Self::begin(&mut launcher, &options).await;
        let (kubernetes, node, endpoints) = match begun {
            Ok(parts) => parts,
            Err(error) => {
                if !detached {
                    end_all(&launcher.supervisor).await?;
                }
                return Err(error);
            }
        };
        let mut stack = Self {
            launcher,
            detached,
            operator_args: options.operator_args.clone(),
            kubernetes,
            node,
            endpoints,
            relays: None,
            gateway_url: None,
        };
        stack.finish(&options).await?;
        environment::write(&stack)?;
        Ok(stack)
    }

    /// A private stack for the test called `name`, that prints nothing and records what it asks AWS for. The tools must have been made (`cargo xtask test` does).
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub async fn for_test(name: &str, adapt: impl FnOnce(&mut StackOptions)) -> Result<Self> {
        let paths = Paths::discover()?;
        let tools = Tools::ensure(&paths, crate::progress::Progress::quiet()).await?;
        let mut options = StackOptions::new(paths.dev.join("test").join(format!("{name}-{}", std::process::id())));
        options.record = true;
        adapt(&mut options);
        Self::start(paths, tools, options).await
    }

    async fn begin(launcher: &mut Launcher, options: &StackOptions) -> Result<(Kubernetes, Option<Node>, Option<Endpoints>)> {
        let node = if options.node { Some(Node::create(launcher).await?) } else { None };
        if let Some(node) = &node {
            launcher.address = node.network().host();
        }
        let launcher = &*launcher;
        let kubernetes = async {
            let kubernetes = kubernetes::start(launcher, options.context.as_deref(), node.as_ref().map(Node::network)).await?;
            if let Some(node) = &node {
                node.join(launcher, &kubernetes).await?;
            }
            anyhow::Ok(kubernetes)
        };
        if options.extent < Extent::Aws {
            return Ok((kubernetes.await?, node, None));
        }
        let endpoints = async {
            let ec2 = async {
                match options.cloud {
                    Cloud::Cloudsim => ec2::start(launcher, ec2::FIRST, options.delays, options.guests).await,
                    Cloud::Moto => second::start_moto(launcher).await,
                }
            };
            let (storage, ec2) = tokio::try_join!(aws::start(launcher, options.storage, options.persist), ec2)?;
            Ok(Endpoints { sqs: storage.clone(), s3: storage, ec2 })
        };
        let (kubernetes, endpoints) = tokio::try_join!(kubernetes, endpoints)?;
        Ok((kubernetes, node, Some(endpoints)))
    }

    /// What needs Kubernetes and AWS: pods, the operator, the fleet.
    async fn finish(&mut self, options: &StackOptions) -> Result<()> {
        let own_pods = self.kubernetes.has_no_nodes().await?;
        if own_pods {
            let gateway = options.gateway.clone().unwrap_or_else(|| self.launcher.paths.bin.join("classifierfleet-gateway"));
            let mut images = vec![ImageBinary::new("classifierfleet/gateway", gateway)];
            images.extend(options.images.iter().cloned());
            kubernetes::start_pods(&self.launcher, &self.kubernetes, &images)?;
        }
        if options.record && options.extent >= Extent::Aws {
            self.relays = Some(relays::record(self.endpoints()?, self.dir()).await?);
        }
        if options.extent >= Extent::Operator {
            fleet::define(&self.launcher, &self.kubernetes).await?;
            self.spawn_operator(operator::FIRST).await?;
        }
        if options.extent >= Extent::Fleet {
            if options.context.is_some() {
                stop::remember_fleet(&self.launcher.supervisor, &self.launcher.paths.root.join(&options.fleet))?;
            }
            self.provide_model(&fleet::model_uri(&self.launcher, &self.kubernetes, &options.fleet).await?).await?;
            let fleet = fleet::apply(&self.launcher, &self.kubernetes, &options.fleet).await?;
            if own_pods {
                self.gateway_url = Some(fleet::gateway_url(&self.launcher, &self.kubernetes, &fleet).await?);
            } else {
                self.launcher.progress.say("gateway", fleet::ON_REAL_NODES);
            }
        }
        Ok(())
    }

    /// Starts an operator called `name` beside those that run; the first one is called `operator`.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn spawn_operator(&self, name: &str) -> Result<()> {
        self.spawn_operator_with(&self.operator_options(name)?).await
    }

    /// The settings of an operator as the stack's own has them.
    ///
    /// # Errors
    /// When the stack was started without AWS.
    pub fn operator_options(&self, name: &str) -> Result<OperatorOptions> {
        let endpoints = match &self.relays {
            Some(relays) => relays.endpoints(),
            None => self.endpoints()?.clone(),
        };
        let kubeconfig = self.kubeconfig().to_path_buf();
        Ok(OperatorOptions { name: name.to_owned(), kubeconfig, endpoints, args: self.operator_args.clone(), env: Vec::new() })
    }

    /// Starts an operator of other settings than the stack's own has.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn spawn_operator_with(&self, options: &OperatorOptions) -> Result<()> {
        operator::start(&self.launcher, options).await
    }

    /// Makes the API server know what a fleet is, for stacks that start no operator of their own.
    ///
    /// # Errors
    /// When the CRD is refused.
    pub async fn define_fleets(&self) -> Result<()> {
        fleet::define(&self.launcher, &self.kubernetes).await
    }

    /// Puts a model where `uri` says, for fleets that name it: one of `models`, whose name the URI ends with. Another one is left to others.
    ///
    /// # Errors
    /// When the model cannot be made or uploaded.
    pub async fn provide_model(&self, uri: &str) -> Result<()> {
        aws::provide_model(&self.launcher, &self.endpoints()?.s3, uri).await
    }

    /// Starts an EC2 called `name`, beside the stack's own. Returns its endpoint.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn spawn_cloud(&self, name: &str, delays: CloudDelays, guests: Guests) -> Result<String> {
        ec2::start(&self.launcher, name, delays, guests).await
    }

    /// Sends `signal` to the operator called `name` and waits until it is gone.
    ///
    /// # Errors
    /// When it is still there after 30 s.
    pub async fn kill_operator(&self, name: &str, signal: Signal) -> Result<()> {
        let supervisor = &self.launcher.supervisor;
        let log = supervisor.log(name);
        supervisor.signal(name, signal);
        let gone = async || supervisor.running(name).is_none();
        crate::wait::until(&format!("{name} ends on {signal}"), Duration::from_secs(30), &log, gone).await
    }

    /// Ends MiniStack in order and starts it again where it was, with what it held: of a stack that was to `persist` it.
    ///
    /// # Errors
    /// When it does not end within 30 s, or does not come back.
    pub async fn restart_storage(&self) -> Result<()> {
        const NAME: &str = "ministack";
        let supervisor = &self.launcher.supervisor;
        supervisor.signal(NAME, Signal::SIGTERM);
        let gone = async || supervisor.running(NAME).is_none();
        crate::wait::until("MiniStack ends on SIGTERM", Duration::from_secs(30), &supervisor.log(NAME), gone).await?;
        aws::start_ministack(&self.launcher, true).await.map(drop)
    }

    /// Ends all processes of the stack and removes what they kept, but their logs.
    ///
    /// # Errors
    /// When a process is left.
    pub async fn stop(mut self) -> Result<()> {
        // Nothing is left for Drop to end.
        self.detached = true;
        end_all(&self.launcher.supervisor).await
    }

    /// Gives the stack's node the program `classifierfleet-NAME` that cargo built as the image `classifierfleet/NAME:TAG`; or the one that
    /// `cargo xtask dist` built, from the folder in `CLASSIFIERFLEET_DIST`.
    ///
    /// # Errors
    /// When the stack was started without a node, or no image can be made.
    pub async fn import_image(&self, name: &str, tag: &str) -> Result<()> {
        let node = self.node.as_ref().context("the stack was started without a node")?;
        let shipped = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
        let program = match std::env::var_os("CLASSIFIERFLEET_DIST") {
            Some(folder) => Path::new(&folder).join(format!("classifierfleet-{name}-{shipped}")),
            None => self.launcher.paths.program(&format!("classifierfleet-{name}"))?,
        };
        node.import(&self.launcher, &format!("docker.io/classifierfleet/{name}:{tag}"), &program).await
    }

    /// The API server and kubectl.
    #[must_use]
    pub fn kubernetes(&self) -> &Kubernetes {
        &self.kubernetes
    }

    /// Where clients find the credentials of the API server.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubernetes.kubeconfig
    }

    /// Runs kubectl with `args` and returns what it prints.
    ///
    /// # Errors
    /// When it fails, with what it says.
    pub async fn kubectl<S: AsRef<str>>(&self, args: &[S]) -> Result<String> {
        self.kubernetes.kubectl(args).await
    }

    /// Where SQS, S3 and EC2 answer. What is asked there directly is not recorded.
    ///
    /// # Errors
    /// When the stack was started without them.
    pub fn endpoints(&self) -> Result<&Endpoints> {
        self.endpoints.as_ref().context("the stack was started without AWS; ask for Extent::Aws or more")
    }

    /// Where the gateway of the fleet takes uploads.
    ///
    /// # Errors
    /// When the stack was started without a fleet, or on a cluster with nodes of its own.
    pub fn gateway_url(&self) -> Result<&str> {
        self.gateway_url.as_deref().context("no gateway was started; ask for Extent::Fleet and a cluster without nodes")
    }

    /// The processes of the stack.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.launcher.supervisor
    }

    /// The folder of the stack, with `logs`, `kubeconfig` and `env`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.launcher.supervisor.dir()
    }

    /// Where the tools are that the stack runs on.
    #[must_use]
    pub fn tools(&self) -> &Tools {
        &self.launcher.tools
    }

    /// The log of a process.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.launcher.supervisor.log(name)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if !self.detached {
            let left = stop::end_blocking(&self.launcher.supervisor);
            if !left.is_empty() {
                eprintln!("still running: {left:?}");
            }
        }
    }
}
