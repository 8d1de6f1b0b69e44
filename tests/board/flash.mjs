// A serial NOR flash (W25Q16JV, typical times) behind the SSI of the RP2040.
//
// What a real one would not forgive is written down in `violations`: tests expect none.

export const SIZE = 2 << 20;
const ERASE_NS = { 0x20: 45e6, 0xd8: 150e6 };
const PROGRAM_NS = 0.4e6;
const SUSPEND_NS = 20e3;

const op = { program: 0x02, read: 0x03, disable: 0x04, status: 0x05, enable: 0x06, status2: 0x35, sector: 0x20, id: 0x4b, suspend: 0x75, resume: 0x7a, jedec: 0x9f, block: 0xd8 };

export class NorFlash {
  constructor(bytes, clock) {
    this.bytes = bytes;
    this.clock = clock;
    this.isSelected = false;
    this.sent = [];
    this.writeEnabled = false;
    this.busyUntil = 0;
    this.erasing = null; // { until, suspended: ns left or null, from, to }
    this.violations = [];
    this.counts = { erase: 0, program: 0 };
    this.onOperation = null; // (kind, address, bytes or size) before it takes effect; may throw to cut the power
  }

  isBusy() { return this.clock.nanos < this.busyUntil; }
  isSuspended() { return this.erasing?.suspended != null; }

  select(isSelected) {
    if (isSelected && !this.isSelected) this.sent = [];
    if (!isSelected && this.isSelected) this.commit();
    this.isSelected = isSelected;
  }

  // One byte in, one byte out.
  shift(byte) {
    const at = this.sent.push(byte) - 1, code = this.sent[0];
    if (at === 0) {
      if (this.isBusy() && ![op.status, op.status2, op.suspend].includes(code)) this.violations.push(`command ${code.toString(16)} while busy`);
      if (code === op.enable) this.writeEnabled = true;
      if (code === op.disable) this.writeEnabled = false;
      return 0xff;
    }
    switch (code) {
      case op.status: return (this.writeEnabled ? 2 : 0) | (this.isBusy() ? 1 : 0);
      case op.status2: return 2 | (this.isSuspended() ? 0x80 : 0);
      case op.jedec: return [0xef, 0x40, 0x15][at - 1] ?? 0;
      case op.id: return at > 4 ? 0xa0 + at : 0xff;
      case op.read: return at >= 4 ? this.read(this.address() + at - 4) : 0xff;
      default: return 0xff;
    }
  }

  address() { return ((this.sent[1] << 16) | (this.sent[2] << 8) | this.sent[3]) & (SIZE - 1); }

  read(at) {
    if (this.isBusy()) return 0xff;
    if (this.isSuspended() && at >= this.erasing.from && at < this.erasing.to) this.violations.push(`read of ${at.toString(16)} in a suspended erase`);
    return this.bytes[at & (SIZE - 1)];
  }

  commit() {
    const code = this.sent[0], length = this.sent.length;
    if ((code === op.sector || code === op.block) && length >= 4) this.erase(code);
    else if (code === op.program && length > 4) this.program();
    else if (code === op.suspend && this.erasing && this.clock.nanos < this.erasing.until && !this.isSuspended()) {
      this.erasing.suspended = this.erasing.until - this.clock.nanos;
      this.busyUntil = this.clock.nanos + SUSPEND_NS;
    } else if (code === op.resume && this.isSuspended()) {
      this.erasing.until = this.busyUntil = this.clock.nanos + this.erasing.suspended;
      this.erasing.suspended = null;
    }
    this.sent = [];
  }

  isAllowed(what) {
    const allowed = this.writeEnabled && !this.isBusy();
    if (!allowed) this.violations.push(`${what} without write enable, or while busy`);
    this.writeEnabled = false;
    return allowed;
  }

  erase(code) {
    if (!this.isAllowed('erase')) return;
    if (this.isSuspended()) { this.violations.push('erase in a suspended erase'); return; }
    const size = code === op.sector ? 4096 : 65536, from = this.address() & ~(size - 1);
    this.onOperation?.('erase', from, size);
    this.bytes.fill(0xff, from, from + size);
    this.counts.erase++;
    this.busyUntil = this.clock.nanos + ERASE_NS[code];
    this.erasing = { until: this.busyUntil, suspended: null, from, to: from + size };
  }

  program() {
    if (!this.isAllowed('program')) return;
    const at = this.address(), data = Uint8Array.from(this.sent.slice(4, 260));
    if (this.isSuspended() && at >= this.erasing.from && at < this.erasing.to) { this.violations.push('program in a suspended sector'); return; }
    this.onOperation?.('program', at, data);
    data.forEach((byte, i) => { this.bytes[(at & ~255) | ((at + i) & 255)] &= byte; });
    this.counts.program++;
    this.busyUntil = this.clock.nanos + PROGRAM_NS;
  }
}
