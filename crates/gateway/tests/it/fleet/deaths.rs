//! Instances that die, hang or never come up, and a gateway that is killed.

use std::{fs, time::Duration};

use gateway::fleet::{OnGatewayDeath, Phase, Scale, Seconds};
use rustix::process::Signal;

use super::yard::{Yard, lives, signal};

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_killed_is_replaced() {
    let yard = Yard::new();
    let running = yard.start();
    let [first, second] = <[_; 2]>::try_from(running.settled(2).await).unwrap();
    signal(first.pid.unwrap(), Signal::KILL);
    running.wait("the first to be gone", |status| (!status.instances.contains(&first)).then_some(())).await;
    let now = running.settled(2).await;
    assert_eq!(now[0].name, second.name);
    assert_eq!(now[0].pid, second.pid, "the other one stayed");
    assert_eq!(now[1].name, "g1-3");
    assert_eq!(running.names().await, ["blue", "blue"]);
    running.end().await;
    assert!(!lives(second.pid.unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_hangs_is_replaced() {
    let mut yard = Yard::new();
    yard.settings.instances.live_limit_s = Seconds(Duration::from_millis(900));
    yard.settings.instances.stop_limit_s = Seconds(Duration::from_millis(300));
    let running = yard.start();
    let hung = running.settled(2).await.remove(0);
    signal(hung.pid.unwrap(), Signal::STOP);
    running
        .wait("it to be replaced", |status| status.instances.iter().all(|each| each.name != hung.name).then_some(()))
        .await;
    running.settled(2).await;
    assert!(!lives(hung.pid.unwrap()), "it did not heed the signal to end");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_end_again_and_again_are_told_of_with_their_last_words() {
    let mut yard = Yard::new();
    yard.settings.program = yard.program("weary", "--exit-after-ms 10");
    let running = yard.start();
    let fault =
        running.wait("a fault", |status| status.faults.iter().find(|fault| fault.contains("in a row")).cloned()).await;
    assert!(fault.contains("generation 1") && fault.contains("exit status 3"), "{fault}");
    assert!(fault.contains("I have had enough"), "{fault}");
    let started = running.wait("a third try", |status| {
        let numbers = status.instances.iter().filter_map(|each| each.name.split('-').nth(1)?.parse::<u64>().ok());
        numbers.max()
    });
    assert!(started.await < 12, "it is tried ever more rarely");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_be_run_is_told_of() {
    let mut yard = Yard::new();
    yard.settings.program = yard.program("broken", "");
    fs::write(&yard.settings.program, "#!/nowhere/sh\n").unwrap();
    let running = yard.start();
    let fault =
        running.wait("a fault", |status| status.faults.iter().find(|fault| fault.contains("in a row")).cloned()).await;
    assert!(fault.contains("cannot be started"), "{fault}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_gets_ready_is_ended_after_its_time() {
    let mut yard = Yard::new();
    yard.settings.program = yard.program("unready", "--unready");
    yard.settings.instances.start_limit_s = Seconds(Duration::from_millis(300));
    let running = yard.start();
    let fault =
        running.wait("a fault", |status| status.faults.iter().find(|fault| fault.contains("in a row")).cloned()).await;
    assert!(fault.contains("not ready within 0.3 s") && fault.contains("/readyz answers 503"), "{fault}");
    assert!(!running.pool.takes_requests());
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_says_how_many_there_are_within_bounds() {
    let yard = Yard::new();
    let running = yard.start();
    running.settled(2).await;
    running.fleet.scale(Scale::Fixed(4)).await.unwrap();
    let four = running.settled(4).await;
    running.fleet.scale(Scale::Fixed(2)).await.unwrap();
    let two = running.settled(2).await;
    assert_eq!(two.iter().map(|each| &each.name).collect::<Vec<_>>(), [&four[0].name, &four[1].name]);
    for count in [0, 1, 5] {
        let refused = running.fleet.scale(Scale::Fixed(count)).await.unwrap_err().to_string();
        assert!(refused.contains("not between 2 and 4"), "{refused}");
    }
    running.end().await;
}

#[test]
fn a_gateway_that_was_killed_finds_its_instances_again() {
    let yard = Yard::new();
    let (runtime, running) = yard.start_mortal();
    let before = runtime.block_on(async {
        running.settled(2).await;
        running.fleet.scale(Scale::Fixed(3)).await.unwrap();
        running.settled(3).await
    });
    runtime.shutdown_background();
    drop(running);
    let pids: Vec<u32> = before.iter().filter_map(|each| each.pid).collect();
    // One dies while nobody looks.
    signal(pids[0], Signal::KILL);

    let (runtime, running) = yard.start_mortal();
    runtime.block_on(async {
        let now = running.settled(3).await;
        let kept: Vec<_> = now.iter().take(2).map(|each| (each.pid, each.address)).collect();
        let expected: Vec<_> = before.iter().skip(1).map(|each| (each.pid, each.address)).collect();
        assert_eq!(kept, expected, "those that lived are the same processes");
        assert_eq!(now[2].name, "g1-4", "and the one that died was replaced");
        assert_eq!(running.names().await, ["blue"; 3]);
        // An instance that was taken over is watched like any other.
        signal(pids[1], Signal::KILL);
        running
            .wait("the second to be gone", |status| {
                status.instances.iter().all(|each| each.pid != Some(pids[1])).then_some(())
            })
            .await;
        running.settled(3).await;
        running.end().await;
    });
    assert!(pids.iter().all(|pid| !lives(*pid)), "at the end all are ended, whoever started them");
}

#[test]
fn instances_that_nobody_noted_and_numbers_that_were_given_anew_are_told_apart() {
    let yard = Yard::new();
    let (runtime, running) = yard.start_mortal();
    let before = runtime.block_on(running.settled(2));
    runtime.shutdown_background();
    drop(running);
    let pids: Vec<u32> = before.iter().filter_map(|each| each.pid).collect();
    // The state of a gateway that was killed before it had noted the first, and whose second has a number that belongs to
    // somebody else by now: this very test.
    let file = yard.settings.state.join("state.json");
    let mut state: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let instances = state["instances"].as_array_mut().unwrap();
    instances.remove(0);
    instances[0]["identity"]["pid"] = std::process::id().into();
    fs::write(&file, state.to_string()).unwrap();

    let (runtime, running) = yard.start_mortal();
    runtime.block_on(async {
        let now = running.settled(2).await;
        assert!(now.iter().all(|each| !pids.contains(&each.pid.unwrap())), "all are new");
        running.wait("the old ones to be ended", |_| pids.iter().all(|pid| !lives(*pid)).then_some(())).await;
        running.end().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_do_not_share_a_folder() {
    let yard = Yard::new();
    let running = yard.start();
    let pool = running.pool.clone();
    let second = gateway::fleet::Fleet::open(yard.settings.clone(), pool, std::sync::Arc::new(kernel::SystemClock));
    let refused = second.unwrap_err().to_string();
    assert!(refused.contains("another gateway holds"), "{refused}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_get_what_they_are_to_get_of_the_environment() {
    let mut yard = Yard::new();
    yard.settings.instances.on_gateway_death = OnGatewayDeath::End;
    yard.settings.instances.pass_environment = vec!["PATH".to_owned()];
    yard.settings.instances.environment.insert("OWN".to_owned(), "{instance} at {port}".to_owned());
    let running = yard.start();
    for instance in running.settled(2).await {
        let environment = fs::read_to_string(format!("/proc/{}/environ", instance.pid.unwrap())).unwrap();
        let mut names: Vec<_> = environment.split('\0').filter_map(|entry| entry.split_once('=')).collect();
        // The shell adds one.
        names.retain(|(name, _)| !matches!(*name, "PWD" | "PATH"));
        names.sort_unstable();
        let own = format!("{} at {}", instance.name, instance.address.unwrap().port());
        let state = yard.settings.state.display().to_string();
        assert_eq!(names, [("GATEWAY_INSTANCE_OF", state.as_str()), ("OWN", own.as_str())]);
        assert_eq!(instance.state, Phase::Serving);
    }
    running.end().await;
}
