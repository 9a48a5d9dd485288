//! What needs no stack: the rules pass their tests, and the dashboards are the ones that dev/prometheus/dashboards.py makes.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;
use xtask::paths::Paths;

const TESTS: &str = "dev/prometheus/alerts.test.yaml";

async fn succeeds(root: &Path, program: &Path, args: &[&str]) {
    let output = Command::new(program).args(args).current_dir(root).stdin(Stdio::null()).output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&said));
}

#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn each_alert_fires_when_it_should_and_only_then() {
    let paths = Paths::discover().unwrap();
    let Some(program) = super::prometheus(&paths).await else { return };
    succeeds(&paths.root, &program.promtool, &["check", "rules", super::RULES]).await;
    succeeds(&paths.root, &program.promtool, &["test", "rules", TESTS]).await;
    let read = |path: &str| std::fs::read_to_string(paths.root.join(path)).unwrap();
    let (rules, tests, books) = (read(super::RULES), read(TESTS), read("docs/runbooks/README.md"));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 5, "{alerts:?}");
    for alert in alerts {
        let quiet = format!("- {{alertname: {alert}, eval_time: ");
        assert!(
            tests.lines().any(|line| line.trim().starts_with(&quiet) && line.ends_with("exp_alerts: []}")),
            "{alert}: when does it not fire?"
        );
        assert!(tests.contains(&format!("- alertname: {alert}\n")), "{alert}: when does it fire?");
        assert!(books.contains(&format!("[{alert}]({alert}.md)")), "{alert} is missing in docs/runbooks/README.md");
    }
}

#[tokio::test]
async fn the_dashboards_are_generated() {
    let root = Paths::discover().unwrap().root;
    succeeds(&root, Path::new("python3"), &["dev/prometheus/dashboards.py", "--check"]).await;
}
