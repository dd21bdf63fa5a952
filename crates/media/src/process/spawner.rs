//! The one thread that forks children, so that they die with Pressroom even when it is killed outright.
//!
//! Linux sends a child's death signal when the *thread* that forked it ends (`prctl(2)`, `PR_SET_PDEATHSIG`), and the
//! threads of an async runtime come and go: hence a thread of its own that never ends.

use std::io;
use std::sync::{OnceLock, mpsc};

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

struct Order {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// Starts `command` in a process group of its own, so that a Ctrl-C reaches Pressroom alone, which then stops it.
pub(super) async fn spawn(mut command: Command) -> io::Result<Child> {
    command.kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    #[cfg(target_os = "linux")]
    die_with_parent(&mut command);
    let (reply, answer) = oneshot::channel();
    let order = Order { command, runtime: Handle::current(), reply };
    orders()?.send(order).map_err(|_| io::Error::other("the thread that starts programs has ended"))?;
    answer.await.map_err(|_| io::Error::other("the thread that starts programs has ended"))?
}

fn orders() -> io::Result<&'static mpsc::Sender<Order>> {
    static ORDERS: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    if let Some(orders) = ORDERS.get() {
        return Ok(orders);
    }
    let (sender, receiver) = mpsc::channel::<Order>();
    // Two callers may race here; the loser's thread ends at once, with its sender, before it ever forked.
    std::thread::Builder::new().name("spawner".into()).spawn(move || {
        for mut order in receiver {
            let _runtime = order.runtime.enter();
            let child = order.command.spawn();
            // A caller that went away drops the child, which kills it.
            let _ = order.reply.send(child);
        }
    })?;
    Ok(ORDERS.get_or_init(|| sender))
}

/// Has the kernel kill the child when Pressroom dies, however it dies.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "a call between fork and exec has no safe form")]
fn die_with_parent(command: &mut Command) {
    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

    let parent = getpid();
    let before_exec = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have died between the fork and the line above: the signal would then never come.
        if getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
    };
    // SAFETY: the closure runs in the forked child, where only async-signal-safe work is allowed. It makes two system
    // calls (prctl and getppid), allocates nothing, takes no lock, and touches no memory but its captured process id.
    unsafe {
        command.pre_exec(before_exec);
    }
}
