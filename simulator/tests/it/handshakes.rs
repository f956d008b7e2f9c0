//! Every way that TLS can be good or bad.

use crate::client::{Client, FORM, PATIENCE, send};
use annunciator_simulator::{Certificate, Simulator, Tls};
use rustls::ProtocolVersion::{TLSv1_2, TLSv1_3};
use rustls::version::{TLS12, TLS13};
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn both_names_and_both_versions_are_good() {
    let sim = Simulator::start().unwrap();
    let ca = sim.ca_pem();
    for name in ["localhost", "127.0.0.1"] {
        for (version, want) in [(&TLS12, TLSv1_2), (&TLS13, TLSv1_3)] {
            let mut client = Client::connect_to(&sim, name, &ca, &[version]).unwrap();
            assert_eq!(client.version(), Some(want));
            client.send(FORM).unwrap();
        }
    }
    sim.assert_clean();
    assert!(sim.requests().iter().all(|request| request.secure));
    assert_eq!((sim.counts().handshakes, sim.counts().failed_handshakes), (4, 0));
}

#[test]
fn the_named_url_is_the_same_port() {
    let sim = Simulator::start().unwrap();
    let port = sim.address().port();
    assert_eq!(sim.url(), format!("https://127.0.0.1:{port}/sms/json"));
    assert_eq!(sim.named_url(), format!("https://localhost:{port}/sms/json"));
}

#[test]
fn bad_certificates_are_bad_in_their_own_way() {
    let table = [
        (Certificate::Expired, "expired", "CertificateExpired"),
        (Certificate::NotYetValid, "not valid yet", "CertificateExpired"),
        (Certificate::WrongHost, "not valid for name", "BadCertificate"),
        (Certificate::OtherAuthority, "BadSignature", "DecryptError"),
    ];
    for (kind, client_says, server_hears) in table {
        let sim = Simulator::builder().certificate(kind).start().unwrap();
        let error = send(&sim, FORM).unwrap_err().to_string();
        assert!(error.contains(client_says), "{kind:?}: {error}");
        assert!(sim.wait_until(PATIENCE, |counts| counts.failed_handshakes == 1));
        assert!(sim.requests().is_empty());
        let trouble = sim.troubles().concat();
        assert!(trouble.contains(server_hears), "{kind:?}: {trouble}");

        sim.set_certificate(Certificate::Good);
        send(&sim, FORM).unwrap();
        sim.assert_clean();
    }
}

#[test]
fn the_authority_of_another_simulator_is_not_trusted() {
    let (one, other) = (Simulator::start().unwrap(), Simulator::start().unwrap());
    let result = Client::connect_to(&one, "localhost", &other.ca_pem(), &[&TLS13]);
    assert!(result.is_err());
    assert!(one.wait_until(PATIENCE, |counts| counts.failed_handshakes == 1));
}

#[test]
fn single_versions_are_kept_to() {
    for (tls, good, bad) in [(Tls::Only12, &TLS12, &TLS13), (Tls::Only13, &TLS13, &TLS12)] {
        let sim = Simulator::builder().tls(tls).start().unwrap();
        let ca = sim.ca_pem();
        assert!(Client::connect_to(&sim, "localhost", &ca, &[bad]).is_err());
        Client::connect_to(&sim, "localhost", &ca, &[good]).unwrap().send(FORM).unwrap();
    }
}

#[test]
fn old_servers_are_refused_by_the_client() {
    for (tls, words) in [(Tls::Old, "peer is incompatible"), (Tls::OldAlert, "ProtocolVersion")] {
        let sim = Simulator::builder().tls(tls).start().unwrap();
        let error = send(&sim, FORM).unwrap_err().to_string();
        assert!(error.contains(words), "{tls:?}: {error}");
        assert_eq!(sim.counts().failed_handshakes, 1);
        sim.set_tls(Tls::Modern);
        send(&sim, FORM).unwrap();
    }
}

#[test]
fn the_old_hello_is_a_well_formed_one() {
    let sim = Simulator::builder().tls(Tls::Old).start().unwrap();
    let mut socket = TcpStream::connect(sim.address()).unwrap();
    socket.write_all(b"\x16\x03\x01").unwrap();
    let mut record = [0; 5];
    socket.read_exact(&mut record).unwrap();
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    assert_eq!(record[..3], [22, 3, 1], "a handshake record of TLS 1.0");
    let mut hello = vec![0; length];
    socket.read_exact(&mut hello).unwrap();
    assert_eq!(hello[0], 2, "server_hello");
    assert_eq!(usize::from(hello[3]), length - 4);
    assert_eq!(hello[4..6], [3, 1], "version 3.1");
    let session = usize::from(hello[38]);
    assert_eq!(length, 39 + session + 3, "cipher suite and compression end it");
}

#[test]
fn the_authority_is_in_a_private_file_that_goes_with_the_simulator() {
    let sim = Simulator::start().unwrap();
    let path = sim.ca_file().to_owned();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), sim.ca_pem());
    assert!(sim.ca_pem().starts_with("-----BEGIN CERTIFICATE-----"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    drop(sim);
    assert!(!path.exists());
}
