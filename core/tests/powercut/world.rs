//! What happened outside the device: what was recorded, which texts left, which arrived.

use std::collections::BTreeMap;

use annunciator_core::alerter::Stats;
use annunciator_core::transport::{Message, Outcome};

/// Begins every text.
pub(crate) const PREFIX: &str = "[t] ";

/// How a text ended, as the device was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Accepted,
    NotSent,
    Refused,
    Unknown,
    /// The device never heard: it was cut before.
    Unheard,
}

#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) reference: String,
    pub(crate) repeat: bool,
    pub(crate) text: String,
    pub(crate) answer: Answer,
    pub(crate) arrived: bool,
    /// What had been recorded when it left.
    pub(crate) recorded: BTreeMap<String, u64>,
    /// Events that the device counted as delivered by it.
    pub(crate) delivered: u64,
    /// The device heard that it was accepted, whether or not it remembers.
    pub(crate) accepted: bool,
    /// Storage knows how it ended.
    pub(crate) durable: bool,
}

/// What a commit covers.
#[derive(Debug, Clone)]
pub(crate) struct Covered {
    recorded: BTreeMap<String, u64>,
    anonymous: u64,
    heard: usize,
}

/// Everything that counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    /// Events by name whose call returned `Stored` or `Merged`, and those lost at the door.
    pub(crate) recorded: BTreeMap<String, u64>,
    pub(crate) anonymous: u64,
    /// Of these, those that no power cut can have made vanish.
    pub(crate) sure: BTreeMap<String, u64>,
    pub(crate) sure_anonymous: u64,
    /// The name whose call was cut, and how many events without a name at most.
    pub(crate) in_flight: Vec<String>,
    pub(crate) in_flight_anonymous: u64,
    pub(crate) texts: Vec<Text>,
    /// Whether a text whose answer nobody heard arrived.
    pub(crate) arrives: bool,
    /// Texts do not name each event.
    pub(crate) grouped: bool,
    /// What was durable by a commit, and what is part of the one under way.
    pub(crate) committed: BTreeMap<String, u64>,
    pub(crate) committed_anonymous: u64,
    /// Storage failed before power did: what left meanwhile it does not know, and neither does this.
    pub(crate) deaf: bool,
    /// Power was cut: storage's tale is the one that counts.
    pub(crate) powerless: bool,
    /// Names by line, for texts that name places.
    pub(crate) places: BTreeMap<u32, String>,
    pub(crate) log: Vec<String>,
}

/// A text taken apart.
#[derive(Debug, Default)]
struct Parsed {
    items: Vec<(String, u64)>,
    /// Events that were evicted after they were counted: their level is told.
    nameless: u64,
    lost: u64,
    unconfirmed: Vec<(String, u64)>,
}

/// `grouped`: the items name several events each, and are left out.
fn parse(text: &str, grouped: bool) -> Parsed {
    let mut parsed = Parsed::default();
    let rest = text.strip_prefix(PREFIX).expect("the prefix");
    let rest = match rest.strip_prefix("(repeat ") {
        Some(rest) => rest.split_once(") ").map_or("", |(_, rest)| rest),
        None => rest,
    };
    for item in rest.split(", ").filter(|item| !item.is_empty()) {
        if let Some(lost) = item.strip_suffix(" lost") {
            parsed.lost = lost.parse().expect("a count of lost events");
        } else if let Some(rest) = item.strip_prefix("unconfirmed ") {
            let (reference, rest) = rest.split_once(": ").expect("a reference");
            let (count, _) = rest.split_once(' ').expect("a count");
            parsed.unconfirmed.push((reference.into(), count.parse().unwrap()));
        } else if item.contains(" alerts while offline ") || item.starts_with("budget used up ") {
            // Counts and names nothing that the items do not.
        } else if !grouped {
            let (item, count) = match item.split_once(" (x") {
                Some((item, count)) => (item, count.trim_end_matches(')').parse().unwrap()),
                None => (item, 1),
            };
            match item.split_once(": ") {
                Some((_, name)) => parsed.items.push((name.into(), count)),
                None => parsed.nameless += count,
            }
        }
    }
    parsed
}

impl World {
    pub(crate) fn left(&mut self, message: &Message<'_>) {
        self.log.push(format!("sent {} {}", message.reference, message.text));
        self.texts.push(Text {
            reference: message.reference.to_string(),
            repeat: message.repeat,
            text: message.text.into(),
            answer: Answer::Unheard,
            arrived: self.arrives,
            recorded: self.recorded.clone(),
            delivered: 0,
            accepted: false,
            durable: false,
        });
    }

    /// The outcome exists; the device may be about to hear it.
    pub(crate) fn answered(&mut self, outcome: Outcome) {
        let arrives = self.arrives;
        if let Some(text) = self.texts.last_mut() {
            text.arrived = match outcome {
                Outcome::Accepted(_) => true,
                Outcome::Unknown(_) => arrives,
                _ => false,
            };
        }
    }

    /// The device has heard it.
    pub(crate) fn heard(&mut self, outcome: Outcome, delivered: u64) {
        self.log.push(format!("answer {outcome:?}"));
        if let Some(text) = self.texts.last_mut() {
            text.delivered = delivered;
            text.accepted = matches!(outcome, Outcome::Accepted(_));
            text.answer = match outcome {
                Outcome::Accepted(_) => Answer::Accepted,
                Outcome::Unknown(_) => Answer::Unknown,
                Outcome::Retry(_) => Answer::NotSent,
                _ => Answer::Refused,
            };
        }
    }

    fn parsed(&self, text: &str) -> Parsed {
        let mut parsed = parse(text, self.grouped);
        for (name, _) in &mut parsed.items {
            let line = name.strip_prefix("a.rs:").and_then(|line| line.parse().ok());
            if let Some(place) = line.and_then(|line| self.places.get(&line)) {
                *name = place.clone();
            }
        }
        parsed
    }

    fn total(&self) -> u64 {
        self.recorded.values().sum::<u64>() + self.anonymous
    }

    /// Events were recorded.
    pub(crate) fn recorded(&mut self, name: &str, count: u64) {
        *self.recorded.entry(name.into()).or_default() += count;
        *self.sure.entry(name.into()).or_default() += count;
    }

    /// Events without a name were counted as lost.
    pub(crate) fn lost(&mut self, count: u64) {
        self.anonymous += count;
        self.sure_anonymous += count;
    }

    /// A commit is over that began when this much had been recorded.
    pub(crate) fn commit(&mut self, covered: Covered) {
        for (name, count) in covered.recorded {
            let committed = self.committed.entry(name).or_default();
            *committed = count.max(*committed);
        }
        self.committed_anonymous = covered.anonymous.max(self.committed_anonymous);
        for text in self.texts.iter_mut().take(covered.heard) {
            text.durable = true;
        }
    }

    /// What a commit that begins now covers.
    pub(crate) fn covered(&self) -> Covered {
        let heard = self.texts.iter().take_while(|text| text.answer != Answer::Unheard).count();
        Covered { recorded: self.sure.clone(), anonymous: self.sure_anonymous, heard }
    }

    /// Power is cut: what storage does not know did not happen, to the device.
    pub(crate) fn power_cut(&mut self) {
        self.powerless = true;
        self.sure = self.committed.clone();
        self.sure_anonymous = self.committed_anonymous;
        for text in &mut self.texts {
            if !text.durable && text.answer == Answer::Accepted {
                text.answer = Answer::Unheard;
            }
        }
        self.log.push("power cut".into());
    }

    /// Holds the end of the story against its beginning.
    pub(crate) fn check(&self, stats: &Stats) -> Result<(), String> {
        if self.deaf {
            return self.check_deaf(stats);
        }
        let mut references: BTreeMap<&str, Vec<&Text>> = BTreeMap::new();
        for text in &self.texts {
            references.entry(&text.reference).or_default().push(text);
        }
        let mut told: BTreeMap<String, u64> = BTreeMap::new();
        let (mut accounted, mut perhaps, mut lost_told, mut lost_perhaps) = (0, 0, 0, 0);
        let mut unconfirmed: BTreeMap<String, u64> = BTreeMap::new();
        for text in &self.texts {
            for (reference, events) in self.parsed(&text.text).unconfirmed {
                unconfirmed.insert(reference, events);
            }
        }
        // Storage cannot know of an attempt that was noted and never left.
        let unsent = unconfirmed.iter().filter(|(one, _)| !references.contains_key(one.as_str()));
        accounted += unsent.map(|(_, events)| events).sum::<u64>();
        for (reference, texts) in &references {
            self.check_batch(reference, texts)?;
            let last = texts.last().expect("at least one");
            if let Some(events) = unconfirmed.get(*reference) {
                accounted += events;
            } else if last.answer == Answer::Accepted {
                accounted += last.delivered;
                lost_told += self.parsed(&last.text).lost;
            } else if last.accepted {
                // Told, and forgotten with the power. What was evicted before it could be repeated
                // is counted as lost.
                perhaps += last.delivered;
                lost_perhaps += self.parsed(&last.text).lost;
            }
            let mut batch: BTreeMap<String, u64> = BTreeMap::new();
            for text in texts.iter().filter(|text| text.arrived) {
                for (name, count) in self.parsed(&text.text).items {
                    let most = batch.entry(name).or_default();
                    *most = count.max(*most);
                }
            }
            for (name, count) in batch {
                *told.entry(name).or_default() += count;
            }
        }
        for (name, count) in &told {
            let begun = self.in_flight.iter().filter(|flying| *flying == name).count() as u64;
            let most = self.recorded.get(name).copied().unwrap_or(0) + begun;
            if *count > most {
                return Err(format!("{name} was told {count} times of {most}"));
            }
        }
        if stats.waiting != 0 {
            return Err(format!("{} events never told", stats.waiting));
        }
        let known = u64::from(stats.lost - stats.lost_unreported);
        if !(lost_told..=lost_told + lost_perhaps).contains(&known) {
            return Err(format!("texts told {lost_told} (+ {lost_perhaps}) lost, {stats:?}"));
        }
        let sum = accounted + u64::from(stats.lost);
        let most = self.total() + self.in_flight.len() as u64 + self.in_flight_anonymous;
        let least = self.sure.values().sum::<u64>() + self.sure_anonymous;
        if sum + perhaps < least || sum > most {
            return Err(format!(
                "{accounted} (+ {perhaps}) delivered and {} lost of {least} to {most} recorded",
                stats.lost
            ));
        }
        Ok(())
    }

    fn check_deaf(&self, stats: &Stats) -> Result<(), String> {
        let mut told: BTreeMap<String, u64> = BTreeMap::new();
        let mut nameless = u64::from(stats.lost);
        for text in self.texts.iter().filter(|text| text.arrived) {
            let parsed = self.parsed(&text.text);
            nameless += parsed.nameless;
            nameless += parsed.unconfirmed.iter().map(|(_, events)| events).sum::<u64>();
            for (name, count) in parsed.items {
                *told.entry(name).or_default() += count;
            }
        }
        if stats.waiting != 0 {
            return Err(format!("{} events never told", stats.waiting));
        }
        let missing = |(name, count): (&String, &u64)| {
            count.saturating_sub(told.get(name).copied().unwrap_or(0))
        };
        let missing: u64 = self.sure.iter().map(missing).sum();
        match self.grouped || missing <= nameless {
            true => Ok(()),
            false => Err(format!("{missing} events vanished, {nameless} are counted")),
        }
    }

    /// The tellings of one batch.
    fn check_batch(&self, reference: &str, texts: &[&Text]) -> Result<(), String> {
        let mut doubtful = false;
        let mut first: Option<(&Text, Parsed)> = None;
        let mut arrived = 0;
        for text in texts {
            // Storage does not know whether a noted attempt left: it may be marked though it did
            // not.
            if doubtful != text.repeat && (doubtful || !self.powerless) {
                return Err(format!("{reference}: repeat is {}, not {doubtful}", text.repeat));
            }
            doubtful |= matches!(text.answer, Answer::Unknown | Answer::Unheard);
            arrived += u32::from(text.arrived);
            let parsed = self.parsed(&text.text);
            match &first {
                // What certainly was not sent binds nothing, though storage may not know that.
                None if matches!(text.answer, Answer::NotSent | Answer::Refused) => {}
                None => first = Some((text, parsed)),
                Some((before, first)) => {
                    for (name, count) in &parsed.items {
                        let same = first.items.iter().any(|(n, c)| n == name && c >= count);
                        // What was evicted while the first was written is there again if that
                        // was not committed.
                        let back = before.recorded.get(name).is_some_and(|most| most >= count);
                        if text.repeat && !same && !(self.powerless && back) {
                            return Err(format!("{reference}: the repeat has {name} anew"));
                        }
                    }
                }
            }
        }
        if arrived > 2 {
            return Err(format!("{reference} was told {arrived} times"));
        }
        Ok(())
    }
}
