//! Numbers of this process, under the names that every exporter of Prometheus gives them.

use std::fs;

use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::resources;

const BUILD: &str = "build_info";
const STARTED: &str = "process_start_time_seconds";
const RESIDENT: &str = "process_resident_memory_bytes";
const MEMORY_LIMIT: &str = "process_memory_limit_bytes";
const PROCESSOR: &str = "process_cpu_seconds_total";
const OPEN_FILES: &str = "process_open_fds";
const MAX_FILES: &str = "process_max_fds";

/// The unit in which Linux tells programs how long they ran, on every machine that we build for.
const TICKS_PER_SECOND: u64 = 100;

/// Says what the numbers mean, and sets those that do not change.
pub fn describe(started_ms: i64) {
    describe_gauge!(BUILD, "1, with the version of the program");
    describe_gauge!(STARTED, "When the process began, in seconds since 1970");
    describe_gauge!(RESIDENT, "Memory that the process takes");
    describe_gauge!(MEMORY_LIMIT, "Memory that the process may take: the machine's, or its control group's");
    describe_counter!(PROCESSOR, "Seconds of processors that the process has used, without its children");
    describe_gauge!(OPEN_FILES, "Files and connections that are open");
    describe_gauge!(MAX_FILES, "Files and connections that may be open");
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    gauge!(STARTED).set(started_ms as f64 / 1000.0);
}

/// Looks the numbers up. What the system does not tell stays as it was. It reads files of the kernel: not for async code.
pub fn look_up() {
    gauge!(MEMORY_LIMIT).set(resources::memory_limit_bytes() as f64);
    if let Some(bytes) = resources::resident_bytes() {
        gauge!(RESIDENT).set(bytes as f64);
    }
    if let Some(ticks) = read("/proc/self/stat").as_deref().and_then(ticks_of_stat) {
        counter!(PROCESSOR).absolute(ticks / TICKS_PER_SECOND);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        gauge!(OPEN_FILES).set(entries.count() as f64);
    }
    if let Some(files) = read("/proc/self/limits").as_deref().and_then(max_files_of_limits) {
        gauge!(MAX_FILES).set(files as f64);
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// Time in the program and in the kernel. The name of the program, in parentheses, may hold anything, also spaces.
fn ticks_of_stat(text: &str) -> Option<u64> {
    let (_, after_name) = text.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    ticks()?.checked_add(ticks()?)
}

/// The soft limit, which is the one that holds.
fn max_files_of_limits(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn the_name_of_a_program_confuses_nobody() {
        let text = "42 (a ) b (c) S 1 42 42 0 -1 4194304 9 0 0 0 150 25 7 8 20 0 4 0 99 1 2";
        assert_eq!(ticks_of_stat(text), Some(175));
        assert_eq!(ticks_of_stat("42 (cut off"), None);
        assert_eq!(ticks_of_stat("42 (short) S 1 2"), None);
    }

    #[test]
    fn a_limit_is_read_where_there_is_one() {
        let text =
            "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 524288     files\n";
        assert_eq!(max_files_of_limits(text), Some(1024));
        assert_eq!(
            max_files_of_limits("Max open files            unlimited            unlimited            files"),
            None
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_memory_files_and_a_version() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            describe(1_700_000_000_500);
            look_up();
        });
        let told = handle.render();
        let value = |name: &str| {
            let line =
                told.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {told}"));
            line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
        };
        assert!(value("process_resident_memory_bytes ") > 1e6);
        assert!(value("process_memory_limit_bytes ") > value("process_resident_memory_bytes "));
        assert!(value("process_open_fds ") >= 3.0);
        assert!(value("process_max_fds ") > value("process_open_fds "));
        assert!(told.contains("process_start_time_seconds 1700000000.5\n"), "{told}");
        assert!(told.contains(concat!("build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1\n")), "{told}");
    }
}
