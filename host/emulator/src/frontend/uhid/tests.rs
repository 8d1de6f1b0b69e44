//! The kernel's end of the device file, played over a pair of datagram sockets.

use std::net::Shutdown;
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::*;

impl Node for UnixDatagram {
    fn read(&self, message: &mut [u8]) -> io::Result<usize> {
        self.recv(message)
    }

    fn write(&self, message: &[u8]) -> io::Result<()> {
        self.send(message).map(|_| ())
    }
}

/// A port whose device file is a socket, and the kernel's end of it.
struct Kernel {
    socket: UnixDatagram,
    inputs: Receiver<Input>,
    link: Box<dyn Link>,
    id: u64,
    /// The device's own end, to break it.
    device: UnixDatagram,
}

impl Kernel {
    /// A key that is plugged in.
    fn new() -> Self {
        let (socket, device) = UnixDatagram::pair().unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        let (inputs, waiting) = sync_channel(256);
        let shared = Shared::new(inputs);
        device.set_nonblocking(true).unwrap();
        let node: Arc<dyn Node> = Arc::new(device.try_clone().unwrap());
        let port = Port { open: Box::new(move || Ok(Arc::clone(&node))), place: "x/0".into(), shared };
        let (id, link) = port.plug().unwrap();
        let mut kernel = Self { socket, inputs: waiting, link, id, device };
        assert_eq!(kernel.next(), event::create2("x/0"));
        kernel
    }

    /// The next message of the device.
    fn next(&mut self) -> Vec<u8> {
        let mut message = vec![0; MAX_EVENT + 1];
        let length = self.socket.recv(&mut message).expect("a message within the time");
        message.truncate(length);
        message
    }

    /// Sends an event with its body, as long as the kernel's structure.
    fn event(&self, number: u32, body: &[u8]) {
        let mut message = number.to_ne_bytes().to_vec();
        message.extend(body);
        message.resize(MAX_EVENT, 0);
        self.socket.send(&message).unwrap();
    }

    fn output(&self, data: &[u8]) {
        let mut body = data.to_vec();
        body.resize(4096, 0);
        body.extend(u16::try_from(data.len()).unwrap().to_ne_bytes());
        body.push(1);
        self.event(6, &body);
    }

    fn set_report(&self, id: u32, kind: u8, data: &[u8]) {
        let mut body = id.to_ne_bytes().to_vec();
        body.extend([0, kind]);
        body.extend(u16::try_from(data.len()).unwrap().to_ne_bytes());
        body.extend(data);
        self.event(13, &body);
    }

    /// The next report that reached the key.
    fn taken(&self) -> Report {
        match self.inputs.recv_timeout(TIMEOUT).expect("a report within the time") {
            Input::Report { from, report } => {
                assert_eq!(from, Peer::Connection(self.id));
                report
            }
            _ => panic!("no report"),
        }
    }
}

const TIMEOUT: Duration = Duration::from_secs(20);

#[test]
fn reports_reach_the_key_with_and_without_their_number() {
    let kernel = Kernel::new();
    kernel.output(&[5; 64]);
    let mut numbered = [6; 65];
    numbered[0] = 0;
    kernel.output(&numbered);
    assert_eq!(kernel.taken(), [5; 64]);
    assert_eq!(kernel.taken(), [6; 64]);
}

#[test]
fn output_that_is_no_report_is_passed_over() {
    let kernel = Kernel::new();
    for length in [0, 1, 63, 66, 4096] {
        kernel.output(&vec![9; length]);
    }
    kernel.output(&[1; 65]);
    kernel.output(&[7; 64]);
    assert_eq!(kernel.taken(), [7; 64]);
}

#[test]
fn events_about_programs_and_unknown_ones_change_nothing() {
    let kernel = Kernel::new();
    for number in [2, 4, 5, 4, 3, 2, 0, 7, 8, 15, 9999] {
        kernel.event(number, &[0xff; 64]);
    }
    kernel.output(&[7; 64]);
    assert_eq!(kernel.taken(), [7; 64]);
}

#[test]
fn malformed_messages_are_passed_over() {
    let kernel = Kernel::new();
    for length in [1, 3, 4, 10, 4096] {
        let mut message = vec![0xff; length];
        message[0] = 6;
        message.iter_mut().take(4).skip(1).for_each(|byte| *byte = 0);
        kernel.socket.send(&message).unwrap();
    }
    kernel.output(&[7; 64]);
    assert_eq!(kernel.taken(), [7; 64]);
}

#[test]
fn a_burst_as_long_as_a_message_arrives_whole_and_in_order() {
    let kernel = Kernel::new();
    let sender = kernel.socket.try_clone().unwrap();
    let writer = thread::spawn(move || {
        for number in 0..129 {
            let mut body = vec![number; 64];
            body.resize(4096, 0);
            body.extend(64_u16.to_ne_bytes());
            body.push(1);
            sender.send(&[6_u32.to_ne_bytes().as_slice(), &body].concat()).unwrap();
        }
    });
    for number in 0..129 {
        assert_eq!(kernel.taken(), [number; 64]);
    }
    writer.join().unwrap();
}

#[test]
fn reports_of_the_key_reach_the_host_in_order() {
    let mut kernel = Kernel::new();
    for number in 0..100 {
        assert_eq!(kernel.link.send(&[number; 64]), Ok(()));
    }
    for number in 0..100 {
        assert_eq!(kernel.next(), event::input2(&[number; 64]));
    }
}

#[test]
fn a_host_that_fetches_nothing_loses_reports_and_not_the_key() {
    let kernel = Kernel::new();
    for _ in 0..10_000 {
        assert_eq!(kernel.link.send(&[1; 64]), Ok(()));
    }
    kernel.output(&[7; 64]);
    assert_eq!(kernel.taken(), [7; 64]);
}

#[test]
fn a_report_is_set_only_if_it_is_one_for_the_key() {
    let mut kernel = Kernel::new();
    kernel.set_report(1, 1, &[8; 64]);
    assert_eq!(kernel.next(), event::answer_set_report(1, true));
    assert_eq!(kernel.taken(), [8; 64]);
    for (id, kind, length) in [(2, 0, 64), (3, 2, 64), (4, 1, 63), (5, 1, 0), (6, 1, 100)] {
        kernel.set_report(id, kind, &vec![8; length]);
        assert_eq!(kernel.next(), event::answer_set_report(id, false));
    }
    kernel.output(&[7; 64]);
    assert_eq!(kernel.taken(), [7; 64], "none of the refused ones came");
}

#[test]
fn a_report_cannot_be_fetched_and_the_program_is_told_at_once() {
    let mut kernel = Kernel::new();
    kernel.event(9, &33_u32.to_ne_bytes());
    assert_eq!(kernel.next(), event::refuse_get_report(33));
}

#[test]
fn a_key_that_is_unplugged_says_so_and_its_threads_end() {
    let mut kernel = Kernel::new();
    kernel.link.close();
    assert_eq!(kernel.next(), event::destroy());
    drop(kernel.link);
    // All senders of inputs were in the port and the reader.
    assert!(matches!(
        kernel.inputs.recv_timeout(TIMEOUT),
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected)
    ));
}

#[test]
fn a_device_file_that_cannot_be_read_any_more_stops_the_key() {
    let kernel = Kernel::new();
    kernel.device.shutdown(Shutdown::Both).unwrap();
    assert!(matches!(kernel.inputs.recv_timeout(TIMEOUT), Ok(Input::Broken(Error::Uhid { .. }))));
}

#[test]
fn a_device_file_that_cannot_be_opened_is_an_error_at_the_start() {
    let (inputs, _waiting) = sync_channel(1);
    let open = Box::new(|| Err(ErrorKind::PermissionDenied.into()));
    let port = Port { open, place: String::new(), shared: Shared::new(inputs) };
    let Err(Error::Uhid { source: error }) = port.plug().map(|_| ()) else { panic!("it was opened") };
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}
