//! One program in the place of another, and back.

use std::{fs, path::Path, time::Duration};

use gateway::fleet::{DeploymentReport, Outcome, Seconds};
use rustix::process::Signal;

use super::yard::{Running, Yard, lives, signal};

async fn ended(running: &Running) -> DeploymentReport {
    let is_over = |report: &DeploymentReport| report.outcome != Outcome::Running;
    running.wait("the deploy to end", |status| status.deployment.clone().filter(is_over)).await
}

/// Deploys a program that must fail, and leave everything as it was.
async fn refuse(yard: &Yard, arguments: &str) -> String {
    let running = yard.start();
    let before = running.settled(2).await;
    let program = yard.program("green", arguments);
    running.fleet.deploy(&program).unwrap();
    let report = ended(&running).await;
    assert_eq!(report.outcome, Outcome::Failed);
    let after = running.settled(2).await;
    let of = |instances: &[gateway::fleet::InstanceStatus]| instances.iter().map(|each| each.pid).collect::<Vec<_>>();
    assert_eq!(of(&before), of(&after), "those of before serve on");
    assert_eq!(running.fleet.status().serving.number, 1);
    running.end().await;
    report.reason.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_program_takes_the_place_of_the_one_before_and_gives_it_back() {
    let yard = Yard::new();
    let running = yard.start();
    let blue = running.settled(2).await;
    let green = yard.program("green", "");
    let begun = running.fleet.deploy(&green).unwrap();
    assert_eq!((begun.generation, begun.outcome), (2, Outcome::Running));
    let busy = running.fleet.deploy(&green).unwrap_err().to_string();
    assert!(busy.contains("generation 2 is being deployed"), "{busy}");
    let report = ended(&running).await;
    assert_eq!((report.outcome, report.reason), (Outcome::Succeeded, None));
    let green = running.settled(2).await;
    assert!(green.iter().all(|each| each.generation == 2));
    assert_eq!(running.names().await, ["green", "green"]);
    assert!(blue.iter().all(|each| !lives(each.pid.unwrap())));

    running.fleet.rollback().unwrap();
    assert_eq!(ended(&running).await.outcome, Outcome::Succeeded);
    assert_eq!(running.names().await, ["blue", "blue"]);
    let status = running.fleet.status();
    assert_eq!((status.serving.number, status.previous.unwrap().number), (3, 2));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_never_gets_ready_does_not_serve() {
    let mut yard = Yard::new();
    yard.settings.instances.start_limit_s = Seconds::whole(1);
    let reason = refuse(&yard, "--unready").await;
    assert!(reason.contains("not ready within 1 s"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_ends_during_its_check_does_not_serve() {
    let mut yard = Yard::new();
    yard.settings.deploy.check_s = Seconds::whole(20);
    let reason = refuse(&yard, "--exit-after-ms 700").await;
    assert!(reason.contains("exit status 3") && reason.contains("I have had enough"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_whose_health_is_worse_does_not_serve() {
    let reason = refuse(&Yard::new(), "--ill-part storage").await;
    assert!(reason.contains("health is worse than before: storage"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_work_before_need_not_work_now() {
    let mut yard = Yard::new();
    yard.settings.program = yard.program("blue", "--ill-part jobs");
    let running = yard.start();
    running.settled(2).await;
    running.fleet.deploy(&yard.program("green", "--ill-part jobs")).unwrap();
    assert_eq!(ended(&running).await.outcome, Outcome::Succeeded);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_the_operators_own_decides() {
    let mut yard = Yard::new();
    let check = |script: &str| ["/bin/sh", "-c", script, "check", "{address}"].map(str::to_owned).to_vec();
    yard.settings.deploy.check_command = check("echo \"$1 is not to my taste\"; exit 4");
    let reason = refuse(&yard, "").await;
    assert!(reason.contains("exit status 4") && reason.contains("is not to my taste"), "{reason}");
    yard.settings.deploy.check_command = check("sleep 60");
    yard.settings.deploy.check_command_limit_s = Seconds(Duration::from_millis(200));
    let reason = refuse(&yard, "").await;
    assert!(reason.contains("longer than 0.2 s"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_dies_after_the_switch_gives_back_what_it_took() {
    let mut yard = Yard::new();
    yard.settings.deploy.watch_s = Seconds::whole(30);
    let running = yard.start();
    let blue = running.settled(2).await;
    running.fleet.deploy(&yard.program("green", "")).unwrap();
    let victim = running.wait("the switch", |status| {
        let serves = status.serving.number == 2;
        let green = status.instances.iter().find(|each| each.generation == 2);
        green.filter(|_| serves).and_then(|each| each.pid)
    });
    signal(victim.await, Signal::KILL);
    let report = ended(&running).await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(report.reason.unwrap().contains("killed by signal 9"));
    assert_eq!(
        running.settled(2).await.iter().map(|each| each.pid).collect::<Vec<_>>(),
        blue.iter().map(|each| each.pid).collect::<Vec<_>>()
    );
    assert_eq!(running.names().await, ["blue", "blue"]);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_is_called_off_before_and_after_the_switch() {
    let mut yard = Yard::new();
    yard.settings.deploy.watch_s = Seconds::whole(60);
    let running = yard.start();
    running.settled(2).await;
    let green = yard.program("green", "");
    for expected in [1, 2] {
        running.fleet.deploy(&green).unwrap();
        running.wait("it to be under way", |status| (status.serving.number >= expected).then_some(())).await;
        running.fleet.rollback().unwrap();
        let report = ended(&running).await;
        assert_eq!(report.reason.as_deref(), Some("it was called off"));
        running.settled(2).await;
        assert_eq!(running.names().await, ["blue", "blue"]);
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_or_never_was_cannot_be_gone_back_to() {
    let yard = Yard::new();
    let running = yard.start();
    running.settled(2).await;
    let refused = running.fleet.rollback().unwrap_err().to_string();
    assert!(refused.contains("no generation before"), "{refused}");
    running.fleet.deploy(&yard.program("green", "")).unwrap();
    assert_eq!(ended(&running).await.outcome, Outcome::Succeeded);
    fs::write(&yard.settings.program, "#!/bin/sh\nexit 1\n").unwrap();
    let refused = running.fleet.rollback().unwrap_err().to_string();
    assert!(refused.contains("was changed since it served"), "{refused}");
    for wrong in ["tiny_server", "/nowhere/at/all", "/tmp"] {
        assert!(running.fleet.deploy(Path::new(wrong)).is_err(), "{wrong}");
    }
    running.end().await;
}

#[test]
fn a_gateway_killed_in_the_middle_of_a_deploy_goes_on_with_what_was_found_good() {
    let mut yard = Yard::new();
    yard.settings.deploy.watch_s = Seconds::whole(60);
    let (runtime, running) = yard.start_mortal();
    let (blue, green) = runtime.block_on(async {
        let blue = running.settled(2).await;
        running.fleet.deploy(&yard.program("green", "")).unwrap();
        running.wait("the switch", |status| (status.serving.number == 2).then_some(())).await;
        let green = running.fleet.status().instances.into_iter().filter(|each| each.generation == 2);
        (blue, green.collect::<Vec<_>>())
    });
    runtime.shutdown_background();
    drop(running);

    let (runtime, running) = yard.start_mortal();
    runtime.block_on(async {
        let now = running.settled(2).await;
        assert_eq!(
            now.iter().map(|each| each.pid).collect::<Vec<_>>(),
            blue.iter().map(|each| each.pid).collect::<Vec<_>>()
        );
        assert_eq!(running.names().await, ["blue", "blue"]);
        assert!(green.iter().all(|each| !lives(each.pid.unwrap())), "the new ones were ended");
        // The number is not given again.
        running.fleet.deploy(&yard.program("green", "")).unwrap();
        assert_eq!(running.fleet.status().deployment.unwrap().generation, 3);
        running.end().await;
    });
}
