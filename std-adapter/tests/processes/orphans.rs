//! What a process that died leaves to those that live.

use super::*;

#[test]
fn the_rings_of_dead_neighbours_are_served_once_and_free_then() {
    let home = Sandbox::new();
    home.kill_three();
    assert_eq!(home.memory_files().len(), 3);

    let alerts = builder(home.0.path()).start().unwrap();
    home.wait_for_words(&["one", "two", "three"]);
    wait_for("their memory files to be gone", || home.memory_files().len() == 1);
    drop(alerts);
    let texts = home.next_start_sends_nothing();
    for word in ["one", "two", "three"] {
        assert_eq!(texts.concat().matches(word).count(), 1, "{texts:?}");
    }
    // The first of them reports all three ends, whoever's it is.
    let ends = ["restarted after 3 crashes", "3 ends without a word"];
    let sent = ends.map(|words| texts.concat().matches(words).count());
    assert_eq!(sent.iter().sum::<usize>(), 1, "{texts:?}");
}

#[test]
fn a_dead_neighbours_events_come_in_a_text_of_their_own_under_its_name() {
    let home = Sandbox::new();
    let mut neighbour = home.command("ERROR:valve-stuck");
    neighbour.env(NAME, "neighbour");
    home.kill(neighbour);
    let alerts = builder(home.0.path()).start().unwrap();
    record(&alerts, Level::Error, "of my own");
    home.wait_for_words(&["valve-stuck", "of my own"]);
    wait_for("its memory file to be gone", || home.memory_files().len() == 1);
    drop(alerts);
    let mut texts = home.next_start_sends_nothing();
    texts.sort();
    assert_eq!(
        texts,
        [
            "[Rust Logger neighbour] ended without a word: ERROR: valve-stuck",
            "[Rust Logger processes] ERROR: of my own",
        ]
    );
}

#[test]
fn programs_that_die_over_and_over_lose_and_double_nothing() {
    let home = Sandbox::new();
    let mut words = Vec::new();
    for round in 0..8 {
        let mut children = Vec::new();
        for number in 0..3 {
            // Some die with what they have in memory alone, some have taken others' rings up.
            let name = ["pump", "valve", "processes"][(round + number) % 3];
            // Numbers would make one kind of them, and that is repeated less and less often.
            let letter = |number: usize| char::from(b'a' + number as u8);
            let word = format!("trouble-{}-{}", letter(round), letter(number));
            children.push(home.command(&format!("ERROR:{word}")).env(NAME, name).spawn().unwrap());
            home.wait_for_sign();
            words.push((name, word));
        }
        for index in [round % 3, (round + 1) % 3, (round + 2) % 3] {
            children[index].kill().unwrap();
            children[index].wait().unwrap();
        }
    }
    let alerts = builder(home.0.path()).start().unwrap();
    let all: Vec<&str> = words.iter().map(|(_, word)| word.as_str()).collect();
    home.wait_for_words(&all);
    wait_for("all to be settled", || home.memory_files().len() == 1);
    drop(alerts);
    let texts = home.next_start_sends_nothing();
    for (name, word) in words {
        let sent: Vec<&String> = texts.iter().filter(|text| text.contains(&word)).collect();
        assert_eq!(sent.len(), 1, "{word}: {texts:?}");
        let prefix = format!("[Rust Logger {name}] ");
        assert!(sent[0].starts_with(&prefix), "{word} of {name}: {}", sent[0]);
    }
}

#[test]
fn an_orphan_whose_server_dies_is_served_by_the_next() {
    let home = Sandbox::new();
    let mut neighbour = home.command("ERROR:valve-stuck");
    neighbour.env(NAME, "neighbour");
    home.kill(neighbour);
    // This one begins to serve it, and is killed before anything is sent.
    home.kill(home.command("rest ERROR:pump-dry"));
    assert!(home.texts().is_empty(), "{:?}", home.texts());
    let alerts = builder(home.0.path()).start().unwrap();
    home.wait_for_words(&["valve-stuck", "pump-dry"]);
    drop(alerts);
    let texts = home.next_start_sends_nothing().concat();
    for word in ["[Rust Logger neighbour] ", "valve-stuck", "pump-dry"] {
        assert_eq!(texts.matches(word).count(), 1, "{texts}");
    }
    // That it was served twice is not another end.
    let ends = ["restarted after 2 crashes", "2 ends without a word"];
    let sent: usize = ends.iter().map(|words| texts.matches(words).count()).sum();
    assert_eq!(sent, 1, "{texts}");
}

#[test]
fn an_orphan_that_waits_for_the_service_holds_up_nobody() {
    /// Cannot send the neighbour's texts.
    struct Picky(Phone);
    impl Transport for Picky {
        fn send(&mut self, message: &Message<'_>) -> Outcome {
            match message.text.contains("neighbour") {
                true => Outcome::Retry(Retry::failure(Code::NONE)),
                false => self.0.send(message),
            }
        }
    }
    let home = Sandbox::new();
    let mut neighbour = home.command("ERROR:valve-stuck");
    neighbour.env(NAME, "neighbour");
    home.kill(neighbour);
    let phone = Picky(Phone(home.0.path().join("phone")));
    let alerts = with(home.0.path(), phone).start().unwrap();
    for word in ["first", "second", "third"] {
        record(&alerts, Level::Error, word);
        home.wait_for_words(&[word]);
    }
    drop(alerts);
    assert!(!home.texts().concat().contains("valve-stuck"));
    // It is left to the next one.
    drop(builder(home.0.path()).start().unwrap());
    assert!(home.texts().concat().contains("valve-stuck"), "{:?}", home.texts());
}

#[test]
fn memory_of_the_dead_that_had_no_disk_is_served() {
    let home = Sandbox::new();
    // A file is where the spool directory should be.
    std::fs::write(home.spool(), "").unwrap();
    home.kill_three();
    std::fs::remove_file(home.spool()).unwrap();
    let alerts = builder(home.0.path()).start().unwrap();
    home.wait_for_words(&["one", "two", "three"]);
    drop(alerts);
    home.next_start_sends_nothing();
}
