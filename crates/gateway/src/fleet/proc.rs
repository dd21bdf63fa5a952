//! What Linux says of processes in `/proc`; on other systems there is no such folder, and nothing is known of them.

use std::{fs, path::Path};

/// Ticks of a second in `/proc`: `USER_HZ`, 100 wherever Rust runs on Linux (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// A process, told from any other that ever had or will have its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// When it began, in ticks since the machine did.
    pub(crate) started_ticks: u64,
}

/// How a process is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stat {
    pub(crate) identity: Identity,
    pub(crate) parent: u32,
    /// Seconds of processor time that it used.
    pub(crate) processor_s: f64,
    /// Whether it has ended, and nobody has asked how.
    pub(crate) is_zombie: bool,
}

/// What is told of a process that lives; nothing of one that does not.
pub(crate) fn stat(pid: u32) -> Option<Stat> {
    // Answered by the kernel from memory, so that it may be read where nothing should wait.
    let stat = parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
    (!stat.is_zombie).then_some(stat)
}

fn parse(line: &str) -> Option<Stat> {
    let pid = line.split_once(' ')?.0.parse().ok()?;
    // The name may hold spaces and brackets; what follows the last one is numbers.
    let (_, rest) = line.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        identity: Identity { pid, started_ticks: number(19)? },
        parent: u32::try_from(number(1)?).ok()?,
        processor_s: (number(11)? + number(12)?) as f64 / TICKS_PER_SECOND,
        is_zombie: matches!(*fields.first()?, "Z" | "X"),
    })
}

/// What names this run of the machine: numbers of processes begin anew with the next. Empty where it is not told.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// Processes that were started with the variable `name` set to `value`, but not what those have started themselves.
pub(crate) fn started_with(name: &str, value: &str) -> Vec<Identity> {
    let line = format!("{name}={value}");
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let found: Vec<Stat> = pids.filter(|pid| has_variable(*pid, line.as_bytes())).filter_map(stat).collect();
    let is_top = |stat: &&Stat| !found.iter().any(|other| other.identity.pid == stat.parent);
    found.iter().filter(is_top).map(|stat| stat.identity).collect()
}

fn has_variable(pid: u32, line: &[u8]) -> bool {
    let path = format!("/proc/{pid}/environ");
    fs::read(Path::new(&path)).is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry == line))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_is_skipped() {
        let line = "42 (a) R 1 (b)) S 7 42 42 0 -1 4194304 1 2 3 4 150 50 0 0 20 0 1 0 987654 1 2 3";
        let stat = parse(line).unwrap();
        assert_eq!(stat.identity, Identity { pid: 42, started_ticks: 987_654 });
        assert_eq!((stat.parent, stat.is_zombie), (7, false));
        assert!((stat.processor_s - 2.0).abs() < 1e-9);
        assert_eq!(parse("42 (a) S 1"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn this_process_is_known_and_another_of_its_number_would_not_be_it() {
        let own = stat(std::process::id()).unwrap();
        assert_eq!(own.identity.pid, std::process::id());
        assert!(own.identity.started_ticks > 0);
        assert!(!boot_id().is_empty());
        assert_eq!(stat(u32::MAX), None);
    }
}
