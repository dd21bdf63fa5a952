//! What running processes have cost so far, as the /proc of Linux tells it.

use anyhow::{Context, Result};
use std::collections::BTreeMap;

/// Linux counts processor time for user programs in hundredths of a second, on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor seconds of all children that were waited for, and of all that those waited for.
pub(crate) fn read_waited_processor_s() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("measuring needs the /proc of Linux")?;
    let fields = after_name(&stat).context("/proc/self/stat is not as expected")?;
    // Counted from the state, which follows the name: fields 16 and 17 of proc(5), counted from 1.
    let ticks: Option<f64> = [13, 14].iter().map(|index| fields.get(*index)?.parse::<f64>().ok()).sum();
    Ok(ticks.context("/proc/self/stat has no times of children")? / TICKS_PER_SECOND)
}

/// The fields of a `stat` line after the name, which may itself hold spaces and brackets.
fn after_name(stat: &str) -> Option<Vec<&str>> {
    Some(stat.rsplit_once(')')?.1.split_whitespace().collect())
}

/// User and system time that a process has had so far, and those of its children that it waited for; 0 once it has ended.
pub(crate) fn read_processor_s(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = after_name(&stat).unwrap_or_default();
    // Counted from the state, which follows the name: fields 14 to 17 of proc(5), counted from 1.
    let ticks: Option<f64> = (11..=14).map(|index: usize| fields.get(index)?.parse::<f64>().ok()).sum();
    ticks.unwrap_or_default() / TICKS_PER_SECOND
}

/// `root` and every process below it, now.
pub(crate) fn list_tree(root: u32) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process may end between being listed and being read.
        let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else { continue };
        let parent = after_name(&stat).and_then(|fields| fields.get(1)?.parse().ok());
        children.entry(parent.unwrap_or_default()).or_default().push(pid);
    }
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(pid) = tree.get(next) {
        tree.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    tree
}

/// Memory of a process, with what it shares counted in parts; 0 once it has ended.
pub(crate) fn read_memory_bytes(pid: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let fields = after_name("12 (a (b) c) S 7 8").unwrap();
        assert_eq!(fields, ["S", "7", "8"]);
    }
}
