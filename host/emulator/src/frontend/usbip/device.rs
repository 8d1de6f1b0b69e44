//! An imported key as a value: commands and reports go in, answers come out.

use std::collections::VecDeque;

use keywright_common::ctaphid::{REPORT_SIZE, Report};

use super::control::{Answer, Control};
use super::descriptors::{ENDPOINT_IN, ENDPOINT_OUT};
use super::wire::{Action, Command, Direction, Transfer, TransferStatus, ret_submit, ret_unlink};

/// The key on the bus of one host.
#[derive(Debug, Default)]
pub(crate) struct Device {
    control: Control,
    /// Interrupt transfers that wait for a report, by their sequence numbers.
    waiting: VecDeque<u32>,
    /// Reports that wait for an interrupt transfer.
    reports: VecDeque<Report>,
    answers: VecDeque<Vec<u8>>,
}

impl Device {
    /// Does what a command asks for; `data` follows it where it goes out. Gives a report of the host, if it was one.
    pub(crate) fn handle(&mut self, command: Command, data: &[u8]) -> Option<Report> {
        let Command { sequence, action, .. } = command;
        match action {
            Action::Submit(transfer) => self.submit(sequence, &transfer, data),
            Action::Unlink(victim) => {
                self.unlink(sequence, victim);
                None
            }
        }
    }

    /// A report for the host. The oldest that nobody fetched makes room where there are too many.
    pub(crate) fn report(&mut self, report: Report) {
        if self.reports.len() >= MAX_REPORTS {
            self.reports.pop_front();
        }
        self.reports.push_back(report);
    }

    /// Whether a report and a transfer are there for each other.
    pub(crate) fn can_deliver(&self) -> bool {
        !self.reports.is_empty() && !self.waiting.is_empty()
    }

    /// Gives the oldest report to the oldest transfer that waits; false if one of them is missing.
    pub(crate) fn deliver(&mut self) -> bool {
        if !self.can_deliver() {
            return false;
        }
        let (Some(sequence), Some(report)) = (self.waiting.pop_front(), self.reports.pop_front()) else {
            return false;
        };
        self.answers.push_back(ret_submit(sequence, TransferStatus::OK, REPORT_SIZE, &report));
        true
    }

    /// The next answer for the host.
    pub(crate) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.answers.pop_front()
    }

    fn submit(&mut self, sequence: u32, transfer: &Transfer, data: &[u8]) -> Option<Report> {
        match (transfer.endpoint, transfer.direction) {
            (0, _) => return self.control(sequence, transfer, data),
            (ENDPOINT_OUT, Direction::Out) if self.control.is_configured() => {
                if let Ok(report) = data.try_into() {
                    self.answers.push_back(ret_submit(sequence, TransferStatus::OK, data.len(), &[]));
                    return Some(report);
                }
                self.stall(sequence);
            }
            (ENDPOINT_IN, Direction::In) if self.control.is_configured() => self.wait(sequence, transfer),
            _ => self.stall(sequence),
        }
        None
    }

    /// An interrupt transfer waits until there is a report: to the host it looks like polling every millisecond.
    fn wait(&mut self, sequence: u32, transfer: &Transfer) {
        let refusal = if transfer.length < REPORT_SIZE {
            TransferStatus::OVERFLOW
        } else if self.waiting.len() >= MAX_WAITING {
            TransferStatus::NO_MEMORY
        } else {
            self.waiting.push_back(sequence);
            return;
        };
        self.answers.push_back(ret_submit(sequence, refusal, 0, &[]));
    }

    fn control(&mut self, sequence: u32, transfer: &Transfer, data: &[u8]) -> Option<Report> {
        let [kind, .., l0, l1] = transfer.setup;
        let direction = if kind & 0x80 == 0 { Direction::Out } else { Direction::In };
        // Without data the direction of a transfer says nothing (USB 2.0 §9.3.1).
        let length = usize::from(u16::from_le_bytes([l0, l1]));
        if length != 0 && (direction != transfer.direction || length != transfer.length) {
            self.stall(sequence);
            return None;
        }
        let answer = self.control.handle(transfer.setup, data);
        let (actual, bytes, report) = match answer {
            Answer::Data(bytes) => (bytes.len(), bytes, None),
            Answer::Done => (data.len(), Vec::new(), None),
            Answer::Configured => {
                self.restart();
                (data.len(), Vec::new(), None)
            }
            Answer::Report(report) => (data.len(), Vec::new(), Some(report)),
            Answer::Stall => {
                self.stall(sequence);
                return None;
            }
        };
        self.answers.push_back(ret_submit(sequence, TransferStatus::OK, actual, &bytes));
        report
    }

    /// A new configuration: what waited on the endpoints of the old one ends.
    fn restart(&mut self) {
        while let Some(sequence) = self.waiting.pop_front() {
            self.stall(sequence);
        }
        self.reports.clear();
    }

    /// A transfer that still waits is unlinked and never answered. One that was answered stays so, which the host
    /// learns from a status of 0: the two answers crossed.
    fn unlink(&mut self, sequence: u32, victim: u32) {
        let found = self.waiting.iter().position(|waiting| *waiting == victim);
        let status = match found.and_then(|at| self.waiting.remove(at)) {
            Some(_) => TransferStatus::UNLINKED,
            None => TransferStatus::OK,
        };
        self.answers.push_back(ret_unlink(sequence, status));
    }

    fn stall(&mut self, sequence: u32) {
        self.answers.push_back(ret_submit(sequence, TransferStatus::STALL, 0, &[]));
    }
}

/// Hosts keep one interrupt transfer waiting, or a few.
const MAX_WAITING: usize = 64;
/// Two of the longest messages.
const MAX_REPORTS: usize = 2 * 129;

#[cfg(test)]
mod tests;
