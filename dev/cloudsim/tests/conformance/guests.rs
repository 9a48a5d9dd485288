//! Machines that run: user data is a process group that lives and dies with its instance.

use std::fs;
use std::process::{Command, Stdio};

use aws_sdk_ec2::types::ShutdownBehavior;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::backend::{IMAGE, Lab, wait_until};
use crate::cases::{ids, launch, launched};

async fn boot(lab: &Lab, script: &str, on_shutdown: ShutdownBehavior) -> String {
    let backend = lab.backend();
    let request = launch(&backend, 1).user_data(STANDARD.encode(script)).instance_initiated_shutdown_behavior(on_shutdown);
    ids(request.send().await.unwrap().instances()).remove(0)
}

/// Whether any process of this group is left.
fn group_lives(pgid: &str) -> bool {
    let listing = Command::new("ps").args(["-eo", "pgid="]).output().unwrap();
    String::from_utf8_lossy(&listing.stdout).lines().any(|line| line.trim() == pgid.trim())
}

async fn group_ends(pgid: &str) {
    wait_until(&format!("group {pgid} is gone"), || async { !group_lives(pgid) }).await;
}

#[tokio::test]
async fn user_data_runs_in_its_folder_and_dies_with_the_instance() {
    let lab = Lab::start().await;
    let script = "#!/bin/sh\nsleep 3600 &\nenv\necho home is $(pwd)\nwait\n";
    let id = boot(&lab, script, ShutdownBehavior::Stop).await;
    let console = lab.wait_for_file(&id, "console.log", "home is").await;
    let folder = lab.folder.path().join("state").join(&id).canonicalize().unwrap();
    assert!(console.contains(&format!("home is {}", folder.display())), "{console}");
    assert!(console.contains("AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:"), "{console}");
    assert!(console.contains("LANG=C.UTF-8"), "{console}");
    assert!(!console.contains("CARGO"), "the environment is its own: {console}");

    let pgid = lab.wait_for_file(&id, "pgid", "\n").await;
    assert!(group_lives(&pgid));
    lab.ec2.terminate_instances().instance_ids(&id).send().await.unwrap();
    lab.backend().wait_for_state(&id, "terminated").await;
    assert!(!group_lives(&pgid), "terminated means that nothing is left");
    assert!(!folder.join("pgid").exists());
    lab.stop().await;
}

#[tokio::test]
async fn a_guest_that_ignores_the_polite_signal_is_killed() {
    let lab = Lab::start_with(|options| options.shutdown_grace = std::time::Duration::from_millis(50)).await;
    let script = "#!/bin/sh\ntrap '' TERM\necho ready\nwhile true; do sleep 3600; done\n";
    let id = boot(&lab, script, ShutdownBehavior::Stop).await;
    lab.wait_for_file(&id, "console.log", "ready").await;
    let pgid = lab.wait_for_file(&id, "pgid", "\n").await;
    lab.ec2.terminate_instances().instance_ids(&id).send().await.unwrap();
    lab.backend().wait_for_state(&id, "terminated").await;
    assert!(!group_lives(&pgid));
    lab.stop().await;
}

#[tokio::test]
async fn a_guest_may_end_in_its_own_way() {
    let lab = Lab::start().await;
    let script = "#!/bin/sh\ntrap 'echo cleaned up; exit 0' TERM\necho ready\nwhile true; do sleep 0.05; done\n";
    let id = boot(&lab, script, ShutdownBehavior::Stop).await;
    lab.wait_for_file(&id, "console.log", "ready").await;
    lab.ec2.stop_instances().instance_ids(&id).send().await.unwrap();
    lab.backend().wait_for_state(&id, "stopped").await;
    lab.wait_for_file(&id, "console.log", "cleaned up").await;
    lab.stop().await;
}

#[tokio::test]
async fn poweroff_applies_the_shutdown_behaviour() {
    for (behaviour, state) in [(ShutdownBehavior::Terminate, "terminated"), (ShutdownBehavior::Stop, "stopped")] {
        let lab = Lab::start().await;
        let id = boot(&lab, "#!/bin/sh\nsleep 3600 &\npoweroff\n", behaviour).await;
        lab.backend().wait_for_state(&id, state).await;
        let instance = lab.backend().instance(&id).await;
        assert_eq!(instance.state_reason().unwrap().code(), Some("Client.InstanceInitiatedShutdown"));
        assert!(!lab.folder.path().join("state").join(&id).join("pgid").exists());
        lab.stop().await;
    }
}

#[tokio::test]
async fn the_end_of_the_script_is_not_the_end_of_the_instance() {
    let lab = Lab::start().await;
    let id = boot(&lab, "#!/bin/sh\necho done\n", ShutdownBehavior::Terminate).await;
    lab.wait_for_file(&id, "console.log", "done").await;
    assert_eq!(lab.backend().instance(&id).await.state().unwrap().name().unwrap().as_str(), "running");
    lab.stop().await;
}

#[tokio::test]
async fn user_data_that_is_no_script_idles_and_says_so() {
    let lab = Lab::start().await;
    let id = boot(&lab, "just words", ShutdownBehavior::Stop).await;
    lab.wait_for_file(&id, "console.log", "starts neither with #! nor with #cloud-config").await;
    let bare = launched(&lab.backend(), 1).await.remove(0);
    lab.wait_for_file(&bare, "console.log", "no user data").await;
    lab.ec2.terminate_instances().instance_ids(&bare).send().await.unwrap();
    lab.backend().wait_for_state(&bare, "terminated").await;
    lab.stop().await;
}

#[tokio::test]
async fn the_script_that_a_cloud_config_has_run_at_every_boot_is_run() {
    let lab = Lab::start().await;
    let file = |path: &str, text: &str| format!("- path: {path}\n  permissions: '0700'\n  content: |\n   #!/bin/sh\n   echo {text}\n");
    let files = file("/etc/other", "not me") + &file("/var/lib/cloud/scripts/per-boot/worker", "from the config");
    let id = boot(&lab, &format!("#cloud-config\nwrite_files:\n{files}"), ShutdownBehavior::Stop).await;
    let console = lab.wait_for_file(&id, "console.log", "from the config").await;
    assert!(!console.contains("not me"), "{console}");
    lab.stop().await;
}

#[tokio::test]
async fn a_started_instance_runs_its_user_data_again_only_if_set() {
    for (every_boot, runs) in [(true, 2), (false, 1)] {
        let lab = Lab::start_with(|options| options.user_data_every_boot = every_boot).await;
        let id = boot(&lab, "#!/bin/sh\necho hello\nexec sleep 3600\n", ShutdownBehavior::Stop).await;
        lab.wait_for_file(&id, "console.log", "hello").await;
        lab.ec2.stop_instances().instance_ids(&id).send().await.unwrap();
        lab.backend().wait_for_state(&id, "stopped").await;
        lab.ec2.start_instances().instance_ids(&id).send().await.unwrap();
        let second_boot = if every_boot { "hello\n[cloudsim] booting" } else { "no user data" };
        let console = lab.wait_for_file(&id, "console.log", second_boot).await;
        assert!(console.contains("hello"));
        if every_boot {
            wait_until("the second hello", || async { hellos(&lab, &id) == runs }).await;
        }
        assert_eq!(hellos(&lab, &id), runs);
        lab.stop().await;
    }
}

fn hellos(lab: &Lab, id: &str) -> usize {
    let console = fs::read_to_string(lab.folder.path().join("state").join(id).join("console.log")).unwrap();
    console.lines().filter(|line| *line == "hello").count()
}

#[tokio::test]
async fn the_images_folder_is_on_the_path() {
    let lab = Lab::start().await;
    let image = lab.folder.path().join("image");
    fs::create_dir_all(&image).unwrap();
    fs::write(image.join("worker"), "#!/bin/sh\necho I am the worker of the image\n").unwrap();
    fs::set_permissions(image.join("worker"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let id = boot(&lab, "#!/bin/sh\nworker\n", ShutdownBehavior::Stop).await;
    lab.wait_for_file(&id, "console.log", "I am the worker").await;
    lab.stop().await;
}

#[tokio::test]
async fn a_cloudsim_that_ends_takes_its_guests_along() {
    let lab = Lab::start().await;
    let id = boot(&lab, "#!/bin/sh\nsleep 3600 &\nwait\n", ShutdownBehavior::Stop).await;
    let pgid = lab.wait_for_file(&id, "pgid", "\n").await;
    lab.stop().await;
    assert!(!group_lives(&pgid));
}

#[tokio::test]
async fn the_program_serves_until_it_is_told_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let port_file = folder.path().join("url");
    let mut program = Command::new(env!("CARGO_BIN_EXE_cloudsim"))
        .arg("--port-file")
        .arg(&port_file)
        .arg("--state-dir")
        .arg(folder.path().join("state"))
        .args(["--pending-delay", "0", "--boot-delay", "1ms", "--image", &format!("{IMAGE}=/nonexistent")])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the URL is written", || async { port_file.exists() }).await;
    let url = fs::read_to_string(&port_file).unwrap();
    let user_data = STANDARD.encode("#!/bin/sh\necho up\nexec sleep 3600\n");
    let form = [
        ("Action", "RunInstances"),
        ("Version", "2016-11-15"),
        ("ImageId", IMAGE),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("UserData", &user_data),
    ];
    let answer = reqwest::Client::new().post(&url).form(&form).send().await.unwrap().text().await.unwrap();
    let id = answer.split("<instanceId>").nth(1).unwrap().split('<').next().unwrap();
    let pgid_file = folder.path().join("state").join(id).join("pgid");
    wait_until("the guest runs", || async { fs::read_to_string(&pgid_file).is_ok_and(|text| text.ends_with('\n')) }).await;
    let pgid = fs::read_to_string(&pgid_file).unwrap();

    Command::new("kill").arg(program.id().to_string()).status().unwrap();
    let ended = tokio::task::spawn_blocking(move || program.wait().unwrap()).await.unwrap();
    assert!(ended.success(), "{ended}");
    group_ends(&pgid).await;
}
