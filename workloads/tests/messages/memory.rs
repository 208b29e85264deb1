//! What a process takes for a bomb, windows and states of decoders included: no more than the limit and a little.

use std::{
    fs,
    io::{Write as _, pipe},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    bombs::{COMPRESSING, zstd_of_repeated_bytes},
    compress,
};

const MIB: u64 = 1 << 20;
/// What `inspect` may take for the text of a batch.
const LIMIT: u64 = 16 * MIB;
/// What it may take beside that, and beside what it takes for a tiny message.
const ALLOWANCE: u64 = 16 * MIB;
const PATIENCE: Duration = Duration::from_mins(1);

/// The most memory that `batchpipe inspect` has for this file until it prints what it found, in bytes.
///
/// It prints into a full pipe, so that it is still there to be asked when all its work is done.
fn peak(file: &Path) -> u64 {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(&vec![b' '; 64 * 1024]).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_batchpipe"))
        .args(["inspect", "--max-batch-bytes", "16Mi"])
        .arg(file)
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let proc = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap();
    let deadline = Instant::now() + PATIENCE;
    // A system call whose first argument is the descriptor of standard output.
    while proc("syscall").split(' ').nth(1) != Some("0x1") {
        assert!(Instant::now() < deadline, "{} is not printed", file.display());
        thread::sleep(Duration::from_millis(1));
    }
    let status = proc("status");
    drop(reader);
    child.wait().unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

#[test]
fn m3_a_process_takes_no_more_for_a_bomb_than_the_limit_and_16_mib() {
    let spaces = vec![b' '; 64 << 20];
    let mut bombs = COMPRESSING.map(|codec| (codec.name(), compress(codec, &spaces).0)).to_vec();
    // 128 MiB that declare nothing, with a window of 1 MiB and with one of 128 MiB.
    bombs.push(("zstd-blocks", zstd_of_repeated_bytes(&[0x00, 0x50], 1024)));
    bombs.push(("zstd-window", zstd_of_repeated_bytes(&[0x00, 17 << 3], 1024)));
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, value: &[u8]| {
        let file = folder.path().join(name);
        fs::write(&file, value).unwrap();
        peak(&file)
    };
    let tiny = of("tiny", b"{}");
    for (name, value) in bombs {
        let rise = of(name, &value).saturating_sub(tiny);
        println!("{name}: {} MiB more than a tiny message", rise / MIB);
        // The message itself is in memory too.
        let most = LIMIT + ALLOWANCE + value.len() as u64;
        assert!(rise <= most, "{name}: {rise} bytes more than a tiny message, {most} allowed");
    }
}
