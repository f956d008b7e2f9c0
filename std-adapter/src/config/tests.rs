use super::environment::testing::environment;
use super::*;
use annunciator_core::transport::{Message, Outcome};
use std::io::Write as _;

const ROOT: &str = "-----BEGIN CERTIFICATE-----
MIIBfTCCASOgAwIBAgIUSXCihPasqZYH3AIgVfCDREuLpyIwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJVGVzdCByb290MB4XDTI2MTEyMjE3MzY0N1oXDTM2MTExOTE3
MzY0N1owFDESMBAGA1UEAwwJVGVzdCByb290MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAE3XY4WwXAV7VwUCSlKRmPghVxV6Yhy9FKQbkaLhsqNnxUUWNLtyjYxgrm
V7A9JHmdsL7gJL2NSDLyfYjL5FP9fqNTMFEwHQYDVR0OBBYEFHc+sgvZ3or5wTfm
2XbAgO1dYNtNMB8GA1UdIwQYMBaAFHc+sgvZ3or5wTfm2XbAgO1dYNtNMA8GA1Ud
EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAPxNT05557T2G6Oy9qZjCFYE
uKMewexIIkpW0JdwtMw+AiBooPoiu+1k2eK76uqnkjmLmivmijzuWB5CaNGdF6Qj
OQ==
-----END CERTIFICATE-----
";

/// The three variables of the tutorial.
const THREE: [(&str, &str); 3] = [
    ("VONAGE_API_KEY", "aaa012bc"),
    ("VONAGE_API_SECRET", "abc123456789"),
    ("ALERT_PHONE_NUMBER", "+44 7700 900000"),
];

fn builder(variables: &[(&str, &str)]) -> Builder {
    let mut builder = Builder::new("sampleapp");
    builder.environment = environment(variables);
    builder
}

fn with_three(more: &[(&str, &str)]) -> Builder {
    let mut variables: Vec<(&str, &str)> =
        THREE.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name)).collect();
    variables.extend_from_slice(more);
    builder(&variables)
}

fn enabled(builder: Builder) -> Config {
    match builder.build().expect("a good configuration") {
        Setup::Enabled(config) => *config,
        Setup::Disabled(disabled) => panic!("{disabled}"),
    }
}

fn refused(builder: Builder) -> String {
    let error = builder.build().expect_err("a bad configuration");
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains("abc123456789"), "the secret shows: {text}");
    }
    error.to_string()
}

fn numbers(config: &Config) -> Vec<&str> {
    config
        .destinations
        .iter()
        .map(|destination| match &destination.route {
            Route::Vonage(number) => number.as_str(),
            Route::Custom(_) => "own",
        })
        .collect()
}

#[test]
fn three_variables_are_enough() {
    let config = enabled(with_three(&[]));
    assert_eq!(config.name(), "sampleapp");
    assert_eq!(config.level(), Level::Warn);
    assert_eq!(numbers(&config), ["447700900000"]);
    assert_eq!(config.service.sender.as_str(), "sampleapp");
    assert_eq!(config.service.endpoint.url(), "https://rest.nexmo.com/sms/json");
    assert_eq!(config.service.proxy, None);
    assert!(config.service.roots.is_none());
    let credentials = config.service.credentials.as_ref().unwrap();
    assert_eq!(
        (credentials.key.as_str(), credentials.secret.expose()),
        ("aaa012bc", "abc123456789")
    );
    assert_eq!(credentials.proof, Proof::Header);
    assert_eq!(config.policy, Policy::default());
    assert_eq!((config.utc_offset, config.report_crashes), (None, true));
    assert_eq!(config.spool.size, 128 * 1024);
    assert!(config.missing().is_empty());
}

#[test]
fn without_credentials_or_a_number_texts_are_off_and_the_line_names_the_variables() {
    for (variables, line) in [
        (&[][..], "VONAGE_API_KEY, VONAGE_API_SECRET, ALERT_PHONE_NUMBER"),
        (&THREE[..2], "ALERT_PHONE_NUMBER"),
        (&THREE[2..], "VONAGE_API_KEY, VONAGE_API_SECRET"),
        (
            &[("VONAGE_API_KEY", ""), ("VONAGE_API_SECRET", ""), ("ALERT_PHONE_NUMBER", ", ,")][..],
            "VONAGE_API_KEY, VONAGE_API_SECRET, ALERT_PHONE_NUMBER",
        ),
    ] {
        match builder(variables).build() {
            Ok(Setup::Disabled(disabled)) => assert_eq!(
                disabled.to_string(),
                format!("annunciator: no texts will be sent, not set: {line}")
            ),
            other => panic!("{other:?}"),
        }
    }
    // Empty explicit settings count as absent too.
    let empty = builder(&[]).credentials("", "").to("").sender("").url("").ca_file("").spool("");
    assert!(matches!(empty.build(), Ok(Setup::Disabled(_))));
}

#[test]
fn half_a_pair_of_credentials_is_an_error_that_names_the_other_half() {
    assert_eq!(
        refused(with_three(&[("VONAGE_API_SECRET", "")])),
        "VONAGE_API_KEY is set but VONAGE_API_SECRET is not: set both to send, or neither to run \
         without texts"
    );
    assert!(
        refused(with_three(&[("VONAGE_API_KEY", " ")]))
            .starts_with("VONAGE_API_SECRET is set but VONAGE_API_KEY is not")
    );
    // An explicit half is not completed from the environment: it would be another account's.
    assert!(refused(with_three(&[]).credentials("key", "")).contains("Builder::credentials()"));
}

#[test]
fn explicit_settings_win_over_the_environment() {
    let config = enabled(
        with_three(&[
            ("ALERT_NAME", "env"),
            ("ALERT_SENDER", "Env"),
            ("ALERT_LEVEL", "info"),
            ("ALERT_SPOOL", "/env"),
            ("VONAGE_SMS_URL", "https://env.example/"),
            ("HTTPS_PROXY", "http://env:1"),
        ])
        .name("code")
        .sender("Code")
        .level(Level::Error)
        .spool("/code")
        .url("https://code.example/")
        .proxy("http://code:1")
        .credentials("codekey1", "codesecret")
        .to("+49 151 0000000")
        .to("+33 6 00 00 00 00"),
    );
    assert_eq!(config.name(), "code");
    assert_eq!(config.service.sender.as_str(), "Code");
    assert_eq!(config.level(), Level::Error);
    assert_eq!(config.spool_directory(), Ok(Path::new("/code")));
    assert_eq!(config.service.endpoint.url(), "https://code.example/");
    assert_eq!(config.service.proxy.as_ref().unwrap().expose(), "http://code:1");
    assert_eq!(config.service.credentials.as_ref().unwrap().key, "codekey1");
    assert_eq!(numbers(&config), ["491510000000", "33600000000"]);
}

#[test]
fn the_environment_fills_what_is_not_set() {
    let config = enabled(with_three(&[
        ("ALERT_NAME", "pump {host}"),
        ("ALERT_LEVEL", "warning"),
        ("https_proxy", "http://lower:1"),
    ]));
    assert_eq!(config.name(), "pump pump7");
    assert_eq!(config.service.sender.as_str(), "pumppump7");
    assert_eq!(config.level(), Level::Warn);
    assert_eq!(config.service.proxy.as_ref().unwrap().expose(), "http://lower:1");
}

#[test]
fn a_list_of_numbers_is_that_many_destinations_and_spellings_of_one_are_one() {
    let list = "+44 7700 900000, 447700900000,, +44-7700-900111,4915100000000,";
    let config = enabled(with_three(&[("ALERT_PHONE_NUMBER", list)]));
    assert_eq!(numbers(&config), ["447700900000", "447700900111", "4915100000000"]);
    assert!(!format!("{config:?}").contains("7700900"), "reports do not show numbers");
}

#[test]
fn labels_distinguish_destinations() {
    let list = "+44 7700 900000, +44 7700 910000";
    let config = enabled(with_three(&[("ALERT_PHONE_NUMBER", list)]));
    let labels: Vec<&str> = config.destinations().iter().map(Destination::label).collect();
    assert_eq!(labels, ["+44..00", "+44..00 #2"]);
}

#[test]
fn identities_are_the_same_in_every_run_and_under_every_name_and_differ_between_numbers() {
    let identity = |config: &Config| config.destinations()[0].identity.to_owned();
    let first = enabled(with_three(&[]));
    let respelt = enabled(with_three(&[("ALERT_PHONE_NUMBER", "447700900000")]));
    assert_eq!(identity(&first), identity(&respelt));
    let renamed = enabled(with_three(&[("ALERT_NAME", "other")]));
    assert_eq!(identity(&first), identity(&renamed), "money and rhythm are the destination's");
    let other = enabled(with_three(&[("ALERT_PHONE_NUMBER", "+447700900001")]));
    assert_ne!(identity(&first), identity(&other));
}

#[test]
fn a_north_american_number_needs_a_numeric_sender() {
    let error = refused(with_three(&[("ALERT_PHONE_NUMBER", "+44 7700 900000,+1 415 555 0100")]));
    assert_eq!(
        error,
        "ALERT_SENDER: \"sampleapp\" to +14..00: a +1 destination takes texts only from numbers: \
         set the sender to a number of your account that is registered for the United States or \
         Canada"
    );
    let list = ("ALERT_PHONE_NUMBER", "+1 415 555 0100");
    assert!(refused(with_three(&[list]).sender("Acme")).starts_with("Builder::sender()"));
    let config = enabled(with_three(&[list]).sender("+1 415 555 0199"));
    assert_eq!(config.service.sender.as_str(), "14155550199");
}

#[test]
fn errors_name_the_variable_or_method_and_the_fix() {
    for (variable, value, parts) in [
        ("ALERT_PHONE_NUMBER", "+447700900000,mum", "ALERT_PHONE_NUMBER: number 2: 'm'"),
        ("ALERT_PHONE_NUMBER", "0044770", "write +44... instead of 0044"),
        ("ALERT_LEVEL", "loud", "ALERT_LEVEL: \"loud\" is not a level: use TRACE"),
        ("ALERT_SENDER", "twelve letters", "ALERT_SENDER: ' ' cannot be in a sender"),
        ("ALERT_NAME", "a\nb", "ALERT_NAME: the name holds a control character"),
        ("ALERT_SPOOL", "spool", "ALERT_SPOOL: spool is relative: write the whole path"),
        ("VONAGE_SMS_URL", "http://rest.nexmo.com/", "VONAGE_SMS_URL: plain http is for loopback"),
        ("HTTPS_PROXY", "socks5://p:1", "HTTPS_PROXY: only http and https proxies"),
        ("https_proxy", "socks5://p:1", "https_proxy: only http and https proxies"),
        (
            "VONAGE_API_KEY",
            "aaa012b",
            "VONAGE_API_KEY: an API key has exactly 8 letters and digits",
        ),
        (
            "VONAGE_API_KEY",
            "aaa:012b",
            "VONAGE_API_KEY: an API key has exactly 8 letters and digits",
        ),
        ("VONAGE_API_SECRET", "abc123456789\n", "VONAGE_API_SECRET: an API secret has printable"),
        ("ALERT_CA_FILE", "/nowhere/ca.pem", "ALERT_CA_FILE: /nowhere/ca.pem: cannot read"),
    ] {
        let error = refused(with_three(&[(variable, value)]));
        assert!(error.contains(parts), "{variable}={value}: {error}");
    }
    for (builder, parts) in [
        (with_three(&[]).to("mum"), "Builder::to(): number 1: 'm'"),
        (with_three(&[]).spool("here"), "Builder::spool(): here is relative"),
        (with_three(&[]).spool_size(100), "Builder::spool_size(): take 4 KiB"),
        (with_three(&[]).connect_timeout(Duration::ZERO), "Builder::connect_timeout(): zero"),
        (with_three(&[]).drop_timeout(Duration::MAX), "Builder::drop_timeout(): a year"),
        (with_three(&[]).segments_per_text(0), "Builder::segments_per_text(): take 1 to 6"),
        (with_three(&[]).budget(0, 40), "Builder::budget(): a budget of zero"),
        (
            with_three(&[]).interval(Duration::from_secs(2), Duration::from_secs(1)),
            "Builder::interval(): the least is greater",
        ),
        (with_three(&[]).credentials("k k", "s"), "Builder::credentials(): an API key"),
    ] {
        let error = refused(builder);
        assert!(error.contains(parts), "{error}");
    }
    let mut nameless = builder(&THREE);
    nameless.program = " ".to_owned();
    assert!(refused(nameless).contains("Builder::new(): the name is empty"));
}

#[test]
fn what_is_set_is_checked_even_if_texts_are_off() {
    assert!(refused(builder(&[("ALERT_LEVEL", "loud")])).contains("ALERT_LEVEL"));
}

#[test]
fn secrets_may_hold_any_printable_character_and_are_taken_as_they_are() {
    let secret = "p'ss&=%+\"word$";
    let config = enabled(with_three(&[("VONAGE_API_SECRET", secret)]));
    assert_eq!(config.service.credentials.as_ref().unwrap().secret.expose(), secret);
    assert!(!format!("{config:?}").contains("word"));
}

#[test]
fn long_names_are_cut_since_every_text_pays_for_them() {
    let config = enabled(with_three(&[]).name("\u{e4}".repeat(40)));
    assert_eq!(config.name(), "\u{e4}".repeat(32));
}

#[test]
fn the_spool_goes_to_the_first_state_directory_there_is() {
    let unit = ("STATE_DIRECTORY", "/var/lib/pump:/var/lib/other");
    let xdg = ("XDG_STATE_HOME", "/home/me/state");
    let home = ("HOME", "/home/me");
    for (variables, directory) in [
        (&[("ALERT_SPOOL", "/mnt/card"), unit, xdg, home][..], "/mnt/card"),
        (&[unit, xdg, home][..], "/var/lib/pump/annunciator"),
        (&[("STATE_DIRECTORY", "here"), xdg, home][..], "/home/me/state/annunciator"),
        (&[xdg, home][..], "/home/me/state/annunciator"),
        (&[("XDG_STATE_HOME", "here"), home][..], "/home/me/.local/state/annunciator"),
        (&[home][..], "/home/me/.local/state/annunciator"),
    ] {
        let config = enabled(with_three(variables));
        assert_eq!(config.spool_directory(), Ok(Path::new(directory)));
    }
    let reason = "neither ALERT_SPOOL nor HOME names a directory";
    assert_eq!(enabled(with_three(&[])).spool_directory(), Err(reason));
    assert_eq!(enabled(with_three(&[("HOME", "here")])).spool_directory(), Err(reason));
    let off = enabled(with_three(&[unit]).without_spool());
    assert_eq!(off.spool_directory(), Err("switched off by the program"));
}

#[test]
fn root_without_a_unit_uses_the_system_directory() {
    let mut builder = with_three(&[]);
    builder.environment = environment(&[THREE[0], THREE[1], THREE[2], ("HOME", "/root")]).of_root();
    let config = enabled(builder);
    assert_eq!(config.spool_directory(), Ok(Path::new("/var/lib/annunciator")));
}

#[test]
fn the_machines_proxy_is_not_asked_for_a_loopback_address() {
    let url = ("VONAGE_SMS_URL", "https://127.0.0.1:4443/sms/json");
    let config = enabled(with_three(&[url, ("HTTPS_PROXY", "http://proxy:3128")]));
    assert_eq!(config.service.proxy, None);
    let config = enabled(with_three(&[url]).proxy("http://proxy:3128"));
    assert!(config.service.proxy.is_some(), "an explicit one is obeyed");
}

#[test]
fn no_proxy_exempts_hosts_from_a_proxy_of_the_environment_only() {
    let proxy = ("HTTPS_PROXY", "http://proxy:3128");
    for exempt in [("NO_PROXY", "localhost,nexmo.com"), ("no_proxy", "*")] {
        assert!(enabled(with_three(&[proxy, exempt])).service.proxy.is_none());
        let explicit = enabled(with_three(&[exempt]).proxy("http://proxy:3128"));
        assert!(explicit.service.proxy.is_some());
    }
    for other in [("NO_PROXY", "vonage.com"), ("NO_PROXY", "")] {
        assert!(enabled(with_three(&[proxy, other])).service.proxy.is_some());
    }
    // The first of the two that says something counts.
    let both = [proxy, ("NO_PROXY", "vonage.com"), ("no_proxy", "*")];
    assert!(enabled(with_three(&both)).service.proxy.is_some());
}

#[test]
fn roots_come_from_a_pem_file_that_is_checked_at_once() {
    let file = |text: &str| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    };
    let good = file(&format!("# ours\n{ROOT}{ROOT}"));
    let config = enabled(with_three(&[]).ca_file(good.path()));
    assert_eq!(config.service.roots.as_ref().unwrap().len(), 2);
    for (text, part) in [
        ("", "holds no certificate"),
        ("not PEM at all\n", "holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "is no PEM file"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no usable root"),
    ] {
        let bad = file(text);
        let error = refused(with_three(&[]).ca_file(bad.path()));
        assert!(error.starts_with("Builder::ca_file(): "), "{error}");
        assert!(error.contains(part) && error.contains(bad.path().to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_transport_of_ones_own_needs_no_credentials_and_no_number() {
    struct Nowhere;
    impl Transport for Nowhere {
        fn send(&mut self, _: &Message<'_>) -> Outcome {
            unreachable!("nothing is sent here")
        }
    }
    let config = enabled(builder(&[]).transport("gateway", Nowhere));
    assert_eq!(config.destinations()[0].label(), "gateway");
    assert!(config.missing().is_empty());

    let config = enabled(builder(&THREE[2..]).transport("gateway", Nowhere));
    assert_eq!(numbers(&config), ["own"], "a number alone is not reachable");
    assert_eq!(config.missing(), ["VONAGE_API_KEY", "VONAGE_API_SECRET"]);

    let config = enabled(with_three(&[]).transport("gateway", Nowhere));
    assert_eq!(numbers(&config), ["447700900000", "own"]);

    let twice = builder(&[]).transport("gateway", Nowhere).transport("gateway", Nowhere);
    assert!(refused(twice).contains("\"gateway\" is empty or taken"));
}

#[test]
fn quiet_hours_without_the_utc_offset_are_refused_by_name() {
    let quiet = || Builder::new("pump").environment(|_| None).quiet_hours(22 * 60, 7 * 60);
    let error = quiet().build().unwrap_err().to_string();
    assert!(error.contains("quiet_hours()") && error.contains("utc_offset()"), "{error}");
    assert!(quiet().utc_offset(60).build().is_ok());
    let error = quiet().utc_offset(900).build().unwrap_err().to_string();
    assert!(error.contains("Builder::utc_offset()"), "{error}");
    let never = Builder::new("pump").environment(|_| None).utc_offset(0).quiet_hours(60, 60);
    assert!(never.build().is_err());
}
