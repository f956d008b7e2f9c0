//! The destination's file: one for all, whatever becomes of disk, memory and neighbours.

use annunciator_core::alerter::DESTINATION_LEN;

use super::faults::{self, Op};
use super::*;

type Bank = [u8; DESTINATION_LEN / 2];

/// What an alerter does with it: the next bank after the newest.
fn spend(file: &DestinationFile) -> u32 {
    file.exchange(true, |bytes| {
        let before = destination_generation(bytes).unwrap_or(0);
        let (at, bank) = next(bytes);
        (before + 1, Some((at, bank)))
    })
}

fn generation(file: &DestinationFile) -> u32 {
    file.exchange(true, |bytes| (destination_generation(bytes).unwrap_or(0), None::<(usize, Bank)>))
}

use annunciator_core::alerter::destination_generation;

/// The bank that an alerter would write after these.
fn next(bytes: &[u8; DESTINATION_LEN]) -> (usize, Bank) {
    use annunciator_core::alerter::{Alerter, Buffers, Setup};
    let mut ring = vec![0; ring::region_len_of::<TEXT>(1)];
    let mut nodes = [annunciator_core::ring::Node::EMPTY; 1];
    let mut groups = [annunciator_core::digest::Group::EMPTY; 1];
    let mut setup = Setup::new("");
    setup.destination = Some(bytes);
    let buffers = Buffers { nodes: &mut nodes, groups: &mut groups };
    let mut alerter = Alerter::<_, TEXT>::sized(&mut ring[..], buffers, &setup);
    alerter.store_destination().expect("a start changes it")
}

impl Home {
    fn destination(&self, shm: &Shm) -> DestinationFile {
        DestinationFile::new(&self.spool(), true, key(), &shm.dirs())
    }

    fn state(&self) -> PathBuf {
        self.file("k217feda2.state")
    }
}

impl Shm {
    fn state(&self) -> Option<PathBuf> {
        self.files().into_iter().find(|file| file.to_str().unwrap().ends_with(".state"))
    }
}

#[test]
fn all_instances_have_one_state_in_one_small_file() {
    let (home, shm) = (Home::new(), Shm::new());
    let files = [home.destination(&shm), home.destination(&shm)];
    for round in 1..10 {
        assert_eq!(spend(&files[round as usize % 2]), round);
    }
    assert_eq!(std::fs::metadata(home.state()).unwrap().len(), 1024);
    assert_eq!(mode(&home.state()), 0o600);
    assert!(shm.state().is_none(), "no other copy");
    assert_eq!(home.names(), ["k217feda2.state"]);
}

#[test]
fn an_exchange_writes_one_bank_and_syncs_once() {
    let (home, shm) = (Home::new(), Shm::new());
    let file = home.destination(&shm);
    spend(&file);
    let before = std::fs::read(home.state()).unwrap();
    faults::fail(Op::Sync, 1, rustix::io::Errno::IO);
    spend(&file);
    assert!(!faults::all_struck(), "one sync");
    faults::clear();
    let after = std::fs::read(home.state()).unwrap();
    assert_eq!(before[..512], after[..512], "the bank of before stays");
}

#[test]
fn processes_that_spend_at_the_same_time_spend_one_after_the_other() {
    let (home, shm) = (Home::in_memory(), Shm::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            // Each as a process of its own would: by the file's lock.
            scope.spawn(|| {
                let file = home.destination(&shm);
                (0..25).for_each(|_| _ = spend(&file));
            });
        }
    });
    assert_eq!(generation(&home.destination(&shm)), 100);
}

#[test]
fn a_process_that_was_stopped_is_not_waited_for_for_ever() {
    let (home, shm) = (Home::new(), Shm::new());
    let file = home.destination(&shm);
    spend(&file);
    let stopped = std::fs::File::options().read(true).write(true).open(home.state()).unwrap();
    sys::lock(&stopped).unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(spend(&file), 2, "it goes on with its last copy");
    assert!(begun.elapsed() >= std::time::Duration::from_secs(2));
    let bytes = std::fs::read(home.state()).unwrap();
    assert_eq!(destination_generation(&bytes), Some(1), "and leaves the file alone");
    crash(stopped);
    assert_eq!(spend(&file), 3, "what was spent meanwhile counts");
    assert_eq!(destination_generation(&std::fs::read(home.state()).unwrap()), Some(3));
}

#[test]
fn without_a_disk_it_is_kept_in_a_runtime_directory_and_comes_back_with_the_disk() {
    let (home, shm) = (Home::new(), Shm::new());
    let file = home.destination(&shm);
    assert_eq!(spend(&file), 1);
    home.unplug();
    assert_eq!(spend(&file), 2);
    assert_eq!(spend(&file), 3);
    let copy = std::fs::read(shm.state().unwrap()).unwrap();
    assert_eq!(destination_generation(&copy), Some(3));
    home.plug();
    assert_eq!(spend(&file), 4);
    assert_eq!(destination_generation(&std::fs::read(home.state()).unwrap()), Some(4));
    assert!(shm.state().is_none(), "older copies are removed");
}

#[test]
fn of_several_runtime_directories_the_newest_copy_counts_and_none_is_left_behind() {
    let (home, one, two) = (Home::new(), Shm::new(), Shm::new());
    let dirs = RuntimeDirs::only(vec![one.temp.path().into(), two.temp.path().into()]);
    let file = DestinationFile::new(&home.spool(), false, key(), &dirs);
    assert_eq!(spend(&file), 1);
    // What a process does that sees the second one alone.
    let first = one.state().unwrap();
    let mut bytes = [0; DESTINATION_LEN];
    let read = std::fs::read(&first).unwrap();
    bytes[..read.len()].copy_from_slice(&read);
    let (at, bank) = next(&bytes);
    bytes[at..at + bank.len()].copy_from_slice(&bank);
    let own = two.dirs().made().next().unwrap().unwrap();
    let second = own.path().join(first.file_name().unwrap());
    std::fs::write(&second, bytes).unwrap();
    chmod(&second, 0o600);
    assert_eq!(generation(&file), 2);
    assert_eq!(spend(&file), 3);
    for copy in [first, second] {
        assert_eq!(destination_generation(&std::fs::read(&copy).unwrap()), Some(3), "{copy:?}");
    }
}

#[test]
fn a_disk_that_takes_no_writes_is_read_and_then_passed_over() {
    let (home, shm) = (Home::new(), Shm::new());
    let file = home.destination(&shm);
    spend(&file);
    for op in [Op::Write, Op::Sync] {
        let spent = generation(&file);
        faults::fail(op, 0, rustix::io::Errno::IO);
        assert_eq!(spend(&file), spent + 1);
        assert!(faults::all_struck() && shm.state().is_some());
        assert_eq!(spend(&file), spent + 2, "nothing is forgotten");
        assert!(shm.state().is_none());
    }
}

#[test]
fn without_disk_and_runtime_directory_it_lives_in_the_process() {
    let home = Home::new();
    home.unplug();
    let dirs = RuntimeDirs::only(Vec::new());
    let file = |key| DestinationFile::new(&home.spool(), true, key, &dirs);
    assert_eq!((spend(&file(key())), spend(&file(key()))), (1, 2));
    assert_eq!(spend(&file(DestinationKey::of("other"))), 1, "another destination's is another");
    home.plug();
    assert_eq!(spend(&file(key())), 3);
    assert_eq!(destination_generation(&std::fs::read(home.state()).unwrap()), Some(3));
}

#[test]
fn where_no_disk_is_wanted_none_is_used() {
    let (home, shm) = (Home::new(), Shm::new());
    let file = DestinationFile::new(&home.spool(), false, key(), &shm.dirs());
    assert_eq!((spend(&file), spend(&file)), (1, 2));
    assert!(!home.spool().exists() && shm.state().is_some());
}

#[test]
fn any_bytes_in_its_place_are_no_state_and_links_are_refused() {
    let (home, shm) = (Home::new(), Shm::new());
    let victim = home.temp.path().join("victim");
    std::fs::write(&victim, b"precious").unwrap();
    crash(home.open());
    std::os::unix::fs::symlink(&victim, home.state()).unwrap();
    assert_eq!(spend(&home.destination(&shm)), 1);
    assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    assert!(shm.state().is_some(), "it is kept beside");
    std::fs::remove_file(home.state()).unwrap();
    std::fs::write(home.state(), vec![0xFF; 5000]).unwrap();
    assert_eq!(spend(&home.destination(&shm)), 2);
    assert_eq!(spend(&home.destination(&shm)), 3);
}
