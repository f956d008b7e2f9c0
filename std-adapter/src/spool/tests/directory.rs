//! The directory and the files in it: who may use them.

use super::*;

fn refusal(path: &Path) -> SpoolError {
    let error = refused(path);
    let text = error.to_string();
    assert!(text.contains(path.file_name().unwrap().to_str().unwrap()), "{text}");
    error
}

#[test]
fn missing_directories_are_made_private() {
    let home = Home::new();
    let deep = home.temp.path().join("a/b/spool");
    let mut spool = open_sized(&deep, SIZE);
    for path in ["a", "a/b", "a/b/spool"] {
        assert_eq!(mode(&home.temp.path().join(path)), 0o700, "{path}");
    }
    spool.write(0, b"x").unwrap();
    spool.sync().unwrap();
}

#[test]
fn links_in_place_of_directory_or_files_are_refused() {
    let home = Home::new();
    let real = home.temp.path().join("real");
    std::fs::create_dir(&real).unwrap();
    chmod(&real, 0o700);
    std::os::unix::fs::symlink(&real, home.spool()).unwrap();
    assert_eq!(refusal(&home.spool()).trouble, Trouble::Link);
    std::fs::remove_file(home.spool()).unwrap();

    // A link above it is the administrator's business.
    let above = home.temp.path().join("above");
    std::os::unix::fs::symlink(&real, &above).unwrap();
    crash(open_sized(&above.join("spool"), SIZE));

    let victim = home.temp.path().join("victim");
    std::fs::write(&victim, b"precious").unwrap();
    for file in ["k217feda2-0.lock", "k217feda2-0.spool"] {
        let home = Home::new();
        std::fs::create_dir(home.spool()).unwrap();
        chmod(&home.spool(), 0o700);
        std::os::unix::fs::symlink(&victim, home.file(file)).unwrap();
        let error = refused(&home.spool());
        assert!(error.trouble == Trouble::Link && error.path.ends_with(file), "{error}");
        std::fs::remove_file(home.file(file)).unwrap();
        std::fs::hard_link(&victim, home.file(file)).unwrap();
        let error = refused(&home.spool());
        assert!(error.trouble == Trouble::NotAFile && error.path.ends_with(file), "{error}");
    }
    // A planted new file is replaced, never followed.
    std::os::unix::fs::symlink(&victim, above.join("spool/k217feda2-0.new")).unwrap();
    let mut spool = open_sized(&above.join("spool"), SIZE);
    spool.write(0, b"x").unwrap();
    std::fs::remove_file(above.join("spool/k217feda2-0.new")).unwrap();
    std::os::unix::fs::symlink(&victim, above.join("spool/k217feda2-0.new")).unwrap();
    let error = spool.sync().unwrap_err();
    assert_eq!(error.trouble, Trouble::Replaced);
    assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
}

#[test]
fn a_fifo_does_not_hang_us() {
    let home = Home::new();
    crash(home.open());
    let path = home.file("k217feda2-0.spool");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert_eq!(refused(&home.spool()).trouble, Trouble::NotAFile);
}

#[test]
fn directories_that_others_may_write_are_refused() {
    for bits in [0o770, 0o720, 0o702, 0o777, 0o1777] {
        let home = Home::new();
        std::fs::create_dir(home.spool()).unwrap();
        chmod(&home.spool(), bits);
        let error = refusal(&home.spool());
        assert_eq!(error.trouble, Trouble::LooseMode(bits), "{error}");
        assert!(error.to_string().contains("chmod 700"), "{error}");
    }
    for bits in [0o700, 0o755, 0o750] {
        let home = Home::new();
        std::fs::create_dir(home.spool()).unwrap();
        chmod(&home.spool(), bits);
        crash(home.open());
    }
}

#[test]
fn a_place_that_everybody_may_write_is_none_for_a_spool() {
    let home = Home::new();
    for bits in [0o777, 0o1777] {
        chmod(home.temp.path(), bits);
        for below in ["spool", "a/spool"] {
            let path = home.temp.path().join(below);
            let error = refused(&path);
            assert_eq!(error.trouble, Trouble::OpenParent);
            assert_eq!(error.path, home.temp.path());
        }
    }
    chmod(home.temp.path(), 0o700);
}

#[test]
fn what_belongs_to_others_is_refused() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    crash(home.open());
    chown(&home.file("k217feda2-0.lock"), 12345);
    assert_eq!(refused(&home.spool()).trouble, Trouble::ForeignOwner(12345));
    chown(&home.spool(), 12345);
    let error = refusal(&home.spool());
    assert!(error.to_string().contains("12345"), "{error}");
}

#[test]
fn something_else_in_its_place_is_named() {
    let home = Home::new();
    std::fs::write(home.spool(), b"").unwrap();
    assert_eq!(refusal(&home.spool()).trouble, Trouble::NotADirectory);
    let below = home.spool().join("deeper");
    assert_eq!(refused(&below).trouble, Trouble::NotADirectory);
}
