// The host's end of USB: it acts on the dual-port RAM as the real controller does, token by token.
//
// The package would complete every transfer at once, before a driver has set up the next.

const AVAILABLE = 1 << 10, FULL = 1 << 15, STALL = 1 << 11, DATA1 = 1 << 13, LENGTH = 0x3ff;
const PULL_UP = 1 << 16, BUS_RESET = 1 << 19, SETUP_RECEIVED = 1 << 17;
const FRAME_NS = 1e6;

export class UsbHost {
  constructor(pico) { this.pico = pico; this.naks = 0; this.toggleErrors = 0; }

  attach(chip) {
    this.controller = chip.usbCtrl;
    this.controller.DPRAMUpdated = () => {};
    this.view = chip.usbDPRAMView;
    this.ram = chip.usbDPRAM;
    this.toggles = {};
    this.isConfigured = false;
  }

  isPulledUp() { return !!(this.controller.sieCtrl & PULL_UP); }
  control_(endpoint, isOut) { return 0x80 + endpoint * 8 + (isOut ? 4 : 0); }
  buffer(endpoint, isOut) { return endpoint ? this.view.getUint32(endpoint * 8 + (isOut ? 4 : 0), true) & 0xffc0 : 0x100; }
  isEnabled(endpoint, isOut) { return endpoint === 0 || this.view.getUint32(endpoint * 8 + (isOut ? 4 : 0), true) >>> 31 === 1; }

  reset() {
    this.controller.sieStatus |= BUS_RESET;
    this.controller.sieStatusUpdated();
    this.toggles = {};
    this.isConfigured = false;
    this.pico.run(10e6);
  }

  done(endpoint, isOut) {
    this.controller.buffStatus |= 1 << (endpoint * 2 + (isOut ? 1 : 0));
    this.controller.buffStatusUpdated();
  }

  toggle(key, value) {
    const want = this.toggles[key] ?? 0;
    if ((value & DATA1 ? 1 : 0) !== want) this.toggleErrors++;
    this.toggles[key] = want ^ 1;
  }

  // One IN token: the bytes, 'nak' or 'stall'.
  in(endpoint) {
    const at = this.control_(endpoint, false), value = this.view.getUint32(at, true);
    if (!this.isEnabled(endpoint, false)) return 'nak';
    if (value & STALL) return 'stall';
    if (!(value & AVAILABLE) || !(value & FULL)) { this.naks++; return 'nak'; }
    this.toggle(`${endpoint}in`, value);
    const from = this.buffer(endpoint, false), bytes = this.ram.slice(from, from + (value & LENGTH));
    this.view.setUint32(at, value & ~(AVAILABLE | FULL), true);
    this.done(endpoint, false);
    return bytes;
  }

  // One OUT token: 'ack', 'nak' or 'stall'.
  out(endpoint, bytes) {
    const at = this.control_(endpoint, true), value = this.view.getUint32(at, true);
    if (!this.isEnabled(endpoint, true)) return 'nak';
    if (value & STALL) return 'stall';
    if (!(value & AVAILABLE) || (value & FULL)) { this.naks++; return 'nak'; }
    this.toggle(`${endpoint}out`, value);
    this.ram.set(bytes, this.buffer(endpoint, true));
    this.view.setUint32(at, ((value & ~(AVAILABLE | LENGTH)) | FULL | bytes.length) >>> 0, true);
    this.done(endpoint, true);
    return 'ack';
  }

  until(token, limitMs = 100, stepNs = 20000) {
    const end = this.pico.now() + limitMs * 1e6;
    for (;;) {
      const result = token();
      if (result !== 'nak') return result;
      if (this.pico.now() >= end) throw new Error('USB: nothing but NAK');
      this.pico.run(stepNs);
    }
  }

  control(type, request, value, index, length, data = Buffer.alloc(0)) {
    const setup = Buffer.alloc(8);
    setup.writeUInt8(type, 0); setup.writeUInt8(request, 1); setup.writeUInt16LE(value, 2); setup.writeUInt16LE(index, 4); setup.writeUInt16LE(length, 6);
    // SETUP ends a stall of endpoint 0, and what follows it begins with DATA1.
    for (const isOut of [false, true]) { const at = this.control_(0, isOut); this.view.setUint32(at, this.view.getUint32(at, true) & ~(STALL | AVAILABLE), true); }
    this.toggles['0in'] = this.toggles['0out'] = 1;
    this.ram.set(setup, 0);
    this.controller.sieStatus |= SETUP_RECEIVED;
    this.controller.sieStatusUpdated();
    let received = Buffer.alloc(0), status;
    if (type & 0x80) {
      while (received.length < length) {
        const bytes = this.until(() => this.in(0));
        if (bytes === 'stall') return 'stall';
        received = Buffer.concat([received, bytes]);
        if (bytes.length < 64) break;
      }
      this.toggles['0out'] = 1;
      status = this.until(() => this.out(0, new Uint8Array(0)));
    } else {
      for (let at = 0; at < length; at += 64) if (this.until(() => this.out(0, data.subarray(at, at + 64))) === 'stall') return 'stall';
      this.toggles['0in'] = 1;
      status = this.until(() => this.in(0));
    }
    if (status === 'stall') return 'stall';
    this.pico.run(50000);
    return received;
  }

  // What an operating system does with a new device; its descriptors.
  enumerate() {
    this.reset();
    this.control(0x80, 6, 0x0100, 0, 64);
    this.reset();
    this.control(0x00, 5, 7, 0, 0);
    const device = this.control(0x80, 6, 0x0100, 0, 18), configuration = this.control(0x80, 6, 0x0200, 0, 255);
    const strings = [1, 2, 3].map((n) => this.control(0x80, 6, 0x0300 + n, 0x0409, 255).subarray(2).toString('utf16le'));
    this.control(0x00, 9, 1, 0, 0);
    this.control(0x21, 0x0a, 0, 0, 0); // SET_IDLE
    const report = this.control(0x81, 6, 0x2200, 0, 255);
    this.isConfigured = true;
    return { device, configuration, strings, report };
  }

  // A report to the key, in a frame of its own, as a host controller schedules it.
  send(report) {
    if (this.until(() => this.out(1, report), 5000, FRAME_NS) !== 'ack') throw new Error('USB: the endpoint stalls');
    this.pico.run(FRAME_NS);
  }

  // The next report from the key, polled once a millisecond; null if none came in time.
  receive(limitMs = 5000) {
    const end = this.pico.now() + limitMs * 1e6;
    for (;;) {
      const report = this.in(1);
      if (report === 'stall') throw new Error('USB: the endpoint stalls');
      if (report !== 'nak') return report;
      if (this.pico.now() >= end) return null;
      this.pico.run(FRAME_NS);
    }
  }
}
