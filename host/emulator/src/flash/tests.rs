//! What holds for the flash: on the medium, in the file, and across a crash of the whole machine.

use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::{env, fs, process};

use super::journal::{Medium, file_size};
use super::*;

/// A folder of its own for each test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("kw-flash-{}-{name}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn state(&self) -> PathBuf {
        self.0.join("state")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn read<const N: usize>(flash: &mut Flash, offset: u32) -> [u8; N] {
    let mut bytes = [0; N];
    flash.read(offset, &mut bytes).unwrap();
    bytes
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_new_flash_is_erased() {
    let mut flash = Flash::in_memory();
    assert_eq!(flash.capacity(), 64 * 4096);
    assert_eq!(read(&mut flash, 64 * 4096 - 8), [0xff; 8]);
}

#[test]
fn what_is_not_erased_can_not_be_written_and_nothing_is_committed_after_that() {
    let mut flash = Flash::in_memory();
    flash.write(0, &[1, 2, 3, 4]).unwrap();
    assert_eq!(flash.write(0, &[0; 4]), Err(FlashError::NotErased));
    assert!(matches!(flash.commit(), Err(CommitError::Misused(FlashError::NotErased))));
    assert_eq!(flash.read(0, &mut [0; 4]), Err(FlashError::Failed));
    assert_eq!(flash.erase(0, 4096), Err(FlashError::Failed));
}

#[test]
fn an_erased_sector_can_be_written_again() {
    let mut flash = Flash::in_memory();
    flash.write(4096, &[1, 2, 3, 4]).unwrap();
    flash.erase(4096, 8192).unwrap();
    assert_eq!(read(&mut flash, 4096), [0xff; 4]);
    flash.write(4096, &[5; 4]).unwrap();
    flash.commit().unwrap();
}

#[test]
fn what_is_not_aligned_or_not_there_is_refused() {
    type Operation = fn(&mut Flash) -> Result<(), FlashError>;
    let operations: [(Operation, FlashError); 6] = [
        (|flash| flash.write(2, &[0; 4]), FlashError::NotAligned),
        (|flash| flash.write(0, &[0; 3]), FlashError::NotAligned),
        (|flash| flash.erase(0, 100), FlashError::NotAligned),
        (|flash| flash.write(64 * 4096, &[0; 4]), FlashError::OutOfBounds),
        (|flash| flash.erase(4096, 0), FlashError::OutOfBounds),
        (|flash| flash.read(64 * 4096 - 3, &mut [0; 4]), FlashError::OutOfBounds),
    ];
    for (operation, expected) in operations {
        let mut flash = Flash::in_memory();
        assert_eq!(operation(&mut flash), Err(expected));
        assert!(flash.commit().is_err(), "{expected}");
    }
}

#[test]
fn a_file_is_made_private_and_keeps_what_was_committed() {
    let folder = Folder::new("keeps");
    let mut flash = Flash::open(&folder.state()).unwrap();
    assert_eq!(mode(&folder.state()), 0o600);
    flash.write(8, b"kept").unwrap();
    flash.commit().unwrap();
    flash.write(12, b"lost").unwrap();
    drop(flash);
    let mut flash = Flash::open(&folder.state()).unwrap();
    assert_eq!(read(&mut flash, 8), *b"kept\xff\xff\xff\xff");
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn many_commits_are_read_back_in_their_last_state() {
    let folder = Folder::new("many");
    for round in 0..40_u32 {
        let mut flash = Flash::open(&folder.state()).unwrap();
        for sector in [round % 3, 5] {
            flash.erase(sector * 4096, (sector + 1) * 4096).unwrap();
            flash.write(sector * 4096, &round.to_le_bytes()).unwrap();
        }
        flash.commit().unwrap();
        flash.write(10 * 4096 + round * 4, &round.to_le_bytes()).unwrap();
        flash.commit().unwrap();
    }
    let mut flash = Flash::open(&folder.state()).unwrap();
    let words = [0, 1, 2, 5].map(|sector| u32::from_le_bytes(read(&mut flash, sector * 4096)));
    assert_eq!(words, [39, 37, 38, 39]);
    assert!((0..40).all(|round: u32| read(&mut flash, 10 * 4096 + round * 4) == round.to_le_bytes()));
}

#[test]
fn g28_what_was_erased_is_nowhere_in_the_file() {
    let folder = Folder::new("erased");
    let mut flash = Flash::open(&folder.state()).unwrap();
    for offset in [0, 8192] {
        flash.write(offset, b"a secret that must go away, ....").unwrap();
        flash.commit().unwrap();
    }
    let has_secret = || fs::read(folder.state()).unwrap().windows(8).any(|bytes| bytes == b"a secret");
    assert!(has_secret());
    flash.wipe().unwrap();
    flash.commit().unwrap();
    assert!(!has_secret());
}

#[test]
fn a_second_process_is_told_that_the_file_is_in_use() {
    let folder = Folder::new("lock");
    let flash = Flash::open(&folder.state()).unwrap();
    let error = Flash::open(&folder.state()).unwrap_err();
    assert!(matches!(error, StateError::InUse { .. }));
    assert!(error.to_string().contains("another process has it open"));
    drop(flash);
    Flash::open(&folder.state()).unwrap();
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let folder = Folder::new("mode");
    drop(Flash::open(&folder.state()).unwrap());
    for open in [0o640, 0o604, 0o660, 0o602, 0o610] {
        set_mode(&folder.state(), open);
        let error = Flash::open(&folder.state()).unwrap_err();
        assert!(matches!(error, StateError::NotPrivate { mode, .. } if mode == open));
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    set_mode(&folder.state(), 0o600);
    Flash::open(&folder.state()).unwrap();
}

#[test]
fn a_foreign_file_is_refused_and_left_as_it_is() {
    let folder = Folder::new("foreign");
    let long = vec![b'x'; 1_000_000];
    for content in [&b""[..], b"my diary", b"KEYWRIGHT FLASH", &long] {
        fs::write(folder.state(), content).unwrap();
        set_mode(&folder.state(), 0o600);
        assert!(matches!(Flash::open(&folder.state()), Err(StateError::NotOurs { .. })));
        assert_eq!(fs::read(folder.state()).unwrap(), content);
    }
}

#[test]
fn a_folder_is_refused() {
    let folder = Folder::new("folder");
    assert!(matches!(Flash::open(&folder.0), Err(StateError::System { .. })));
}

#[test]
fn a_link_that_leads_nowhere_is_not_written_through() {
    let folder = Folder::new("link");
    symlink(folder.0.join("elsewhere"), folder.state()).unwrap();
    assert!(Flash::open(&folder.state()).is_err());
    assert!(!folder.0.join("elsewhere").exists());
}

#[test]
fn g29_a_newer_format_is_refused_in_words_and_left_as_it_is() {
    let folder = Folder::new("newer");
    drop(Flash::open(&folder.state()).unwrap());
    let file = fs::OpenOptions::new().write(true).open(folder.state()).unwrap();
    file.write_all_at(&2_u32.to_le_bytes(), 16).unwrap();
    let before = fs::read(folder.state()).unwrap();
    let error = Flash::open(&folder.state()).unwrap_err();
    assert!(matches!(error, StateError::Newer { version: 2, .. }));
    assert!(error.to_string().contains("a newer Keywright wrote it"));
    assert!(fs::read(folder.state()).unwrap() == before);
}

#[test]
fn a_damaged_file_is_refused_and_left_as_it_is() {
    let folder = Folder::new("damaged");
    let damages: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes[16] = 0,
        |bytes| bytes[20] ^= 1,
        |bytes| bytes[40] ^= 1,
        |bytes| bytes.truncate(bytes.len() - 1),
    ];
    drop(Flash::open(&folder.state()).unwrap());
    let whole = fs::read(folder.state()).unwrap();
    for damage in damages {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(folder.state(), &bytes).unwrap();
        assert!(matches!(Flash::open(&folder.state()), Err(StateError::Damaged { .. })));
        assert!(fs::read(folder.state()).unwrap() == bytes);
    }
}

/// A disk that a test looks at and breaks.
pub(crate) struct TestDisk(Disk);

impl TestDisk {
    /// A disk with a flash of 16 sectors.
    pub(crate) fn new() -> Self {
        Self(Disk::over(Disk::blank(16), usize::MAX))
    }

    pub(crate) fn flash(&self) -> Flash {
        self.0.flash(16).unwrap()
    }

    /// From now on, nothing can be written.
    pub(crate) fn break_down(&self) {
        self.0.0.lock().unwrap().left = 0;
    }

    /// Whether these bytes would be found after a power cut.
    pub(crate) fn has_durable(&self, bytes: &[u8]) -> bool {
        self.0.0.lock().unwrap().durable.windows(bytes.len()).any(|window| window == bytes)
    }
}

/// A disk that loses power at its `left`-th operation. What was not synced by then is there in any subset of blocks.
#[derive(Clone, Debug)]
struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug)]
struct Platter {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// Blocks that were written since the last sync.
    unsynced: Vec<(usize, Vec<u8>)>,
    left: usize,
}

const BLOCK: usize = 512;
const FEW: u32 = 4;

impl Disk {
    fn over(bytes: Vec<u8>, left: usize) -> Self {
        Self(Arc::new(Mutex::new(Platter {
            seen: bytes.clone(),
            durable: bytes,
            unsynced: Vec::new(),
            left,
        })))
    }

    fn blank(sectors: u32) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(file_size(sectors)).unwrap()];
        bytes[4096..4096 * (1 + sectors as usize)].fill(0xff);
        bytes
    }

    fn flash(&self, sectors: u32) -> io::Result<Flash> {
        let (journal, cells) = Journal::recover(Box::new(self.clone()), sectors)?;
        Ok(Flash::over(cells, Some(journal)))
    }

    /// What a restart finds.
    fn after_power_cut(&self, seed: &mut u64) -> Vec<u8> {
        let platter = self.0.lock().unwrap();
        let mut bytes = platter.durable.clone();
        for (offset, block) in &platter.unsynced {
            if draw(seed, 2) == 0 {
                bytes[*offset..offset + block.len()].copy_from_slice(block);
            }
        }
        bytes
    }
}

impl Platter {
    fn spend(&mut self) -> io::Result<()> {
        self.left = self.left.checked_sub(1).ok_or_else(|| io::Error::other("no power"))?;
        Ok(())
    }
}

impl Medium for Disk {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        bytes.copy_from_slice(&self.0.lock().unwrap().seen[offset..offset + bytes.len()]);
        Ok(())
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let blocks = (offset..).step_by(BLOCK).zip(bytes.chunks(BLOCK).map(<[u8]>::to_vec));
        platter.unsynced.extend(blocks);
        platter.spend()?;
        platter.seen[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.spend()?;
        for (offset, block) in std::mem::take(&mut platter.unsynced) {
            platter.durable[offset..offset + block.len()].copy_from_slice(&block);
        }
        Ok(())
    }
}

fn draw(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

fn cells(flash: &mut Flash) -> Vec<u8> {
    let mut cells = vec![0; flash.capacity()];
    flash.read(0, &mut cells).unwrap();
    cells
}

/// One command's worth of operations.
fn work(flash: &mut Flash, seed: &mut u64) {
    for _ in 0..=draw(seed, 3) {
        let sector = u32::try_from(draw(seed, FEW.into())).unwrap() * 4096;
        if draw(seed, 3) == 0 {
            flash.erase(sector, sector + 4096).unwrap();
        }
        let free = (sector..sector + 4096).step_by(512).find(|offset| read(flash, *offset) == [0xff; 4]);
        if let Some(offset) = free {
            let word = (u32::try_from(draw(seed, 1 << 30)).unwrap()).to_le_bytes();
            flash.write(offset, &word).unwrap();
        }
    }
}

/// Runs until the power is cut; gives the last state that was acknowledged, and the one that may count.
fn run_until_cut(disk: &Disk, seed: &mut u64) -> Option<[Vec<u8>; 2]> {
    let mut flash = disk.flash(FEW).ok()?;
    let mut acknowledged = cells(&mut flash);
    loop {
        work(&mut flash, seed);
        let attempted = cells(&mut flash);
        match flash.commit() {
            Ok(()) => acknowledged = attempted,
            Err(_) => return Some([acknowledged, attempted]),
        }
    }
}

#[test]
fn g26_a_crash_of_the_machine_leaves_the_state_of_a_commit_and_loses_none_that_was_acknowledged() {
    let mut seed = 26;
    let mut bytes = Disk::blank(FEW);
    let mut expected = [vec![0xff; 4096 * FEW as usize], Vec::new()];
    let mut counted = [0; 2];
    for _ in 0..3000 {
        let left = usize::try_from(draw(&mut seed, 40)).unwrap();
        let disk = Disk::over(bytes, left);
        // A cut while recovering leaves what was expected before.
        if let Some(states) = run_until_cut(&disk, &mut seed) {
            expected = states;
        }
        bytes = disk.after_power_cut(&mut seed);
        let found = cells(&mut Disk::over(bytes.clone(), usize::MAX).flash(FEW).unwrap());
        let which = expected.iter().position(|state| *state == found);
        counted[which.expect("the state of a commit")] += 1;
        expected = [found, Vec::new()];
    }
    assert!(counted.iter().all(|count| *count > 100), "both kinds occur: {counted:?}");
}

#[test]
fn g27_a_disk_that_can_not_be_written_fails_the_commit_and_everything_after_it() {
    for left in 0..3 {
        let disk = Disk::over(Disk::blank(FEW), usize::MAX);
        let mut flash = disk.flash(FEW).unwrap();
        flash.write(0, &[1; 4]).unwrap();
        disk.0.lock().unwrap().left = left;
        assert!(
            matches!(flash.commit(), Err(CommitError::System(_))),
            "writing the slot, the sync, the image"
        );
        assert!(matches!(flash.commit(), Err(CommitError::Misused(FlashError::Failed))));
        assert_eq!(flash.read(0, &mut [0; 4]), Err(FlashError::Failed));
    }
}

#[test]
fn slots_that_contradict_each_other_are_a_damage_and_not_guessed_about() {
    let disk = Disk::over(Disk::blank(FEW), usize::MAX);
    let mut flash = disk.flash(FEW).unwrap();
    let mut old = Vec::new();
    for round in 0..4 {
        flash.write(round * 4, &[1; 4]).unwrap();
        flash.commit().unwrap();
        if round == 0 {
            old = disk.0.lock().unwrap().seen.clone();
        }
    }
    // The odd slot is as it was three commits ago.
    let mut bytes = disk.0.lock().unwrap().seen.clone();
    let odd = 4096 * (1 + 4 + 5);
    bytes[odd..].copy_from_slice(&old[odd..]);
    let error = Disk::over(bytes, usize::MAX).flash(FEW).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}
