//! Transfers that wait, are answered, and are unlinked.

use super::*;

/// A sequence number and the answer that it got: what kind, which status, how many bytes, which data.
type Told = (u32, u32, i32, usize, Vec<u8>);

const RET_SUBMIT: u32 = 3;
const RET_UNLINK: u32 = 4;

fn transfer(endpoint: u32, direction: Direction, length: usize) -> Action {
    Action::Submit(Transfer { endpoint, direction, length, setup: [0; 8] })
}

fn interrupt() -> Action {
    transfer(1, Direction::In, 64)
}

fn do_to(device: &mut Device, sequence: u32, action: Action, data: &[u8]) -> Option<Report> {
    device.handle(Command { sequence, device: 1, action }, data)
}

fn control(device: &mut Device, sequence: u32, setup: [u8; 8], data: &[u8]) -> Option<Report> {
    let length = usize::from(u16::from_le_bytes([setup[6], setup[7]]));
    let direction = if setup[0] & 0x80 == 0 { Direction::Out } else { Direction::In };
    do_to(device, sequence, Action::Submit(Transfer { endpoint: 0, direction, length, setup }), data)
}

fn configured() -> Device {
    let mut device = Device::default();
    assert_eq!(control(&mut device, 1, [0, 9, 1, 0, 0, 0, 0, 0], &[]), None);
    assert_eq!(told(&mut device), [(1, RET_SUBMIT, 0, 0, vec![])]);
    device
}

fn told(device: &mut Device) -> Vec<Told> {
    let word = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    std::iter::from_fn(|| device.poll_transmit())
        .map(|bytes| {
            let status = word(&bytes, 20).cast_signed();
            (word(&bytes, 4), word(&bytes, 0), status, word(&bytes, 24) as usize, bytes[48..].to_vec())
        })
        .collect()
}

#[test]
fn an_interrupt_transfer_waits_for_its_report() {
    let mut device = configured();
    do_to(&mut device, 2, interrupt(), &[]);
    assert!(!device.deliver());
    assert_eq!(told(&mut device), []);
    device.report([7; 64]);
    assert!(device.deliver());
    assert_eq!(told(&mut device), [(2, RET_SUBMIT, 0, 64, vec![7; 64])]);
}

#[test]
fn a_report_waits_for_its_interrupt_transfer() {
    let mut device = configured();
    device.report([7; 64]);
    assert!(!device.deliver());
    do_to(&mut device, 2, interrupt(), &[]);
    assert!(device.deliver());
    assert_eq!(told(&mut device), [(2, RET_SUBMIT, 0, 64, vec![7; 64])]);
}

#[test]
fn reports_and_transfers_meet_in_order() {
    let mut device = configured();
    for sequence in 2..5 {
        do_to(&mut device, sequence, interrupt(), &[]);
    }
    for report in 2..5 {
        device.report([report; 64]);
    }
    while device.deliver() {}
    let answers = told(&mut device);
    assert!(answers.iter().all(|(sequence, .., data)| data == &[sequence.to_be_bytes()[3]; 64]));
    assert_eq!(answers.len(), 3);
}

#[test]
fn an_unlinked_transfer_is_answered_once_and_its_report_stays() {
    let mut device = configured();
    do_to(&mut device, 2, interrupt(), &[]);
    do_to(&mut device, 3, Action::Unlink(2), &[]);
    assert_eq!(told(&mut device), [(3, RET_UNLINK, -104, 0, vec![])]);
    device.report([7; 64]);
    assert!(!device.deliver(), "nobody waits any more");
    do_to(&mut device, 4, interrupt(), &[]);
    assert!(device.deliver());
    assert_eq!(told(&mut device), [(4, RET_SUBMIT, 0, 64, vec![7; 64])]);
}

#[test]
fn an_unlink_that_comes_too_late_says_so() {
    let mut device = configured();
    do_to(&mut device, 2, interrupt(), &[]);
    device.report([7; 64]);
    assert!(device.deliver());
    do_to(&mut device, 3, Action::Unlink(2), &[]);
    let answers = told(&mut device);
    assert_eq!(answers[0], (2, RET_SUBMIT, 0, 64, vec![7; 64]));
    assert_eq!(answers[1], (3, RET_UNLINK, 0, 0, vec![]));
}

#[test]
fn an_unlink_of_what_never_was_or_twice_changes_nothing() {
    let mut device = configured();
    do_to(&mut device, 2, interrupt(), &[]);
    for (sequence, victim) in [(3, 99), (4, 3), (5, 5)] {
        do_to(&mut device, sequence, Action::Unlink(victim), &[]);
        assert_eq!(told(&mut device), [(sequence, RET_UNLINK, 0, 0, vec![])]);
    }
    do_to(&mut device, 6, Action::Unlink(2), &[]);
    do_to(&mut device, 7, Action::Unlink(2), &[]);
    let statuses: Vec<_> = told(&mut device).into_iter().map(|(_, _, status, ..)| status).collect();
    assert_eq!(statuses, [-104, 0]);
}

#[test]
fn only_the_named_one_of_several_transfers_is_unlinked() {
    let mut device = configured();
    for sequence in [2, 3, 4] {
        do_to(&mut device, sequence, interrupt(), &[]);
    }
    do_to(&mut device, 5, Action::Unlink(3), &[]);
    device.report([1; 64]);
    device.report([2; 64]);
    while device.deliver() {}
    let sequences: Vec<_> = told(&mut device).into_iter().map(|(sequence, ..)| sequence).collect();
    assert_eq!(sequences, [5, 2, 4]);
}

#[test]
fn a_report_of_the_host_goes_to_the_key_and_is_acknowledged() {
    let mut device = configured();
    assert_eq!(do_to(&mut device, 2, transfer(1, Direction::Out, 64), &[5; 64]), Some([5; 64]));
    assert_eq!(told(&mut device), [(2, RET_SUBMIT, 0, 64, vec![])]);
}

#[test]
fn a_report_of_another_length_stalls() {
    let mut device = configured();
    for length in [0, 1, 63, 65, 4096] {
        let taken = do_to(&mut device, 2, transfer(1, Direction::Out, length), &vec![0; length]);
        assert_eq!(taken, None);
        assert_eq!(told(&mut device), [(2, RET_SUBMIT, -32, 0, vec![])], "{length}");
    }
}

#[test]
fn a_transfer_without_room_for_a_report_overflows_and_takes_none() {
    let mut device = configured();
    device.report([7; 64]);
    do_to(&mut device, 2, transfer(1, Direction::In, 63), &[]);
    assert!(!device.deliver());
    assert_eq!(told(&mut device), [(2, RET_SUBMIT, -75, 0, vec![])]);
}

#[test]
fn endpoints_stall_before_the_device_is_configured() {
    let mut device = Device::default();
    assert_eq!(do_to(&mut device, 2, transfer(1, Direction::Out, 64), &[5; 64]), None);
    do_to(&mut device, 3, interrupt(), &[]);
    let answers = told(&mut device);
    assert!(answers.iter().all(|(_, _, status, ..)| *status == -32));
    assert_eq!(answers.len(), 2);
}

#[test]
fn endpoints_that_are_not_there_stall() {
    let mut device = configured();
    for endpoint in [2, 3, 15, 16, u32::MAX] {
        for direction in [Direction::In, Direction::Out] {
            do_to(&mut device, 2, transfer(endpoint, direction, 0), &[]);
            assert_eq!(told(&mut device), [(2, RET_SUBMIT, -32, 0, vec![])], "{endpoint}");
        }
    }
}

#[test]
fn a_new_configuration_ends_what_waits() {
    let mut device = configured();
    do_to(&mut device, 2, interrupt(), &[]);
    control(&mut device, 3, [0, 9, 0, 0, 0, 0, 0, 0], &[]);
    assert_eq!(told(&mut device), [(2, RET_SUBMIT, -32, 0, vec![]), (3, RET_SUBMIT, 0, 0, vec![])]);
}

#[test]
fn a_control_transfer_carries_a_descriptor() {
    let mut device = Device::default();
    control(&mut device, 2, [0x80, 6, 0, 1, 0, 0, 18, 0], &[]);
    let answers = told(&mut device);
    assert_eq!((answers[0].2, answers[0].3, answers[0].4.len()), (0, 18, 18));
}

#[test]
fn a_control_transfer_whose_two_lengths_or_directions_differ_stalls() {
    let mut device = Device::default();
    let setup = [0x80, 6, 0, 1, 0, 0, 18, 0];
    for (direction, length) in [(Direction::In, 17), (Direction::In, 64), (Direction::Out, 18)] {
        let action = Action::Submit(Transfer { endpoint: 0, direction, length, setup });
        do_to(&mut device, 2, action, &[0; 18]);
        assert_eq!(told(&mut device), [(2, RET_SUBMIT, -32, 0, vec![])]);
    }
}

#[test]
fn a_report_over_the_control_pipe_goes_to_the_key() {
    let mut device = configured();
    let report = control(&mut device, 2, [0x21, 9, 0, 2, 0, 0, 64, 0], &[4; 64]);
    assert_eq!(report, Some([4; 64]));
    assert_eq!(told(&mut device), [(2, RET_SUBMIT, 0, 64, vec![])]);
}

#[test]
fn a_flood_of_transfers_is_refused_at_a_bound() {
    let mut device = configured();
    for sequence in 0..1000 {
        do_to(&mut device, sequence, interrupt(), &[]);
    }
    let refused = told(&mut device);
    assert_eq!(refused.len(), 1000 - MAX_WAITING);
    assert!(refused.iter().all(|(_, _, status, ..)| *status == -12));
}

#[test]
fn reports_that_nobody_fetches_do_not_pile_up() {
    let mut device = configured();
    for number in 0..1000_u16 {
        let mut report = [0; 64];
        report[..2].copy_from_slice(&number.to_be_bytes());
        device.report(report);
    }
    do_to(&mut device, 2, interrupt(), &[]);
    assert!(device.deliver());
    let first = u16::try_from(1000 - MAX_REPORTS).unwrap();
    assert_eq!(told(&mut device)[0].4[..2], first.to_be_bytes());
}
