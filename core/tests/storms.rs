//! What storms cost, held against the aims, and the whole table pinned.

mod storms {
    pub(crate) mod scenarios;
}

use storms::scenarios::{Row, SCENARIOS, table};

fn row(name: &str) -> Row {
    SCENARIOS.iter().find(|scenario| scenario.name == name).expect("a scenario's name").row()
}

#[test]
fn storms_of_a_minute_cost_four_segments_and_name_every_site() {
    for name in ["one error 10,000 times", "10,000 messages, 5 sites"] {
        let row = row(name);
        assert!(row.two_minutes <= 4, "{row:#?}");
        assert_eq!(row.named, row.sites, "{row:#?}");
    }
}

#[test]
fn a_grave_error_beside_noise_is_in_a_text_within_two_seconds() {
    let row = row("noisy WARN, grave ERROR");
    assert!(row.gravest.is_some_and(|ms| ms <= 2000), "{row:#?}");
}

#[test]
fn a_day_of_the_same_trouble_costs_twelve_segments() {
    for name in ["error every 10 min", "cron, each minute"] {
        let row = row(name);
        assert!(row.segments <= 12, "{row:#?}");
    }
}

#[test]
fn the_table_is_as_documented() {
    assert_eq!(table(), include_str!("storms/table.txt"), "{}", table());
}
