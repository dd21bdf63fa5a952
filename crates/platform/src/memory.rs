//! Gives memory that is free back to the system. The C library keeps what was freed for whoever wants it next, in a heap for
//! each few threads: a server would hold for ever what its busiest minute took, and 20 MB for each password being checked.

/// Gives back what is free; does nothing where the C library is not GNU's, which alone keeps so much. It takes a few
/// milliseconds, in which threads that want memory wait.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "the C library is the only one that can")]
    {
        // SAFETY: it takes a number, may be called from any thread at any time, and touches nothing that is in use
        // (malloc_trim(3)). Whether there was anything to give back does not matter.
        let _ = unsafe { libc::malloc_trim(0) };
    }
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod tests {
    use std::fs;

    /// Memory that is no file's, in bytes.
    fn held() -> u64 {
        let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    #[test]
    fn what_was_freed_goes_back_to_the_system() {
        const BYTES: u64 = 40 << 20;
        // Small enough that each comes from the heap, and none at its end is free.
        let pieces: Vec<Vec<u8>> = (0..BYTES / 1000).map(|_| vec![1; 1000]).collect();
        let last = vec![1_u8; 1000];
        drop(pieces);
        let before = held();
        super::give_back();
        assert!(held() + BYTES / 2 < before, "{before} bytes before, {} after", held());
        assert_eq!(last[0], 1);
    }
}
