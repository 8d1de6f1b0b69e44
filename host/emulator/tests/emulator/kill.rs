//! A process that is killed while it writes.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use std::{env, io};

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use keywright_emulator::flash::{Flash, SECTOR_SIZE};

use crate::folder::Folder;

/// A ring of records: each commit writes the next number, twice, to places in two sectors; a sector that is full is erased first.
fn write_on(path: &Path) -> ! {
    let mut flash = Flash::open(path).unwrap();
    let mut number = last_number(&mut flash);
    let mut out = io::stdout();
    loop {
        number += 1;
        for base in [0, 8 * SECTOR] {
            let offset = base + (number * 4) % (2 * SECTOR);
            if offset.is_multiple_of(SECTOR) {
                flash.erase(offset, offset + SECTOR).unwrap();
            }
            flash.write(offset, &number.to_le_bytes()).unwrap();
        }
        flash.commit().unwrap();
        // Only now is it acknowledged.
        writeln!(out, "{number}").unwrap();
        out.flush().unwrap();
    }
}

/// The newest record; both copies must have it, and everything that the ring still holds must be in order.
fn last_number(flash: &mut Flash) -> u32 {
    let newest = [0, 8 * SECTOR].map(|base| {
        let words = (0..2 * SECTOR).step_by(4).map(|offset| {
            let mut word = [0; 4];
            flash.read(base + offset, &mut word).unwrap();
            let number = u32::from_le_bytes(word);
            assert!(number == u32::MAX || (number * 4) % (2 * SECTOR) == offset, "a record out of place");
            number
        });
        words.filter(|number| *number != u32::MAX).max().unwrap_or(0)
    });
    assert_eq!(newest[0], newest[1], "a commit is whole or not there");
    newest[0]
}

#[test]
fn g26_a_kill_at_any_moment_loses_nothing_that_was_acknowledged() {
    const NAME: &str = "kill::g26_a_kill_at_any_moment_loses_nothing_that_was_acknowledged";
    if let Some(path) = env::var_os("KEYWRIGHT_TEST_WRITE_ON") {
        write_on(Path::new(&path));
    }
    let folder = Folder::new("kill");
    let path = folder.join("state");
    let mut acknowledged = 0;
    for round in 0..25_u64 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env("KEYWRIGHT_TEST_WRITE_ON", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut numbers = lines.map_while(Result::ok).filter_map(|line| line.parse::<u32>().ok());
        acknowledged = numbers.next().unwrap();
        // Some microseconds that differ from round to round, to hit it at another point of its work.
        thread::sleep(Duration::from_micros(round * round * 97));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged = numbers.last().unwrap_or(acknowledged);
        let found = last_number(&mut Flash::open(&path).unwrap());
        assert!(
            (acknowledged..=acknowledged + 1).contains(&found),
            "{acknowledged} was acknowledged, {found} is there"
        );
    }
    assert!(acknowledged > 25, "it was killed while it wrote: {acknowledged}");
}

const SECTOR: u32 = 4096;
const _: () = assert!(SECTOR as usize == SECTOR_SIZE);
