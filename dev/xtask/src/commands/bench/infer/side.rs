//! A program under measurement: told by lines what to run, answers by lines of JSON. Must not know what it computes.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A program that runs; it ends when this is dropped.
pub(super) struct Side {
    name: &'static str,
    names: Vec<String>,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Side {
    /// Starts it and waits until it says what it can measure.
    ///
    /// # Errors
    /// When it does not start or says nothing; what it wrote to its standard error was shown.
    pub(super) async fn start(name: &'static str, mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        let to = child.stdin.take().context("a piped program has an input")?;
        let from = BufReader::new(child.stdout.take().context("a piped program has an output")?).lines();
        let mut side = Self { name, names: Vec::new(), to, from, _child: child };
        side.names = side.read().await?;
        Ok(side)
    }

    /// What it can measure.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Milliseconds of its quickest run.
    ///
    /// # Errors
    /// When it ends.
    pub(super) async fn time(&mut self, what: &str, runs: u32) -> Result<f64> {
        let milliseconds: Vec<f64> = self.ask(&format!("time {what} {runs}\n")).await?;
        ensure!(!milliseconds.is_empty(), "{} measured no run of {what}", self.name);
        Ok(milliseconds.into_iter().fold(f64::INFINITY, f64::min))
    }

    /// What a network gives for all photos, one after the other.
    ///
    /// # Errors
    /// When it ends.
    pub(super) async fn answer(&mut self, what: &str) -> Result<Vec<f32>> {
        let outputs: Vec<Vec<f32>> = self.ask(&format!("answer {what}\n")).await?;
        Ok(outputs.concat())
    }

    async fn ask<T: DeserializeOwned>(&mut self, line: &str) -> Result<T> {
        self.to.write_all(line.as_bytes()).await.with_context(|| format!("{} has ended", self.name))?;
        self.read().await
    }

    async fn read<T: DeserializeOwned>(&mut self) -> Result<T> {
        let line = self.from.next_line().await?.with_context(|| format!("{} has ended; it says above why", self.name))?;
        serde_json::from_str(&line).with_context(|| format!("{} answered {line:?}", self.name))
    }
}
