//! What the pieces cost; prints, asserts nothing:
//! `cargo test --release -p annunciator spool::tests::measure -- --ignored --nocapture`

use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use super::*;

fn per_call(what: &str, calls: u32, mut call: impl FnMut()) {
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    println!("{what}: {:.1} ns", start.elapsed().as_nanos() as f64 / f64::from(calls));
}

#[test]
#[ignore = "prints figures"]
fn costs() {
    const LEN: usize = 64 << 10;
    let guard = ForkGuard::new();
    per_call("time since boot", 1_000_000, || {
        black_box(now());
    });
    per_call("std's monotonic time", 1_000_000, || {
        black_box(Instant::now());
    });
    per_call("are we a forked child?", 1_000_000, || {
        black_box(guard.in_child());
    });
    per_call("process id instead", 1_000_000, || {
        black_box(rustix::process::getpid());
    });

    let (home, shm) = (Home::new(), Shm::new());
    let start = Instant::now();
    let mut opened = open(&Wanted { size: LEN, ..wanted(&home.spool(), &shm.dirs()) }).unwrap();
    println!("first open: {:?}", start.elapsed());
    let mut bytes = [0u8; 128];
    per_call("128 bytes into the region", 1_000_000, || {
        bytes[0] = bytes[0].wrapping_add(1);
        opened.region[4096..4096 + 128].copy_from_slice(black_box(&bytes));
    });
    per_call("is the memory file still there?", 100_000, || {
        black_box(opened.keeper.still_linked());
    });
    let start = Instant::now();
    opened.keeper.recreate(&mut opened.region);
    println!("memory file made anew: {:?}", start.elapsed());

    let spool = opened.spool.as_mut().unwrap();
    let start = Instant::now();
    spool.prepare().unwrap();
    println!("spool file made and synced: {:?}", start.elapsed());
    let mut at = 0;
    per_call("commit of 128 bytes", 5_000, || {
        at = (at + 128) % LEN;
        spool.write(at, &bytes).unwrap();
        spool.sync().unwrap();
    });
    println!("{:?}", spool.used());
    let direct = spool.direct_writer();
    per_call("direct write of 128 bytes", 100_000, || {
        at = (at + 128) % LEN;
        assert_eq!(direct.write(at, &bytes), Some(true));
    });

    // The same without any of our checks, and into large folios.
    for (how, step) in [("in 4 KiB writes", 4096), ("by one write", LEN)] {
        let file = std::fs::File::create(home.temp.path().join("bare")).unwrap();
        for at in (0..LEN).step_by(step) {
            file.write_all_at(&vec![0; step], at as u64).unwrap();
        }
        file.sync_all().unwrap();
        per_call(&format!("bare commit, file zeroed {how}"), 5_000, || {
            at = (at + 128) % LEN;
            file.write_all_at(&bytes, at as u64).unwrap();
            file.sync_data().unwrap();
        });
        per_call(&format!("bare write, file zeroed {how}"), 100_000, || {
            at = (at + 128) % LEN;
            file.write_all_at(&bytes, at as u64).unwrap();
        });
        std::fs::remove_file(home.temp.path().join("bare")).unwrap();
    }
}
