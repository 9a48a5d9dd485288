//! `cargo xtask dist`: the programs as they are shipped, for machines of another kind than this one.

mod elf;
mod krew;
mod target;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use self::elf::Elf;
use self::target::Target;
use crate::paths::Paths;
use crate::progress::{Progress, line};
use crate::tools::cross;

pub(super) const ABOUT: &str = "Builds the worker for EC2 instances, or the programs of the images, with their SHA-256.

The musl targets make a program that needs nothing of the machine but its kernel: it runs on any Linux of its architecture, and is \
the one to ship. The gnu targets need glibc 2.34 or newer (Amazon Linux 2023, Ubuntu 22.04, Debian 12), and can load ONNX Runtime, \
which a static program cannot. Rust's standard library for each target must be there: `rustup target add TARGET`. The C compiler and \
linker (zig) are installed into a virtual environment. deploy/images/Dockerfile makes images of operator and gateway. With \
--krew-url, kubectl-fleet is packed as krew installs it, and named in a manifest of krew's, fleet.yaml.";

/// What can be shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Program {
    Worker,
    Operator,
    Gateway,
    KubectlFleet,
}

impl Program {
    /// As cargo calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Worker => "classifierfleet-worker",
            Self::Operator => "classifierfleet-operator",
            Self::Gateway => "classifierfleet-gateway",
            Self::KubectlFleet => "kubectl-fleet",
        }
    }
}

/// What to build, and where to put it.
#[derive(Debug, Args)]
pub(super) struct DistArgs {
    /// What to build.
    #[arg(long = "program", value_enum, default_values_t = [Program::Worker])]
    programs: Vec<Program>,
    /// What machines to build for.
    #[arg(long = "target", value_enum, default_values_t = [Target::X86_64Musl])]
    targets: Vec<Target>,
    /// Where to put the programs; default: `dist` in cargo's target folder.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Where the archives of kubectl-fleet will be downloaded from, such as `https://example.com/releases/v1.2.3`.
    #[arg(long)]
    krew_url: Option<String>,
}

/// A program that was made.
struct Made {
    program: Program,
    path: PathBuf,
    bytes: usize,
    sha256: String,
}

pub(super) async fn run(paths: &Paths, args: DistArgs) -> Result<()> {
    let cargo_target = paths.bin.parent().context("the running program lies in no target folder of cargo")?;
    let out = args.out.unwrap_or_else(|| cargo_target.join("dist"));
    for target in &args.targets {
        has_std(*target).await?;
    }
    let zig = cross::ensure(paths, Progress::printed()).await?;
    std::fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let (mut made, mut archives) = (Vec::new(), Vec::new());
    for (program, target) in args.programs.iter().flat_map(|program| args.targets.iter().map(move |target| (*program, *target))) {
        let built = build(paths, cargo_target, &zig, program, target).await?;
        made.push(publish(&built, &out, program, target)?);
        if program == Program::KubectlFleet && args.krew_url.is_some() {
            archives.push(krew::pack(&built, &paths.root.join("LICENSE"), &out, target.suffix()).await?);
        }
    }
    line(summary(&made));
    let Some(url) = args.krew_url else { return Ok(()) };
    let manifest = krew::publish(&paths.root, &out, &url, &archives)?;
    line(format!("\n{0}\n  put the archives beside it at {url}, then: kubectl krew install --manifest={0}", manifest.display()));
    Ok(())
}

/// Cargo would say "can't find crate for `core`" hundreds of times.
async fn has_std(target: Target) -> Result<()> {
    let rustc = Command::new("rustc").args(["--print", "target-libdir", "--target", target.triple()]).output().await;
    let folder = String::from_utf8(rustc.context("rustc cannot be run")?.stdout)?;
    let installed = Path::new(folder.trim()).is_dir();
    ensure!(installed, "Rust's standard library for {0} is not installed: rustup target add {0}", target.triple());
    Ok(())
}

/// Builds the program; answers with where it lies.
async fn build(paths: &Paths, cargo_target: &Path, zig: &Path, program: Program, target: Target) -> Result<PathBuf> {
    let program = program.name();
    let mut path = vec![zig.to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut cargo = Command::new(zig.join("cargo-zigbuild"));
    cargo.current_dir(&paths.root).env("PATH", std::env::join_paths(path)?).kill_on_drop(true);
    cargo.args(["zigbuild", "--release", "--locked", "--bin", program, "--target", &target.for_zig(), "--target-dir"]).arg(cargo_target);
    line(format!("== {program} for {} (the first time 10 to 20 minutes on 2 cores)", target.triple()));
    let status = cargo.status().await.context("cargo-zigbuild cannot be run")?;
    ensure!(status.success(), "{program} does not build for {}", target.triple());
    Ok(cargo_target.join(target.triple()).join("release").join(program))
}

/// Checks what was built, and copies it with its hash beside it, as `sha256sum --check` reads it.
fn publish(built: &Path, out: &Path, program: Program, target: Target) -> Result<Made> {
    let file = std::fs::read(built).with_context(|| format!("{} is missing", built.display()))?;
    let elf = Elf::read(&file).with_context(|| format!("{} is no program", built.display()))?;
    target.check(&elf).with_context(|| format!("{} is not what was asked for", built.display()))?;
    let name = format!("{}-{}", program.name(), target.suffix());
    let sha256 = hex::encode(Sha256::digest(&file));
    let path = out.join(&name);
    std::fs::copy(built, &path).with_context(|| format!("cannot write {}", path.display()))?;
    std::fs::write(out.join(format!("{name}.sha256")), format!("{sha256}  {name}\n"))?;
    Ok(Made { program, path, bytes: file.len(), sha256 })
}

fn summary(made: &[Made]) -> String {
    let each = |Made { program, path, bytes, sha256 }: &Made| {
        let name = path.file_name().unwrap_or_default().display();
        let size = *bytes as f64 / f64::from(1 << 20);
        let use_it = match program {
            Program::Worker => format!("binary: {{uri: s3://BUCKET/{name}, sha256: {sha256}}}"),
            Program::Operator | Program::Gateway | Program::KubectlFleet => format!("sha256 {sha256}"),
        };
        format!("\n{} ({size:.1} MiB)\n  {use_it}", path.display())
    };
    let all: String = made.iter().map(each).collect();
    let workers = "A worker: copy to S3 what your fleet uses, and put its line into spec.workers.template: docs/aws.md tells how.";
    format!(
        "{all}\n\n{workers}\nOperator and gateway: deploy/images/Dockerfile tells how they become images; kubectl-fleet goes anywhere on the PATH, as kubectl-fleet."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test is a program for this machine, with glibc.
    #[test]
    #[cfg(all(target_env = "gnu", target_arch = "x86_64"))]
    fn what_is_published_is_checked_and_comes_with_its_hash() {
        let built = std::env::current_exe().unwrap();
        let out = tempfile::tempdir().unwrap();
        let made = publish(&built, out.path(), Program::Worker, Target::X86_64Gnu).unwrap();
        assert_eq!(made.path, out.path().join("classifierfleet-worker-x86_64-gnu"));
        let sums = std::fs::read_to_string(out.path().join("classifierfleet-worker-x86_64-gnu.sha256")).unwrap();
        assert_eq!(sums, format!("{}  classifierfleet-worker-x86_64-gnu\n", made.sha256));
        let mut check = std::process::Command::new("sha256sum");
        check.args(["--check", "classifierfleet-worker-x86_64-gnu.sha256"]).current_dir(out.path());
        assert!(check.output().unwrap().status.success());
        assert!(summary(&[made]).contains("binary: {uri: s3://BUCKET/classifierfleet-worker-x86_64-gnu, sha256: "));
        let wrong = publish(&built, out.path(), Program::Worker, Target::Aarch64Musl).err().unwrap();
        assert!(format!("{wrong:#}").contains("it is for x86_64"), "{wrong:#}");
        let shared = publish(&built, out.path(), Program::Worker, Target::X86_64Musl).err().unwrap();
        assert!(format!("{shared:#}").contains("needs the loader"), "{shared:#}");
    }
}
