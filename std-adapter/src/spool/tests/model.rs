//! Random commits with random faults, held against a model of the contract.

use rustix::io::Errno;

use super::faults::{self, Op};
use super::*;

/// xorshift64*: the same scripts on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

const LEN: usize = 8192;

/// A new file: all zero but for the mark that somebody works on it.
fn fresh() -> Vec<u8> {
    let mut bytes = vec![0; LEN];
    bytes[ring::OPEN_AT] = 1;
    bytes
}

/// After an error the next successful sync makes durable exactly the bytes written since the error;
/// and whatever happens, a file that a start would find is whole.
#[test]
fn a_sync_that_succeeds_never_lies() {
    let (mut syncs, mut errors) = (0, 0);
    for seed in 1..=400u64 {
        let random = &mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let home = Home::in_memory();
        let mut spool = open_sized(&home.spool(), LEN);
        // What a successful sync must show.
        let mut model = fresh();
        for step in 0..60 {
            let what = format!("seed {seed}, step {step}");
            if random.below(8) == 0 {
                let op = [Op::Create, Op::Write, Op::TornWrite, Op::Sync, Op::SyncDir, Op::Rename]
                    [random.below(6) as usize];
                let errno = [Errno::IO, Errno::NOSPC, Errno::ROFS][random.below(3) as usize];
                faults::fail(op, random.below(3) as u32, errno);
            }
            let file = home.spool().join(spool.name().spool());
            match random.below(40) {
                0 => {
                    let _ = std::fs::remove_file(&file);
                }
                1 => {
                    let _ = std::fs::remove_dir_all(home.spool());
                }
                2 => {
                    let open = std::fs::File::options().write(true).open(&file);
                    let _ = open.map(|file| file.set_len(100));
                }
                3 => {
                    let _ = std::fs::remove_file(home.spool().join(spool.name().lock()));
                }
                _ => {}
            }
            let result = if random.below(3) == 0 {
                let result = spool.sync();
                if result.is_ok() && spool.file.holds_data() {
                    let file = home.spool().join(spool.name().spool());
                    assert_eq!(std::fs::read(&file).unwrap(), model, "{what}");
                    assert!(!spool.needs_rewrite(), "{what}");
                    syncs += 1;
                }
                result
            } else {
                let at = random.below(LEN as u64 - 200) as usize;
                let bytes = vec![random.below(256) as u8; random.below(200) as usize + 1];
                let result = spool.write(at, &bytes);
                if result.is_ok() {
                    model[at..at + bytes.len()].copy_from_slice(&bytes);
                }
                result
            };
            if result.is_err() {
                model = fresh();
                errors += 1;
                assert!(spool.needs_rewrite() || !spool.file.holds_data(), "{what}");
            }
        }
        faults::clear();
        // The disk is well again.
        model = fresh();
        spool.file.start_over();
        model[..4].copy_from_slice(b"well");
        for attempt in 0.. {
            if spool.write(0, b"well").and_then(|()| spool.sync()).is_ok() {
                break;
            }
            assert!(attempt < 3, "seed {seed}: not taken up again");
        }
        let file = home.spool().join(spool.name().spool());
        assert_eq!(std::fs::read(&file).unwrap(), model, "seed {seed}");
        let litter: Vec<_> =
            home.names().into_iter().filter(|name| name.ends_with(".new")).collect();
        assert!(litter.is_empty(), "seed {seed}: {litter:?}");
    }
    println!("{syncs} successful syncs and {errors} errors checked");
    assert!(syncs > 2000 && errors > 2000, "{syncs} syncs, {errors} errors: too tame");
}
