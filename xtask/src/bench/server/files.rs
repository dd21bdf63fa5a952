//! A file of a gibibyte, sent and fetched in parts: what it costs in memory.

use super::super::MEGABYTE;
use super::super::report::Row;
use super::pressroom::Server;
use crate::http::{self, Request};
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const FILE_BYTES: u64 = 1 << 30;
const PARTS: u64 = 4;
const MAX_GROWTH_MB: f64 = 30.0;
const SAMPLE_EVERY: Duration = Duration::from_millis(50);

/// Sends the file and fetches it, all but its first byte and then in parts, while the server's memory is watched.
pub(super) fn measure(server: &Server, folder: &Path) -> Result<Vec<Row>> {
    let sound = folder.join("gibibyte.wav");
    write_sound(&sound, FILE_BYTES)?;
    let token = server.sign_in()?;
    let post = Request { method: "POST", path: "/api/v1/files", token: Some(&token), headers: &[] };
    let (sent, growth) =
        watch(server, || http::send_form(server.address, post, "gibibyte.wav", File::open(&sound)?)?.json(201))?;
    let mut rows = vec![row("1 GiB uploaded: memory of the server above that before", growth)];
    let path = format!("/api/v1/download/{}", sent["id"].as_str().context("a file has an id")?);
    let ((), growth) = watch(server, || {
        fetch(server, &token, &path, 1, FILE_BYTES)?;
        let part = FILE_BYTES / PARTS;
        (0..PARTS).try_for_each(|index| fetch(server, &token, &path, index * part, (index + 1) * part))
    })?;
    rows.push(row("1 GiB downloaded in ranges: memory of the server above that before", growth));
    std::fs::remove_file(&sound)?;
    Ok(rows)
}

fn row(what: &'static str, growth: f64) -> Row {
    Row::at_most(what, growth / MEGABYTE, MAX_GROWTH_MB, "MB")
}

fn fetch(server: &Server, token: &str, path: &str, start: u64, end: u64) -> Result<()> {
    let headers = [format!("Range: bytes={start}-{}", end - 1)];
    let answer = http::ask(server.address, Request { headers: &headers, ..Request::get(path, token) })?;
    ensure!(answer.status == 206, "a range is answered by 206, not {}", answer.status);
    ensure!(answer.drain()? == end - start, "another range was answered");
    Ok(())
}

/// What `work` makes, and by how much the server's memory rose above that before at most.
fn watch<T>(server: &Server, work: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let before = server.program.own_memory_bytes();
    ensure!(before > 0, "the server has ended");
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = before;
            while !is_done.load(Ordering::Relaxed) {
                // Programs that look into the file are not the server's memory.
                peak = peak.max(server.program.own_memory_bytes());
                thread::sleep(SAMPLE_EVERY);
            }
            peak
        });
        let made = work();
        is_done.store(true, Ordering::Relaxed);
        let peak = watcher.join().ok().context("the memory was watched")?;
        Ok((made?, peak as f64 - before as f64))
    })
}

/// A sound that is one, since files are looked into: noise of 16 bits in stereo, which nothing makes smaller.
fn write_sound(path: &Path, size_bytes: u64) -> Result<()> {
    const HEAD_BYTES: u64 = 44;
    const RATE: u32 = 48_000;
    const FRAME_BYTES: u16 = 4;
    let samples = size_bytes - HEAD_BYTES;
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(b"RIFF")?;
    file.write_all(&u32::try_from(size_bytes - 8)?.to_le_bytes())?;
    file.write_all(b"WAVEfmt \x10\0\0\0\x01\0\x02\0")?;
    file.write_all(&RATE.to_le_bytes())?;
    file.write_all(&(RATE * u32::from(FRAME_BYTES)).to_le_bytes())?;
    file.write_all(&FRAME_BYTES.to_le_bytes())?;
    file.write_all(b"\x10\0data")?;
    file.write_all(&u32::try_from(samples)?.to_le_bytes())?;
    // Marsaglia's xorshift (Journal of Statistical Software 8, 14): any noise will do.
    let mut state = 88_172_645_463_325_252_u64;
    for _ in 0..samples / u64::from(FRAME_BYTES) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes()[..4])?;
    }
    Ok(file.flush()?)
}

#[cfg(test)]
mod tests {
    use super::super::process;
    use super::*;

    #[test]
    fn the_file_is_a_sound() {
        let path = std::env::temp_dir().join(format!("pressroom-bench-{}.wav", std::process::id()));
        write_sound(&path, 48_044).unwrap();
        let mut probe = process::command("ffprobe", Path::new("/"));
        probe.args(["-v", "error", "-show_entries", "stream=codec_name,duration,channels", "-of", "csv=p=0"]);
        let found = process::read_output(probe.arg(&path));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(found.unwrap().trim(), "pcm_s16le,2,0.250000");
    }
}
