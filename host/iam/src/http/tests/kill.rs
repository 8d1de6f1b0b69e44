//! `kill -9` under load: what was answered is there after the next start, used codes stay used.
//!
//! The server runs in a process of its own, which is this test binary asked for one test alone. What a kill cannot
//! show is a loss of power; for that each transaction is on the disk before it is answered (`synchronous = FULL`).

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
};

use super::{aws::Aws, *};
use crate::testing::Directory;

/// What clients were told is done.
#[derive(Default)]
struct Ledger {
    users: Vec<String>,
    deleted: Vec<String>,
    /// A user and the serial number of a device in use.
    enabled: Vec<(String, String)>,
    /// An access key that got a session token with a code, which is used up.
    used: Vec<(Aws, String, String)>,
}

/// Not a test by itself: the process that is killed.
#[test]
fn the_server_that_is_killed() {
    let Some(directory) = std::env::var_os(DATA) else { return };
    let config = Config { clock: Hands::new().clock(), ..Config::in_directory(directory) };
    Server::serve(config, |running| {
        let mut out = std::io::stdout();
        writeln!(out, "\n{}", serde_json::to_string(running).unwrap()).unwrap();
    })
    .unwrap();
}

#[test]
fn repeated_kills_under_load_lose_no_change_that_was_answered() {
    let directory = Directory::new();
    let data = directory.path().join("data");
    let ledger = Mutex::new(Ledger::default());
    let names = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let (mut child, aws) = start(&data);
        check(&aws, &ledger.lock().unwrap());
        let (done, changes) = channel();
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                let (aws, ledger, names, done) = (&aws, &ledger, &names, done.clone());
                scope.spawn(move || while work(aws, ledger, names, &done).is_some() {});
            }
            // After another number of changes each time; the clients stop when nobody answers.
            assert_eq!(changes.iter().take(10 + 7 * round).count(), 10 + 7 * round);
            child.kill().unwrap();
            child.wait().unwrap();
        });
    }
    let (mut child, aws) = start(&data);
    check(&aws, &ledger.lock().unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    let database = rusqlite::Connection::open(data.join("iam.sqlite")).unwrap();
    let found: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
}

fn start(data: &Path) -> (Child, Aws) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "http::tests::kill::the_server_that_is_killed", "--nocapture"])
        .env(DATA, data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.starts_with('{')).unwrap();
    let running: Value = serde_json::from_str(&line).unwrap();
    let text = |name: &str| running[name].as_str().unwrap().to_owned();
    (child, Aws::new(text("url"), Hands::new(), text("access_key_id"), text("secret_access_key")))
}

/// One client's round of changes; `None` once nobody answers.
fn work(aws: &Aws, ledger: &Mutex<Ledger>, names: &AtomicUsize, done: &Sender<()>) -> Option<()> {
    let enter = |change: &dyn Fn(&mut Ledger)| {
        change(&mut ledger.lock().unwrap());
        done.send(()).unwrap();
    };
    let name = format!("user-{}", names.fetch_add(1, Ordering::SeqCst));
    let user = [("UserName", name.as_str())];
    aws.attempt("CreateUser", &user)?.ok();
    enter(&|ledger| ledger.users.push(name.clone()));
    let key = aws.attempt("CreateAccessKey", &user)?.ok();
    let own = Aws { id: key.value("AccessKeyId"), secret: key.value("SecretAccessKey"), ..aws.clone() };
    let made = own.attempt("CreateVirtualMFADevice", &[("VirtualMFADeviceName", &name)])?.ok().made();
    let now = Hands::new().seconds();
    let members = [
        user[0],
        ("SerialNumber", made.serial.as_str()),
        ("AuthenticationCode1", &code(&made.seed, now - 60)),
        ("AuthenticationCode2", &code(&made.seed, now - 30)),
    ];
    own.attempt("EnableMFADevice", &members)?.ok();
    enter(&|ledger| ledger.enabled.push((name.clone(), made.serial.clone())));
    let code = code(&made.seed, now);
    own.attempt("GetSessionToken", &[("SerialNumber", &made.serial), ("TokenCode", &code)])?.ok();
    enter(&|ledger| ledger.used.push((own.clone(), made.serial.clone(), code.clone())));
    let gone = format!("{name}-gone");
    aws.attempt("CreateUser", &[("UserName", &gone)])?.ok();
    aws.attempt("DeleteUser", &[("UserName", &gone)])?.ok();
    enter(&|ledger| ledger.deleted.push(gone.clone()));
    Some(())
}

/// Everything that was answered is so.
fn check(aws: &Aws, ledger: &Ledger) {
    for name in &ledger.users {
        aws.call("GetUser", &[("UserName", name)]).ok();
    }
    for name in &ledger.deleted {
        aws.call("GetUser", &[("UserName", name)]).refused(404, "NoSuchEntity");
    }
    for (name, serial) in &ledger.enabled {
        assert_eq!(aws.list("ListMFADevices", &[("UserName", name)]), std::slice::from_ref(serial));
    }
    for (own, serial, code) in &ledger.used {
        let own = Aws { url: aws.url.clone(), ..own.clone() };
        let members = [("SerialNumber", serial.as_str()), ("TokenCode", code.as_str())];
        own.call("GetSessionToken", &members).refused(403, "AccessDenied");
    }
}

const DATA: &str = "KEYWRIGHT_IAM_KILLED_DATA";
const ROUNDS: usize = 8;
const CLIENTS: usize = 4;
