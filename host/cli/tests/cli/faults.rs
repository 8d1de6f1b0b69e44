//! Enrolling an app while requests and answers are lost: whatever fails, no device and no secret is left behind, or it is said which.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use crate::enrol::Iam;
use crate::harness::{Ran, finish, send};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It never arrives.
    Before,
    /// It arrives, and its answer does not.
    After,
    /// It arrives, and another answer comes: that the server failed.
    Broken,
    /// It never arrives, and the server is said to have failed.
    Unavailable,
}

const FAULTS: [Fault; 4] = [Fault::Before, Fault::After, Fault::Broken, Fault::Unavailable];

/// A proxy that passes requests on, but for some.
struct Proxy {
    url: String,
    requests: Arc<AtomicU32>,
}

impl Proxy {
    /// `judge` is told the number of each request, from 1.
    fn new(judge: impl Fn(u32) -> Option<Fault> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicU32::new(0));
        let counter = requests.clone();
        // One at a time, as they come; it ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &counter, &judge);
            }
        });
        Self { url, requests }
    }

    fn enrol(&self, iam: &Iam) -> Ran {
        iam.run_with(&self.variables(), &ENROL)
    }

    fn variables(&self) -> [(&str, &str); 2] {
        [("ALL_PROXY", &self.url), ("NO_PROXY", "")]
    }

    fn count(&self) -> u32 {
        self.requests.load(Ordering::SeqCst)
    }
}

fn serve(mut client: TcpStream, counter: &AtomicU32, judge: &impl Fn(u32) -> Option<Fault>) {
    let connect = message(&mut client);
    // What is not asked so is no request for a tunnel, and a fault of the test.
    let line = String::from_utf8_lossy(&connect);
    let target = line.strip_prefix("CONNECT ").and_then(|rest| rest.split_once(' ')).unwrap().0;
    let target: SocketAddr = target.parse().unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let request = message(&mut client);
    if request.is_empty() {
        return;
    }
    let fault = judge(counter.fetch_add(1, Ordering::SeqCst) + 1);
    let mut answer = Vec::new();
    if !matches!(fault, Some(Fault::Before | Fault::Unavailable)) {
        let mut server = TcpStream::connect(target).unwrap();
        server.write_all(&request).unwrap();
        answer = message(&mut server);
    }
    match fault {
        None => client.write_all(&answer).unwrap(),
        Some(Fault::Before | Fault::After) => {}
        Some(Fault::Broken | Fault::Unavailable) => {
            client.write_all(b"HTTP/1.1 503 Unavailable\r\ncontent-length: 4\r\n\r\nbusy").unwrap();
        }
    }
}

/// A request or an answer: its head, and as much as that says.
fn message(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return bytes;
        }
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.map_or(0, |length| length.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    bytes.extend(body);
    bytes
}

const ENROL: [&str; 5] = ["iam", "enrol", "phone", "--totp", "--no-passphrase"];
/// How many requests enrolling takes.
const REQUESTS: u32 = 4;

#[test]
fn a_proxy_that_loses_nothing_changes_nothing() {
    let iam = Iam::new();
    let proxy = Proxy::new(|_| None);
    proxy.enrol(&iam).ok();
    assert_eq!(proxy.count(), REQUESTS);
}

#[test]
fn whatever_request_or_answer_is_lost_nothing_is_left_behind() {
    for number in 1..=REQUESTS {
        for fault in FAULTS {
            let iam = Iam::new();
            let proxy = Proxy::new(move |request| (request == number).then_some(fault));
            let ran = proxy.enrol(&iam);
            // What was lost before the first step that changes anything is asked for again, or told.
            let may_succeed =
                number == 2 || (number == REQUESTS && matches!(fault, Fault::After | Fault::Broken));
            if ran.code == Some(0) {
                assert!(may_succeed, "{number} {fault:?} {ran:?}");
                assert_eq!((iam.serials().len(), iam.kept()), (1, 1), "{number} {fault:?}");
                continue;
            }
            ran.failed(1, "other");
            assert!(!may_succeed, "{number} {fault:?} {ran:?}");
            assert_eq!((iam.serials().len(), iam.kept()), (0, 0), "{number} {fault:?}");
            if number > 2 {
                assert!(ran.stderr.contains("nothing was left behind"), "{number} {fault:?} {ran:?}");
            }
            // A device that was left, assigned or not, would be in the way.
            iam.enrol("phone").ok();
        }
    }
}

#[test]
fn where_nothing_answers_any_more_it_is_said_what_is_left_and_how_it_is_removed() {
    for number in 3..=REQUESTS {
        for fault in FAULTS {
            let iam = Iam::new();
            let proxy = Proxy::new(move |request| (request >= number).then_some(fault));
            let ran = proxy.enrol(&iam);
            let error = ran.failed(1, "other");
            let message = error["message"].as_str().unwrap();
            let serial = iam.serial("phone");
            let removal = format!("`keywright iam devices remove {serial} --user Administrator` removes it");
            assert!(message.contains(&removal), "{number} {fault:?} {message}");
            // The secret of a device that may be in use stays, and that is said too.
            let name = format!("phone@{}", iam.member("account"));
            let forget = format!("`keywright totp remove {name}` removes that");
            assert_eq!(message.contains(&forget), number == REQUESTS, "{number} {fault:?} {message}");
            assert_eq!(iam.kept(), usize::from(number == REQUESTS), "{number} {fault:?}");
            // What is said does it. There may have been nothing to remove.
            iam.run(&["iam", "devices", "remove", &serial, "--user", "Administrator", "--yes"]);
            if iam.kept() == 1 {
                iam.run(&["totp", "remove", &name, "--yes"]).ok();
            }
            iam.enrol("phone").ok();
        }
    }
}

#[test]
fn a_secret_that_cannot_be_kept_leaves_no_device() {
    let iam = Iam::new();
    let store = iam.folder.path("totp");
    let gone = store.clone();
    let proxy = Proxy::new(move |request| {
        if request == 3 {
            fs::write(&gone, b"no accounts").unwrap();
        }
        None
    });
    let ran = proxy.enrol(&iam);
    ran.failed(2, "usage");
    assert!(ran.stderr.contains("damaged") && ran.stderr.contains("nothing was left behind"), "{ran:?}");
    fs::remove_file(&store).unwrap();
    iam.enrol("phone").ok();
}

#[test]
fn a_device_that_is_there_already_is_left_alone() {
    let iam = Iam::new();
    // Its answer is lost and nobody answers any more: a device that nobody uses is there now.
    Proxy::new(|request| (request >= 3).then_some(Fault::After)).enrol(&iam).failed(1, "other");
    let proxy = Proxy::new(|_| None);
    let error = proxy.enrol(&iam).failed(2, "usage");
    assert!(error["message"].as_str().unwrap().contains("already"), "{error}");
    assert_eq!(proxy.count(), 2, "nothing was asked to be changed");
}

#[test]
fn ctrl_c_leaves_all_or_nothing() {
    for number in 2..=REQUESTS {
        let iam = Iam::new();
        let (held, is_held) = channel();
        let (go, may_go) = channel::<()>();
        let proxy = Proxy::new(move |request| {
            if request == number {
                held.send(()).unwrap();
                may_go.recv().unwrap();
            }
            None
        });
        let child = iam.begin_with(&proxy.variables(), &ENROL);
        is_held.recv().unwrap();
        send("INT", child.id());
        go.send(()).unwrap();
        let ran = finish(child);
        // It is heeded between two steps, and the last one may have been under way.
        if ran.code == Some(0) {
            assert_eq!((iam.serials().len(), iam.kept()), (1, 1), "{number}");
        } else {
            ran.failed(4, "user");
            assert!(ran.stderr.contains("nothing was left behind"), "{number} {ran:?}");
            assert_eq!(iam.kept(), 0, "{number}");
            iam.enrol("phone").ok();
        }
    }
}

#[test]
fn what_is_in_the_clear_leaves_this_machine_by_no_proxy() {
    let iam = Iam::new();
    // Of a network that is there for documents alone (RFC 5737).
    let elsewhere = [("ALL_PROXY", "http://192.0.2.1:3128"), ("NO_PROXY", "")];
    iam.run_with(&elsewhere, &["iam", "devices", "list"]).ok();
}
