//! Coming, going, and going away for good.

use crate::client::{BASIC, Client, FORM, PATIENCE, request, send};
use annunciator_simulator::{Answer, Simulator};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

#[test]
fn connections_are_kept_alive_and_counted() {
    let sim = Simulator::start().unwrap();
    let mut client = Client::connect(&sim).unwrap();
    for _ in 0..3 {
        client.send(FORM).unwrap();
    }
    let counts = sim.counts();
    assert_eq!((counts.connections, counts.handshakes, counts.requests), (1, 1, 3));
    send(&sim, FORM).unwrap();
    let connections: Vec<_> = sim.requests().iter().map(|r| r.connection).collect();
    assert_eq!(connections, [1, 1, 1, 2]);
}

#[test]
fn a_client_that_asks_for_it_is_let_go() {
    let sim = Simulator::start().unwrap();
    let mut client = Client::connect(&sim).unwrap();
    let response = client.exchange(&request(FORM, &[BASIC, "Connection: close"])).unwrap();
    assert_eq!(response.header("connection"), Some("close"));
    assert_eq!(client.read(&mut [0; 16]).unwrap(), 0);
}

#[test]
fn an_outage_refuses_connections_and_ends_on_the_same_port() {
    let sim = Simulator::start().unwrap();
    let mut client = Client::connect(&sim).unwrap();
    client.send(FORM).unwrap();
    for round in 0..3 {
        sim.stop();
        sim.stop();
        let error = TcpStream::connect(sim.address()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(client.send(FORM).is_err(), "the old connection is cut");
        sim.restart().unwrap();
        sim.restart().unwrap();
        client = Client::connect(&sim).unwrap();
        client.send(FORM).unwrap();
        assert_eq!(sim.requests().len(), round + 2, "the record stays");
    }
}

#[test]
#[cfg(unix)]
fn nobody_gets_the_port_during_an_outage() {
    let sim = Simulator::start().unwrap();
    sim.stop();
    let stranger = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let error = stranger.unwrap().bind(&sim.address().into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn an_idle_connection_can_be_closed_under_the_client() {
    let sim = Simulator::start().unwrap();
    let mut client = Client::connect(&sim).unwrap();
    client.send(FORM).unwrap();
    sim.disconnect();
    assert!(client.send(FORM).is_err());
    send(&sim, FORM).unwrap();
    assert_eq!(sim.messages().len(), 2);
}

#[test]
fn a_paused_service_is_a_black_hole_and_then_catches_up() {
    let sim = Simulator::builder().plain().start().unwrap();
    sim.pause_accepting();
    let mut client = Client::connect(&sim).unwrap();
    client.set_patience(Duration::from_millis(200));
    let error = client.send(FORM).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert_eq!(sim.counts().connections, 0);
    sim.resume_accepting();
    client.set_patience(PATIENCE);
    assert_eq!(client.response().unwrap().status, 200);
}

/// Fails instead of hanging if dropping does.
fn drop_in_time(sim: Simulator) {
    let (done, gone) = mpsc::channel();
    thread::spawn(move || {
        drop(sim);
        done.send(()).unwrap();
    });
    gone.recv_timeout(PATIENCE).expect("the drop ends");
}

#[test]
fn dropping_ends_whatever_goes_on() {
    let long = Duration::from_secs(600);
    let answers = [
        Answer::hang(),
        Answer::hang_in_handshake(),
        Answer::accepted().after(long),
        Answer::accepted().drip(long),
        Answer::reset_mid_answer().after(long),
    ];
    for answer in answers {
        let sim = Simulator::start().unwrap();
        let early = answer == Answer::hang_in_handshake();
        sim.script([answer]);
        let address = sim.address();
        let client = if early {
            let socket = TcpStream::connect(address).unwrap();
            assert!(sim.wait_until(PATIENCE, |counts| counts.failed_handshakes == 1));
            Client::Plain(socket)
        } else {
            let mut client = Client::connect(&sim).unwrap();
            client.write(&request(FORM, &[BASIC])).unwrap();
            assert!(sim.wait_for(1, PATIENCE));
            client
        };
        drop_in_time(sim);
        assert!(TcpStream::connect(address).is_err());
        drop(client);
    }
}

#[test]
fn dropping_does_not_wait_for_idle_silent_or_paused_peers() {
    let sim = Simulator::start().unwrap();
    let _silent = TcpStream::connect(sim.address()).unwrap();
    let _idle = Client::connect(&sim).unwrap();
    let mut half = Client::connect(&sim).unwrap();
    half.write(b"POST /sms/json HT").unwrap();
    sim.pause_accepting();
    let _waiting = TcpStream::connect(sim.address()).unwrap();
    drop_in_time(sim);
}

#[test]
fn waiting_ends_by_its_time_or_by_the_request() {
    let sim = Simulator::start().unwrap();
    assert!(sim.wait_for(0, Duration::ZERO));
    assert!(!sim.wait_for(1, Duration::from_millis(20)));
    thread::scope(|scope| {
        let waiter = scope.spawn(|| sim.wait_for_messages(1, PATIENCE));
        send(&sim, FORM).unwrap();
        assert!(waiter.join().unwrap());
    });
}

#[test]
fn clients_at_the_same_time_are_all_served() {
    let sim = Simulator::start().unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = Client::connect(&sim).unwrap();
                for _ in 0..5 {
                    client.send(FORM).unwrap();
                }
            });
        }
    });
    assert_eq!(sim.messages().len(), 40);
    let mut ids: Vec<_> = sim.messages().into_iter().flat_map(|r| r.message_ids).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 40);
}
