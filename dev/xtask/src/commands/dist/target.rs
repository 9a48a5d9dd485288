//! The kinds of machine that the worker is shipped for.

use anyhow::{Result, ensure};
use clap::ValueEnum;

use super::elf::{Elf, Machine};

/// Rust's name of a kind of machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Target {
    /// x86-64, static.
    #[value(name = "x86_64-unknown-linux-musl")]
    X86_64Musl,
    /// 64-bit ARM (Graviton), static.
    #[value(name = "aarch64-unknown-linux-musl")]
    Aarch64Musl,
    /// x86-64 with glibc.
    #[value(name = "x86_64-unknown-linux-gnu")]
    X86_64Gnu,
    /// 64-bit ARM (Graviton) with glibc.
    #[value(name = "aarch64-unknown-linux-gnu")]
    Aarch64Gnu,
}

/// That of Amazon Linux 2023.
const OLDEST_GLIBC: &str = "2.34";

impl Target {
    /// Rust's name.
    pub(super) fn triple(self) -> &'static str {
        match self {
            Self::X86_64Musl => "x86_64-unknown-linux-musl",
            Self::Aarch64Musl => "aarch64-unknown-linux-musl",
            Self::X86_64Gnu => "x86_64-unknown-linux-gnu",
            Self::Aarch64Gnu => "aarch64-unknown-linux-gnu",
        }
    }

    /// What cargo-zigbuild calls it: with the oldest glibc to run on.
    pub(super) fn for_zig(self) -> String {
        if self.is_static() { self.triple().to_owned() } else { format!("{}.{OLDEST_GLIBC}", self.triple()) }
    }

    /// What stands behind the program's name; the architecture as EC2 calls it.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::X86_64Musl => "x86_64",
            Self::Aarch64Musl => "arm64",
            Self::X86_64Gnu => "x86_64-gnu",
            Self::Aarch64Gnu => "arm64-gnu",
        }
    }

    /// What Go, and so images, call its processor.
    pub(super) fn architecture(self) -> &'static str {
        match self.machine() {
            Machine::Aarch64 => "arm64",
            _ => "amd64",
        }
    }

    pub(super) fn is_static(self) -> bool {
        matches!(self, Self::X86_64Musl | Self::Aarch64Musl)
    }

    fn machine(self) -> Machine {
        match self {
            Self::X86_64Musl | Self::X86_64Gnu => Machine::X86_64,
            Self::Aarch64Musl | Self::Aarch64Gnu => Machine::Aarch64,
        }
    }

    /// Whether a program is one for this kind of machine.
    pub(super) fn check(self, elf: &Elf) -> Result<()> {
        ensure!(elf.machine == self.machine(), "it is for {}", elf.machine);
        let loader = elf.loader.as_deref();
        ensure!(!self.is_static() || loader.is_none(), "it is not static: it needs the loader {}", loader.unwrap_or_default());
        Ok(())
    }
}
