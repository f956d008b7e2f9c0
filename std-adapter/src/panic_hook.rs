//! Records panics, also of threads that are never joined.
//!
//! The hook that was there runs first, so that the console shows what it always shows. Then the
//! panic is recorded above ERROR, with its message and location, through a path that waits for no
//! lock longer than a few milliseconds: the panicking thread may hold it. Nothing is sent here; the
//! worker sends, or with `panic = "abort"` the next start does.

use std::fmt::Write as _;
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use annunciator_core::event::{Level, Site};

use crate::event::Draft;
use crate::logger::{self, Sink};
use crate::text;

/// Bytes of the panic's message, location and thread that are kept: so few that a long message
/// pushes neither the line nor the thread out of a slot, which holds the file's name once more.
const MESSAGE: usize = 100;
const FILE: usize = 30;
const THREAD: usize = 20;

/// The sinks that have a hook already.
static HOOKED: Mutex<Vec<Weak<dyn Sink>>> = Mutex::new(Vec::new());

/// Adds a hook that records panics in `sink`, behind the hook there is. A second one for the same
/// sink does nothing, nor does one while this thread panics.
pub(crate) fn install(sink: &Arc<dyn Sink>) {
    if std::thread::panicking() {
        return;
    }
    let mut hooked = HOOKED.lock().unwrap_or_else(PoisonError::into_inner);
    hooked.retain(|other| other.strong_count() > 0);
    if hooked.iter().any(|other| std::ptr::addr_eq(other.as_ptr(), Arc::as_ptr(sink))) {
        return;
    }
    hooked.push(Arc::downgrade(sink));
    let sink = Arc::clone(sink);
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        previous(info);
        record(&*sink, info);
    }));
}

fn record(sink: &dyn Sink, info: &PanicHookInfo<'_>) {
    // A panic of the worker is contained and counted where it is caught.
    if logger::this_thread_is_muted() {
        return;
    }
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)");
    let thread = std::thread::current();
    let thread = thread.name().filter(|name| *name != "main");
    let site = info.location().map(|at| Site { file: at.file(), line: at.line() });
    let mut draft = draft(message, site, thread);
    if sink.scrub(&mut draft) {
        sink.try_record(draft.finish());
    }
}

/// `index out of bounds, src/pump.rs:7, thread pump`.
fn draft<'a>(message: &str, site: Option<Site<'a>>, thread: Option<&str>) -> Draft<'a> {
    let mut draft = Draft::sized(Level::Panic, "panic", site);
    draft.push(text::head(message, MESSAGE));
    // An error means that the end is cut.
    if let Some(Site { file, line }) = site {
        let _ = write!(draft, ", {}:{line}", short(file));
    }
    if let Some(name) = thread {
        let _ = write!(draft, ", thread {}", text::head(name, THREAD));
    }
    draft
}

/// The end of a long path, from a separator on.
fn short(file: &str) -> &str {
    if file.len() <= FILE {
        return file;
    }
    let end = text::tail(file, FILE);
    end.split_once(['/', '\\']).map_or(end, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logger::testing::Ear;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn composed(message: &str, place: Option<(&str, u32)>, thread: Option<&str>) -> String {
        let site = place.map(|(file, line)| Site { file, line });
        draft(message, site, thread).message().to_owned()
    }

    #[test]
    fn the_place_survives_a_long_message() {
        assert_eq!(
            composed("boom", Some(("src/pump.rs", 7)), Some("pump")),
            "boom, src/pump.rs:7, thread pump"
        );
        assert_eq!(composed("boom", None, None), "boom");
        let registry =
            "/home/me/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/pump-1.0.0/src/lib.rs";
        let long = composed(&"x".repeat(500), Some((registry, 70_000)), Some(&"t".repeat(99)));
        assert!(
            long.ends_with(&format!("x, pump-1.0.0/src/lib.rs:70000, thread {}", "t".repeat(20)))
        );
        let longest =
            composed(&"x".repeat(500), Some((&"f".repeat(99), 70_000)), Some("collector"));
        assert!(longest.ends_with("f:70000, thread collector"), "{longest}");
    }

    /// One test, since the hook is the process's.
    #[test]
    fn panics_are_recorded_once_after_the_previous_hook_and_without_waiting() {
        static BEFORE: AtomicU32 = AtomicU32::new(0);
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            BEFORE.fetch_add(1, Ordering::SeqCst);
            default(info);
        }));
        let ear = Ear::new(Level::Warn);
        let sink = Arc::clone(&ear) as Arc<dyn Sink>;
        install(&sink);
        install(&sink);
        install(&(Arc::clone(&ear) as Arc<dyn Sink>));
        ear.locked.store(true, Ordering::Relaxed);

        // Only panics of threads called so count: other tests panic too.
        let run = |name: &str, body: fn()| {
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
            assert!(thread.unwrap().join().is_err());
        };
        let heard = |name: &str| -> Vec<String> {
            let mut all = ear.heard();
            all.retain(|line| line.contains(&format!("thread {name}")));
            all
        };
        let before = BEFORE.load(Ordering::SeqCst);
        run("hook-literal", || panic!("a literal"));
        run("hook-format", || panic!("formatted {}", 7));
        run("hook-other", || panic::panic_any(7_u8));
        run("hook-muted", || {
            crate::logger::mute_this_thread();
            panic!("of the worker")
        });
        assert!(BEFORE.load(Ordering::SeqCst) >= before + 4, "the hook that was there still runs");
        for (name, message) in [
            ("hook-literal", "a literal"),
            ("hook-format", "formatted 7"),
            ("hook-other", "(no message)"),
        ] {
            let lines = heard(name);
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(lines[0].starts_with(&format!("PANIC [panic] {message}, ")), "{lines:?}");
            assert!(lines[0].contains("panic_hook.rs:"), "{lines:?}");
        }
        assert_eq!(heard("hook-muted"), Vec::<String>::new());

        // A second sink gets its own hook, and the first still hears.
        let other = Ear::new(Level::Warn);
        install(&(Arc::clone(&other) as Arc<dyn Sink>));
        run("hook-both", || panic!("for both"));
        assert_eq!(heard("hook-both").len(), 1);
        assert_eq!(other.heard().iter().filter(|line| line.contains("hook-both")).count(), 1);

        // A panic while unwinding from another is caught by the inner catch; both are recorded.
        run("hook-nested", || {
            struct Again;
            impl Drop for Again {
                fn drop(&mut self) {
                    let _ = panic::catch_unwind(|| panic!("second"));
                }
            }
            let _again = Again;
            panic!("first");
        });
        let nested = heard("hook-nested");
        assert_eq!(nested.len(), 2, "{nested:?}");
        assert!(nested[0].contains("first") && nested[1].contains("second"));
    }
}
