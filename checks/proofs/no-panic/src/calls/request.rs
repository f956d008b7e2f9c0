//! The Vonage protocol: any request.

use crate::opaque::{bytes, long, sink, text, word};
use annunciator_core::gsm7::Encoding;
use annunciator_core::time::Duration;
use annunciator_core::transport::{Message, Reference};
#[cfg(feature = "signed")]
use annunciator_core::vonage::Algorithm;
use annunciator_core::vonage::{Auth, Credentials, Number, Options, Request, Sender, check_route};

pub fn all() {
    let mut memory = ([0; 32], [0; 32], [0; 16], [0; 80], [0; 320]);
    let sender = text(&mut memory.0);
    let Ok(to) = Number::parse(text(&mut memory.1)) else { return };
    let from = Sender::parse(sender).unwrap_or(Sender::derived(sender));
    sink(check_route(&from, &to).is_ok());
    let Ok(pair) = Credentials::new(text(&mut memory.2), text(&mut memory.3)) else { return };

    let encoding = if word() == 0 { Encoding::Gsm7 } else { Encoding::Ucs2 };
    let message = text(&mut memory.4);
    let message = Message::new(message, encoding, word() as u8, Reference(word()));
    let auths = [
        Auth::Basic(pair),
        Auth::Body(pair),
        #[cfg(feature = "signed")]
        Auth::Signed(pair, Algorithm::Md5Hash),
        #[cfg(feature = "signed")]
        Auth::Signed(pair, Algorithm::HmacSha256),
    ];
    let mut memory = [0; 64];
    let mut options = Options::default();
    options.reference_prefix = text(&mut memory);
    options.ttl = Some(Duration::from_millis(long()));
    options.message_class = Some(word() as u8);
    options.callback = Some(options.reference_prefix);
    for auth in auths {
        let request = Request::new(&from, &to, auth);
        #[cfg(feature = "signed")]
        let request = request.at(word());
        let request = request.options(options).unwrap_or(request);
        let mut header = [0; Credentials::MAX_BASIC_LEN];
        sink(request.authorization(bytes(&mut header)).is_ok());
        let mut body = [0; 2048];
        let body = bytes(&mut body);
        sink(request.body(&message, body).is_ok());
        sink(body);
    }
}
