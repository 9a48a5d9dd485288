//! `cargo xtask dist`: the programs as they are shipped, for machines of another kind than this one, and what a release holds besides.

mod build;
mod elf;
mod target;
mod verify;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};

use self::build::Builder;
use self::elf::Elf;
use self::target::Target;
use crate::paths::Paths;
use crate::progress::{Progress, line};
use crate::release::{self, PLUGIN, Release, Source};
use crate::tools::cross;

pub(super) const ABOUT: &str =
    "Builds a release: the programs, images of operator and gateway, kubectl-fleet packed as krew installs it, a \
bill of materials (CycloneDX) of each program, the chart, the manifests, release notes, SHA256SUMS.

--program builds some of the programs alone, with what is made of them, for --target.

The musl targets make a program that needs nothing of the machine but its kernel: it runs on any Linux of its architecture, and is \
the one to ship. The gnu targets need glibc 2.34 or newer (Amazon Linux 2023, Ubuntu 22.04, Debian 12), and can load ONNX Runtime, \
which a static program cannot. Rust's standard library for each target must be there: `rustup target add TARGET`. The C compiler and \
linker (zig) are installed into a virtual environment; the gateway also needs `make`. The images are OCI archives, made without an engine; \
deploy/images/Dockerfile makes the same with one. The same commit makes the same bytes: --verify builds it twice and compares.";

/// What can be shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Program {
    Worker,
    Operator,
    Gateway,
    KubectlFleet,
}

impl Program {
    const ALL: [Self; 4] = [Self::Worker, Self::Operator, Self::Gateway, Self::KubectlFleet];

    /// As cargo calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Worker => "classifierfleet-worker",
            Self::Operator => "classifierfleet-operator",
            Self::Gateway => "classifierfleet-gateway",
            Self::KubectlFleet => PLUGIN,
        }
    }

    /// The name of its image, if it runs in one.
    fn image(self) -> Option<&'static str> {
        match self {
            Self::Operator => Some("operator"),
            Self::Gateway => Some("gateway"),
            Self::Worker | Self::KubectlFleet => None,
        }
    }
}

/// What to build, and where to put it.
#[derive(Debug, Args)]
pub(super) struct DistArgs {
    /// What to build; default: the whole release.
    #[arg(long = "program", value_enum)]
    programs: Vec<Program>,
    /// What machines to build for; default: x86_64-unknown-linux-musl, and for the whole release aarch64-unknown-linux-musl, too.
    #[arg(long = "target", value_enum)]
    targets: Vec<Target>,
    /// Where to put the files; default: `dist` in cargo's target folder.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Where the archives of kubectl-fleet will be downloaded from, such as `https://example.com/releases/v1.2.3`: writes krew's manifest.
    #[arg(long)]
    krew_url: Option<String>,
    /// Build the checked out commit twice, in different folders, and compare; default: kubectl-fleet. Nothing is shipped.
    #[arg(long, conflicts_with_all = ["out", "krew_url"])]
    verify: bool,
}

/// A program that was made.
struct Made {
    program: Program,
    target: Target,
    path: PathBuf,
    sha256: String,
}

pub(super) async fn run(paths: &Paths, args: DistArgs) -> Result<()> {
    let target_dir = paths.bin.parent().context("the running program lies in no target folder of cargo")?;
    let source = Source::of(&paths.root).await?;
    let zig = cross::ensure(paths, Progress::printed()).await?;
    let whole = args.programs.is_empty();
    if args.verify {
        let programs = if whole { vec![Program::KubectlFleet] } else { args.programs };
        return verify::run(&paths.root, &target_dir.join("verify"), &zig, &source, &each(&programs, &targets(args.targets, false))).await;
    }
    let programs = if whole { Program::ALL.to_vec() } else { args.programs };
    let out = args.out.unwrap_or_else(|| target_dir.join("dist"));
    let mut release = Release::new(paths, &source, &out)?;
    let builder = Builder { root: &paths.root, target_dir, zig: &zig, source: &source };
    let mut made = Vec::new();
    for target in targets(args.targets, whole) {
        for program in &programs {
            let built = builder.build(program.name(), target).await?;
            made.push(publish(&built, &mut release, *program, target)?);
        }
    }
    derive(&mut release, &made, args.krew_url.as_deref()).await?;
    if whole {
        release.chart(Progress::printed()).await?;
        release.manifests(Progress::printed()).await?;
        release.notes()?;
    }
    let files = release.sums()?;
    line(summary(&files, &made, &source)?);
    Ok(())
}

fn targets(chosen: Vec<Target>, whole: bool) -> Vec<Target> {
    match (chosen.is_empty(), whole) {
        (false, _) => chosen,
        (true, true) => vec![Target::X86_64Musl, Target::Aarch64Musl],
        (true, false) => vec![Target::X86_64Musl],
    }
}

fn each(programs: &[Program], targets: &[Target]) -> Vec<(&'static str, Target)> {
    programs.iter().flat_map(|program| targets.iter().map(|target| (program.name(), *target))).collect()
}

/// Checks what was built, and copies it to where the release lies.
fn publish(built: &Path, release: &mut Release<'_>, program: Program, target: Target) -> Result<Made> {
    let file = std::fs::read(built).with_context(|| format!("{} is missing", built.display()))?;
    let elf = Elf::read(&file).with_context(|| format!("{} is no program", built.display()))?;
    target.check(&elf).with_context(|| format!("{} is not what was asked for", built.display()))?;
    let path = release.place(&format!("{}-{}", program.name(), target.suffix()));
    std::fs::copy(built, &path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Made { program, target, sha256: release::sha256(&path)?, path })
}

/// What is made of programs: bills of materials, images, krew's archives and manifest.
async fn derive(release: &mut Release<'_>, made: &[Made], krew_url: Option<&str>) -> Result<()> {
    let mut archives = Vec::new();
    for Made { program, target, path, .. } in made {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        release.bill(&file, program.name(), target.triple()).await?;
        if *program == Program::KubectlFleet && target.is_static() {
            archives.push(release.plugin(path, target.suffix())?);
        }
    }
    for program in Program::ALL {
        let static_ones = made.iter().filter(|made| made.program == program && made.target.is_static());
        let programs: Vec<(&str, &Path)> = static_ones.map(|made| (made.target.architecture(), made.path.as_path())).collect();
        if let (Some(name), false) = (program.image(), programs.is_empty()) {
            release.image(name, &programs)?;
        }
    }
    let Some(url) = krew_url else { return Ok(()) };
    release.krew(url, &archives).map(drop)
}

fn summary(files: &[PathBuf], made: &[Made], source: &Source) -> Result<String> {
    let mut told = format!("\nOf commit {}:\n", source.revision);
    for file in files {
        let size = std::fs::metadata(file)?.len() as f64 / f64::from(1 << 20);
        told += &format!("{size:>8.2} MiB  {}\n", file.display());
    }
    for Made { path, sha256, .. } in made.iter().filter(|made| made.program == Program::Worker) {
        let name = path.file_name().unwrap_or_default().display();
        told += &format!(
            "\nA worker: copy it to S3, and put into spec.workers.template:\n  binary: {{uri: s3://BUCKET/{name}, sha256: {sha256}}}\n"
        );
    }
    if source.revision.ends_with("-dirty") {
        told += "\nFiles differ from the commit: nobody can make this release again. Commit first.\n";
    }
    Ok(told + "\ndocs/releasing.md tells how it is checked and published.")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// This test is a program for this machine, with glibc.
    #[test]
    #[cfg(all(target_env = "gnu", target_arch = "x86_64"))]
    fn what_is_published_is_checked_and_comes_with_its_hash() {
        let built = std::env::current_exe().unwrap();
        let (out, paths) = (tempfile::tempdir().unwrap(), Paths::discover().unwrap());
        let source = Source { revision: "abc".to_owned(), time: Timestamp::UNIX_EPOCH };
        let mut release = Release::new(&paths, &source, out.path()).unwrap();
        let wrong = publish(&built, &mut release, Program::Worker, Target::Aarch64Musl).err().unwrap();
        assert!(format!("{wrong:#}").contains("it is for x86_64"), "{wrong:#}");
        let shared = publish(&built, &mut release, Program::Worker, Target::X86_64Musl).err().unwrap();
        assert!(format!("{shared:#}").contains("needs the loader"), "{shared:#}");
        let made = publish(&built, &mut release, Program::Worker, Target::X86_64Gnu).unwrap();
        assert_eq!(made.path, out.path().join("classifierfleet-worker-x86_64-gnu"));
        let files = release.sums().unwrap();
        let sums = std::fs::read_to_string(out.path().join("SHA256SUMS")).unwrap();
        assert_eq!(sums, format!("{}  classifierfleet-worker-x86_64-gnu\n", made.sha256));
        let mut check = std::process::Command::new("sha256sum");
        check.args(["--check", "SHA256SUMS"]).current_dir(out.path());
        assert!(check.output().unwrap().status.success());
        assert!(
            summary(&files, &[made], &source).unwrap().contains("binary: {uri: s3://BUCKET/classifierfleet-worker-x86_64-gnu, sha256: ")
        );
    }
}
