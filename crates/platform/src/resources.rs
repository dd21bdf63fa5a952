//! What the machine has to give: processors, memory, disk; and a budget that shares the memory out.

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit in which memory is shared out.
const MEBIBYTE: u64 = 1024 * 1024;

/// What is assumed of a machine that does not say how much memory it has.
const UNKNOWN_MEMORY_BYTES: u64 = 2 * 1024 * MEBIBYTE;

/// How many processors this process may keep busy, counting CPU affinity and cgroup quotas. At least one.
pub fn cpu_count() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// The memory this process may use, in bytes: the machine's, or its control group's limit where that is lower.
pub fn memory_limit_bytes() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| total_of_meminfo(&text))
        .unwrap_or(UNKNOWN_MEMORY_BYTES);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    group_limit_files(&groups)
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        // A group without a limit says `max`, or in version 1 a number beyond any machine.
        .filter_map(|text| text.trim().parse::<u64>().ok())
        .fold(machine, u64::min)
}

/// The memory that this process takes now, in bytes; `None` where the system does not say.
pub fn resident_bytes() -> Option<u64> {
    resident_of_status(&fs::read_to_string("/proc/self/status").ok()?)
}

/// The files that may limit this process: those of its control group and of every group above, in both versions of
/// control groups. Inside a container the topmost is the container's own.
fn group_limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let (root, name) = if controllers.is_empty() {
            ("/sys/fs/cgroup", "memory.max")
        } else if controllers.split(',').any(|controller| controller == "memory") {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        } else {
            continue;
        };
        let group = Path::new(group.trim_start_matches('/'));
        files.extend(group.ancestors().map(|group| Path::new(root).join(group).join(name)));
    }
    files
}

/// A file system: what an unprivileged process may still write, and how much there is in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskBytes {
    pub free: u64,
    pub size: u64,
}

/// Bytes of the file system that holds `path`.
pub fn disk_bytes(path: &Path) -> io::Result<DiskBytes> {
    let status = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(status.f_frsize);
    Ok(DiskBytes { free: bytes(status.f_bavail), size: bytes(status.f_blocks) })
}

/// Bytes that an unprivileged process may still write to the file system that holds `path`.
pub fn free_disk_bytes(path: &Path) -> io::Result<u64> {
    Ok(disk_bytes(path)?.free)
}

fn total_of_meminfo(text: &str) -> Option<u64> {
    kibibytes(text, "MemTotal:")
}

fn resident_of_status(text: &str) -> Option<u64> {
    kibibytes(text, "VmRSS:")
}

/// The line of a table of the kernel that begins with `name`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// A share of memory that is handed out in leases, so that work starts only when there is room for it.
///
/// It measures nothing: whoever starts work says what it will need. Clones share the same memory.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    mebibytes: Arc<Semaphore>,
    total_mebibytes: u32,
}

/// Memory set aside for a piece of work; dropping it gives the memory back.
#[derive(Debug)]
pub struct MemoryLease {
    _permit: Option<OwnedSemaphorePermit>,
}

impl MemoryBudget {
    /// A budget of `bytes`, at least one mebibyte.
    pub fn new(bytes: u64) -> Self {
        let total_mebibytes = u32::try_from(bytes / MEBIBYTE).unwrap_or(u32::MAX).clamp(1, 1 << 28);
        Self { mebibytes: Arc::new(Semaphore::new(total_mebibytes as usize)), total_mebibytes }
    }

    /// Half of what the process may use: the rest is left to the user's other programs and the page cache.
    pub fn of_machine() -> Self {
        Self::new(memory_limit_bytes() / 2)
    }

    /// The whole budget in bytes.
    pub fn total_bytes(&self) -> u64 {
        u64::from(self.total_mebibytes) * MEBIBYTE
    }

    /// Waits until `bytes` are free and sets them aside, first come, first served.
    ///
    /// Work that needs more than the whole budget gets all of it: it runs alone rather than never.
    pub async fn lease(&self, bytes: u64) -> MemoryLease {
        let mebibytes = u32::try_from(bytes.div_ceil(MEBIBYTE)).unwrap_or(u32::MAX).min(self.total_mebibytes);
        let permit = Arc::clone(&self.mebibytes).acquire_many_owned(mebibytes).await;
        MemoryLease { _permit: permit.ok() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn total_memory_is_read_in_kibibytes() {
        let text = "MemTotal:        8039520 kB\nMemFree:          123 kB\n";
        assert_eq!(total_of_meminfo(text), Some(8_039_520 * 1024));
        assert_eq!(total_of_meminfo("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn the_memory_of_this_process_is_read_from_its_status() {
        assert_eq!(resident_of_status("VmPeak:\t 9000 kB\nVmRSS:\t  1234 kB\n"), Some(1234 * 1024));
        #[cfg(target_os = "linux")]
        assert!(resident_bytes().is_some_and(|bytes| bytes > MEBIBYTE));
    }

    #[test]
    fn a_control_group_is_limited_by_those_above_it() {
        let files = group_limit_files("5:cpu,cpuacct:/a\n4:memory:/a\n0::/b/c\n");
        let expected = [
            "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/b/c/memory.max",
            "/sys/fs/cgroup/b/memory.max",
            "/sys/fs/cgroup/memory.max",
        ];
        assert_eq!(files, expected.map(PathBuf::from));
    }

    #[test]
    fn this_machine_has_processors_memory_and_a_disk() {
        assert!(cpu_count() >= 1);
        assert!(memory_limit_bytes() > 64 * MEBIBYTE);
        let disk = disk_bytes(&std::env::temp_dir()).unwrap();
        assert!(disk.free > 0 && disk.free <= disk.size, "{disk:?}");
        assert!(free_disk_bytes(Path::new("/nowhere/at/all")).is_err());
    }

    #[tokio::test]
    async fn work_waits_until_its_memory_is_free() {
        let budget = MemoryBudget::new(10 * MEBIBYTE);
        let first = budget.lease(6 * MEBIBYTE).await;
        assert!(tokio::time::timeout(Duration::from_millis(20), budget.lease(6 * MEBIBYTE)).await.is_err());
        drop(first);
        assert!(tokio::time::timeout(Duration::from_secs(5), budget.lease(6 * MEBIBYTE)).await.is_ok());
    }

    #[tokio::test]
    async fn work_larger_than_the_budget_runs_alone() {
        let budget = MemoryBudget::new(10 * MEBIBYTE);
        let whole = budget.lease(u64::MAX).await;
        assert!(tokio::time::timeout(Duration::from_millis(20), budget.lease(1)).await.is_err());
        drop(whole);
        assert_eq!(budget.total_bytes(), 10 * MEBIBYTE);
    }
}
