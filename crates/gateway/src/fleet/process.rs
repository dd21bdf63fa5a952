//! Starts instances, and programs that check them, and ends them: the one place of the gateway that does. Each is asked to end,
//! killed if it does not, and reaped. Those that a gateway before this one started are taken over.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    fs::File,
    io,
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal};
use tokio::{process::Command, time::timeout};

use super::{
    proc::{self, Identity},
    settings::OnGatewayDeath,
};

/// A program to start.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    /// The whole of its environment.
    pub(super) environment: BTreeMap<OsString, OsString>,
    /// Where all that it says goes.
    pub(super) output: File,
    pub(super) on_gateway_death: OnGatewayDeath,
}

/// A program that was started.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    hold: Hold,
}

/// How a program ended.
#[derive(Debug)]
pub(super) enum Ended {
    With(ExitStatus),
    /// It has ended, and how was told to somebody else.
    Somehow,
    /// The system does not say.
    Lost(io::Error),
}

#[derive(Debug)]
enum Hold {
    Child(tokio::process::Child),
    /// Started by a gateway before this one; how it ends is told to nobody but its parent.
    #[cfg(target_os = "linux")]
    Adopted(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>),
}

impl Order {
    /// Starts it, in a process group of its own, so that a Ctrl-C reaches the gateway alone.
    pub(super) fn start(self) -> io::Result<Process> {
        #[expect(clippy::disallowed_methods, reason = "the gateway starts servers, here and nowhere else")]
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(&self.environment).process_group(0);
        command.stdin(Stdio::null()).stdout(self.output.try_clone()?).stderr(self.output);
        let child = match self.on_gateway_death {
            OnGatewayDeath::Keep => command.spawn()?,
            OnGatewayDeath::End => bound::spawn(command)?,
        };
        let pid = child.id().ok_or(io::ErrorKind::NotFound)?;
        Ok(Process { pid, hold: Hold::Child(child) })
    }
}

impl Process {
    /// Takes over a process that somebody else started; nothing where it is no more.
    #[cfg(target_os = "linux")]
    pub(super) fn adopt(identity: Identity) -> Option<Self> {
        let pid = raw(identity.pid)?;
        let handle = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()?;
        // Asked after the handle was taken: from here on it means this process, whatever becomes of the number.
        proc::stat(identity.pid).filter(|stat| stat.identity == identity)?;
        Some(Self { pid: identity.pid, hold: Hold::Adopted(watch(handle)?) })
    }

    /// Elsewhere than on Linux nothing tells a process from another that got its number.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn adopt(_: Identity) -> Option<Self> {
        None
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// What tells it from every other; nothing once it has ended, and elsewhere than on Linux.
    pub(super) fn identity(&self) -> Option<Identity> {
        proc::stat(self.pid).map(|stat| stat.identity)
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&mut self) -> Ended {
        match &mut self.hold {
            Hold::Child(child) => child.wait().await.map_or_else(Ended::Lost, Ended::With),
            #[cfg(target_os = "linux")]
            Hold::Adopted(handle) => handle.readable().await.map_or_else(Ended::Lost, |_| Ended::Somehow),
        }
    }

    /// Asks it to end, kills it after `limit`, and reaps it.
    pub(super) async fn stop(&mut self, limit: Duration) -> Ended {
        self.signal(Signal::TERM);
        if let Ok(ended) = timeout(limit, self.ended()).await {
            return ended;
        }
        tracing::warn!(pid = self.pid, limit_s = limit.as_secs_f64(), "a program that does not end is killed");
        self.signal(Signal::KILL);
        self.ended().await
    }

    /// Fails only for one that has ended already.
    fn signal(&self, signal: Signal) {
        let sent = match &self.hold {
            // The number is its own until it is reaped, which `id` knows.
            Hold::Child(child) => match child.id().and_then(raw) {
                Some(pid) => rustix::process::kill_process(pid, signal),
                None => Ok(()),
            },
            #[cfg(target_os = "linux")]
            Hold::Adopted(handle) => rustix::process::pidfd_send_signal(handle, signal),
        };
        if let Err(error) = sent {
            tracing::debug!(pid = self.pid, error = %error, "a signal was not delivered");
        }
    }
}

/// A handle of a process that becomes readable when the process ends (`pidfd_open(2)`).
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the runtime takes a descriptor of the caller's only so")]
fn watch(handle: std::os::fd::OwnedFd) -> Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    // SAFETY: an `OwnedFd` is an open descriptor, is the same one for as long as it lives, and is closed only when it is
    // dropped, which the `AsyncFd` that owns it from here on does when it is dropped itself.
    unsafe { tokio::io::unix::AsyncFd::register_with_interest(handle, tokio::io::Interest::READABLE) }.ok()
}

fn raw(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

impl Ended {
    pub(super) fn is_success(&self) -> bool {
        matches!(self, Self::With(status) if status.success())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::With(status) => match (status.code(), status.signal()) {
                (Some(code), _) => write!(f, "exit status {code}"),
                (None, Some(signal)) => write!(f, "killed by signal {signal}"),
                (None, None) => f.write_str("ended"),
            },
            Self::Somehow => f.write_str("ended"),
            Self::Lost(error) => write!(f, "lost: {error}"),
        }
    }
}

/// Children that the kernel ends with the gateway.
///
/// Linux sends a child's death signal when the *thread* that forked it ends (prctl(2), `PR_SET_PDEATHSIG`), and the threads of
/// an async runtime come and go: hence a thread of its own that never ends.
mod bound {
    use std::{
        io,
        sync::{OnceLock, mpsc},
    };

    use tokio::{
        process::{Child, Command},
        runtime::Handle,
    };

    type Reply = mpsc::SyncSender<io::Result<Child>>;

    pub(super) fn spawn(mut command: Command) -> io::Result<Child> {
        command.kill_on_drop(true);
        #[cfg(target_os = "linux")]
        die_with_gateway(&mut command);
        let (reply, answer) = mpsc::sync_channel(1);
        let ended = |_| io::Error::other("the thread that starts programs has ended");
        orders()?.send((command, Handle::current(), reply)).map_err(|_| ended(mpsc::RecvError))?;
        answer.recv().map_err(ended)?
    }

    fn orders() -> io::Result<&'static mpsc::Sender<(Command, Handle, Reply)>> {
        static ORDERS: OnceLock<mpsc::Sender<(Command, Handle, Reply)>> = OnceLock::new();
        if let Some(orders) = ORDERS.get() {
            return Ok(orders);
        }
        let (sender, receiver) = mpsc::channel::<(Command, Handle, Reply)>();
        // Two callers may race here; the loser's thread ends at once, with its sender, before it ever forked.
        std::thread::Builder::new().name("instances".into()).spawn(move || {
            for (mut command, runtime, reply) in receiver {
                let _runtime = runtime.enter();
                let _ = reply.send(command.spawn());
            }
        })?;
        Ok(ORDERS.get_or_init(|| sender))
    }

    /// Has the kernel ask the child to end when the gateway dies, however it dies.
    #[cfg(target_os = "linux")]
    #[expect(unsafe_code, reason = "a call between fork and exec has no safe form")]
    fn die_with_gateway(command: &mut Command) {
        use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

        let parent = getpid();
        let before_exec = move || {
            set_parent_process_death_signal(Some(Signal::TERM))?;
            // The gateway may have died between the fork and the line above: the signal would then never come.
            if getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
        };
        // SAFETY: the closure runs in the forked child, where only async-signal-safe work is allowed. It makes two system
        // calls (prctl and getppid), allocates nothing, takes no lock, and touches no memory but its captured process id.
        unsafe {
            command.pre_exec(before_exec);
        }
    }
}
