//! Cuts the parts of an answer out of a stream of bytes, one at a time.
//!
//! An answer is one JSON object whose member `messages` lists an object for each part. The scanner
//! reads byte by byte, holds one part, and hands it on in a normal form that is small and easy to
//! read: the members we know, all values as ASCII strings, no white space. So a bare number reads
//! like a quoted one, Latin-1 and UTF-8 alike become `?`, and nothing nested is left for a parser
//! to recurse into. It does not recurse itself: in what is skipped it counts brackets.
//!
//! ```text
//!               {              "messages":[             {              }
//!  Outside ─────────────► Top ─────────────► List ────────────► Entry ───┐
//!     │                   ▲ │ ▲               │ ▲                        │
//!     │ anything else     │ │ └───────────────┘ └────────────────────────┘
//!     ▼                   │ │ }        ]                  hands the part on
//!  Broken ◄── a structural error anywhere        (within each: Expect)
//! ```
//!
//! After `Broken` nothing more is read; the parts before it stand.

/// Bytes of the longest part in normal form, names and values of all known members included.
const CAPACITY: usize = 512;
/// Bytes of a name that is looked at; longer ones are not known.
const NAME_MAX: usize = 20;

/// A member that is kept: its name, how long its value may be (escapes included), and whether a
/// longer value is cut (text) or dropped (what would be wrong if cut).
struct Known {
    name: &'static [u8],
    max: usize,
    cut: bool,
}

/// The members of a part that are kept.
const PART: [Known; 5] = [
    Known { name: b"status", max: 8, cut: false },
    Known { name: b"error-text", max: 240, cut: true },
    Known { name: b"message-id", max: 48, cut: false },
    Known { name: b"message-price", max: 24, cut: false },
    Known { name: b"remaining-balance", max: 24, cut: false },
];

/// Where the status stands in [`PART`].
const STATUS: u8 = 0;

/// Members of the outermost object in which error pages of the service say what is wrong.
const REMARKS: [Known; 3] = [
    Known { name: b"error-code-label", max: 240, cut: true },
    Known { name: b"title", max: 240, cut: true },
    Known { name: b"detail", max: 240, cut: true },
];

// Every known member fits once, and a name to look at beside them all: a status is never squeezed
// out by what came before it.
const _: () = {
    let (mut total, mut at) = (2, 0);
    while at < PART.len() {
        total += PART[at].name.len() + PART[at].max + "\"\":\"\",".len();
        at += 1;
    }
    assert!(total + ",\"\":\"".len() + NAME_MAX <= CAPACITY);
};

/// What the scanner found.
pub(super) enum Found<'a> {
    /// One element of `messages`: a flat object of strings.
    Part(&'a [u8]),
    /// An element of `messages` that is no object, or one with two statuses.
    NoPart,
    /// A text beside the parts that may explain an error: the inside of a JSON string.
    Remark(&'a [u8]),
}

/// See the [module](self). Most fields are one small number: where in the nested text it stands.
#[derive(Debug, Clone)]
pub(super) struct Scanner {
    place: Place,
    expect: Expect,
    token: Token,
    /// The member that is being read is kept: its index in the table of its place.
    known: Option<u8>,
    /// Bits of the members that this part already has; the first of a name counts.
    kept: u8,
    /// This part has two statuses: nobody knows which one is meant.
    ambiguous: bool,
    /// The member that is being read is the list of parts.
    is_list: bool,
    /// The value that is being read has outgrown its room.
    outgrown: bool,
    /// A list of parts has been read to its end.
    closed: bool,
    /// The part in normal form so far; in other places, the member that is being read.
    buf: [u8; CAPACITY],
    len: usize,
    /// Where in `buf` the member, and its value, begin.
    member: usize,
    value: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    Top,
    List,
    Entry,
    Done,
    Broken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    NameOrEnd,
    Name,
    Colon,
    Value,
    ValueOrEnd,
    CommaOrEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// Between tokens.
    None,
    /// In a string: a name or a value.
    Text { is_name: bool, escaped: bool },
    /// In a number, `true`, `false`, `null` or something like it.
    Bare,
    /// In a nested value that is skipped, so many brackets deep.
    Nested { depth: u16, in_text: bool, escaped: bool },
}

impl Scanner {
    pub(super) const fn new() -> Scanner {
        Scanner {
            place: Place::Outside,
            expect: Expect::Value,
            token: Token::None,
            known: None,
            kept: 0,
            ambiguous: false,
            is_list: false,
            outgrown: false,
            closed: false,
            buf: [0; CAPACITY],
            len: 0,
            member: 0,
            value: 0,
        }
    }

    /// Whether a list of parts has been read to its end.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Reads on; calls `found` for everything that is complete by then.
    pub(super) fn push(&mut self, bytes: &[u8], found: &mut dyn FnMut(Found<'_>)) {
        for &byte in bytes {
            if matches!(self.place, Place::Done | Place::Broken) {
                return;
            }
            match self.token {
                Token::None => self.structure(byte, found),
                Token::Text { is_name, escaped } => self.text(byte, is_name, escaped, found),
                Token::Bare => match byte {
                    b' ' | b'\n' | b'\r' | b'\t' | b',' | b'}' | b']' => {
                        self.end_value(true, found);
                        self.structure(byte, found);
                    }
                    _ => self.bare(byte),
                },
                Token::Nested { depth, in_text, escaped } => {
                    self.nested(byte, depth, in_text, escaped, found);
                }
            }
        }
    }

    /// A byte between tokens.
    fn structure(&mut self, byte: u8, found: &mut dyn FnMut(Found<'_>)) {
        use Expect as E;
        if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            return;
        }
        match (self.place, self.expect, byte) {
            (Place::Outside, _, b'{') => self.enter(Place::Top, E::NameOrEnd),
            // A byte order mark.
            (Place::Outside, _, 0xEF | 0xBB | 0xBF) => {}

            (Place::Top | Place::Entry, E::NameOrEnd | E::Name, b'"') => self.begin_name(),
            (Place::Top | Place::Entry, E::Colon, b':') => self.expect = E::Value,
            (Place::Top | Place::Entry, E::CommaOrEnd, b',') => self.expect = E::Name,
            (Place::Top, E::NameOrEnd | E::CommaOrEnd, b'}') => self.place = Place::Done,
            (Place::Entry, E::NameOrEnd | E::CommaOrEnd, b'}') => {
                self.append(b'}');
                let part = self.buf.get(..self.len).filter(|_| !self.ambiguous);
                found(part.map_or(Found::NoPart, Found::Part));
                self.enter(Place::List, E::CommaOrEnd);
            }

            (Place::List, E::CommaOrEnd, b',') => self.expect = E::Value,
            (Place::List, E::ValueOrEnd | E::CommaOrEnd, b']') => {
                self.closed = true;
                self.enter(Place::Top, E::CommaOrEnd);
            }
            (Place::List, E::ValueOrEnd | E::Value, b'{') => {
                self.enter(Place::Entry, E::NameOrEnd);
                self.append(b'{');
            }
            (Place::Top, E::Value, b'[') if self.is_list => {
                self.closed = false;
                self.enter(Place::List, E::ValueOrEnd);
            }
            (Place::Top | Place::Entry | Place::List, E::Value | E::ValueOrEnd, _) => match byte {
                b'"' => self.token = Token::Text { is_name: false, escaped: false },
                b'{' | b'[' => {
                    self.token = Token::Nested { depth: 1, in_text: false, escaped: false };
                }
                _ => self.bare(byte),
            },
            _ => self.place = Place::Broken,
        }
    }

    /// A byte of a value without quotes.
    fn bare(&mut self, byte: u8) {
        if matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'+' | b'-' | b'.') {
            self.token = Token::Bare;
            self.put(byte);
        } else {
            self.token = Token::None;
            self.place = Place::Broken;
        }
    }

    /// A byte inside a name or a value in quotes.
    fn text(&mut self, byte: u8, is_name: bool, escaped: bool, found: &mut dyn FnMut(Found<'_>)) {
        if escaped {
            // Both bytes of an escape or none, so that a cut leaves no lone backslash.
            if self.room() >= 2 {
                self.put(b'\\');
                self.put(plain(byte));
            } else {
                self.outgrown = true;
            }
            self.token = Token::Text { is_name, escaped: false };
            return;
        }
        match byte {
            b'\\' => self.token = Token::Text { is_name, escaped: true },
            b'"' if is_name => self.end_name(),
            b'"' => self.end_value(false, found),
            _ => self.put(plain(byte)),
        }
    }

    /// A byte inside a nested value.
    fn nested(
        &mut self,
        byte: u8,
        depth: u16,
        in_text: bool,
        escaped: bool,
        found: &mut dyn FnMut(Found<'_>),
    ) {
        let (depth, in_text, escaped) = match byte {
            _ if escaped => (Some(depth), true, false),
            b'\\' if in_text => (Some(depth), true, true),
            b'"' => (Some(depth), !in_text, false),
            b'{' | b'[' if !in_text => (depth.checked_add(1), false, false),
            b'}' | b']' if !in_text => (depth.checked_sub(1), false, false),
            _ => (Some(depth), in_text, false),
        };
        match depth {
            Some(0) => {
                self.known = None;
                self.end_value(true, found);
            }
            Some(depth) => self.token = Token::Nested { depth, in_text, escaped },
            None => (self.token, self.place) = (Token::None, Place::Broken),
        }
    }

    fn enter(&mut self, place: Place, expect: Expect) {
        (self.place, self.expect, self.len) = (place, expect, 0);
        (self.known, self.kept) = (None, 0);
        (self.is_list, self.outgrown, self.ambiguous) = (false, false, false);
    }

    fn begin_name(&mut self) {
        if self.place == Place::Top {
            self.len = 0;
        }
        self.member = self.len;
        self.known = None;
        self.outgrown = false;
        if self.len > 1 {
            self.append(b',');
        }
        self.append(b'"');
        self.value = self.len;
        self.token = Token::Text { is_name: true, escaped: false };
    }

    fn end_name(&mut self) {
        let name = self.buf.get(self.value..self.len).unwrap_or(&[]);
        let table: &[Known] = if self.place == Place::Entry { &PART } else { &REMARKS };
        let whole = !self.outgrown;
        let at = table.iter().position(|known| whole && known.name == name);
        self.is_list = whole && self.place == Place::Top && name == b"messages";
        let at = at.map(|at| at as u8);
        self.known = at.filter(|at| self.kept >> at & 1 == 0);
        self.ambiguous |= at == Some(STATUS) && self.known.is_none();
        self.token = Token::None;
        self.expect = Expect::Colon;
        self.outgrown = false;
        for byte in *b"\":\"" {
            self.append(byte);
        }
        self.value = self.len;
    }

    /// The end of a value: keep its member, or take it back.
    fn end_value(&mut self, bare: bool, found: &mut dyn FnMut(Found<'_>)) {
        self.token = Token::None;
        self.expect = Expect::CommaOrEnd;
        if self.place == Place::List {
            self.len = 0;
            found(Found::NoPart);
            return;
        }
        let value = self.buf.get(self.value..self.len).unwrap_or(&[]);
        let cut = self.limits().is_some_and(|known| known.cut);
        let is_null = bare && value == b"null";
        if self.known.is_none() || is_null || (self.outgrown && !cut) {
            self.len = self.member;
        } else if self.place == Place::Top {
            found(Found::Remark(value));
            self.len = 0;
        } else {
            self.append(b'"');
            self.kept |= self.known.map_or(0, |at| 1 << at);
        }
    }

    /// The row of the table for the member that is being read.
    fn limits(&self) -> Option<&'static Known> {
        let table: &[Known] = if self.place == Place::Entry { &PART } else { &REMARKS };
        table.get(usize::from(self.known?))
    }

    /// How many more bytes the name or value that is being read may take.
    fn room(&self) -> usize {
        let max = match self.token {
            Token::Text { is_name: true, .. } => NAME_MAX,
            _ => self.limits().map_or(0, |known| known.max),
        };
        let end = self.value.saturating_add(max);
        if self.outgrown { 0 } else { end.saturating_sub(self.len) }
    }

    /// Appends a byte of a name or value if there is room.
    fn put(&mut self, byte: u8) {
        if self.room() == 0 {
            self.outgrown = true;
        } else {
            self.append(byte);
        }
    }

    /// Appends a byte. There is always one left: see the assertion at `CAPACITY`.
    fn append(&mut self, byte: u8) {
        if let Some(slot) = self.buf.get_mut(self.len) {
            *slot = byte;
            self.len += 1;
        }
    }
}

/// What stands for a byte of a name or value in the normal form: printable ASCII.
const fn plain(byte: u8) -> u8 {
    match byte {
        b'\n' | b'\r' | b'\t' => b' ',
        0x20..=0x7E => byte,
        _ => b'?',
    }
}
