// CTAPHID from the host's end, over the emulated USB: enough to ask a key for something and to read what it says.

import { Pico } from './pico.mjs';

export const BROADCAST = 0xffffffff;
export const command = { ping: 0x01, msg: 0x03, lock: 0x04, init: 0x06, wink: 0x08, cbor: 0x10, cancel: 0x11, keepalive: 0x3b, error: 0x3f };

export class Key {
  constructor(pico) { this.pico = pico; this.keepalives = []; this.touches = false; }

  // A board with `options`, running and enumerated, and a channel on it.
  static boot(options) {
    const key = new Key(new Pico(options));
    key.plug();
    return key;
  }

  plug() {
    if (!this.pico.until(() => this.pico.usb.isPulledUp(), 5000)) throw new Error('the key does not attach');
    this.descriptors = this.pico.usb.enumerate();
    this.channel = this.init().channel;
  }

  init(channel = BROADCAST, nonce = Buffer.from('12345678')) {
    const answer = this.transact(command.init, nonce, channel);
    return { nonce: answer.subarray(0, 8), channel: answer.readUInt32BE(8), protocol: answer[12], version: [...answer.subarray(13, 16)], capabilities: answer[16] };
  }

  send(code, payload, channel = this.channel) {
    for (const report of frames(channel, code, payload)) this.pico.usb.send(report);
  }

  // The next whole message on `channel`; keepalives are gathered, and answered with a touch if the user is there.
  receive(channel = this.channel, limitMs = 40000) {
    let message = null, total = 0, code = 0;
    for (;;) {
      const report = this.pico.usb.receive(limitMs);
      if (!report) throw new Error('the key does not answer');
      const view = Buffer.from(report);
      if (view.readUInt32BE(0) !== channel) continue;
      if (view[4] & 0x80) {
        code = view[4] & 0x7f; total = view.readUInt16BE(5); message = view.subarray(7);
        if (code === command.keepalive) { this.keepalive(view[7]); continue; }
      } else message = Buffer.concat([message, view.subarray(5)]);
      if (message.length >= total) return { code, payload: Buffer.from(message.subarray(0, total)) };
    }
  }

  keepalive(status) {
    this.keepalives.push(status);
    if (status === 2 && this.touches && this.lastStatus !== 2) this.pico.press();
    this.lastStatus = status;
  }

  transact(code, payload, channel = this.channel) {
    this.lastStatus = 0;
    this.send(code, payload, channel);
    const answer = this.receive(channel);
    if (answer.code === command.error) throw new Error(`CTAPHID error ${answer.payload[0]}`);
    if (answer.code !== code) throw new Error(`answer ${answer.code} to ${code}`);
    return answer.payload;
  }

  // A CTAP2 command: the status and what follows it, in milliseconds of simulated time.
  cbor(code, parameters) {
    const answer = this.transact(command.cbor, Buffer.concat([Buffer.from([code]), parameters === undefined ? Buffer.alloc(0) : encode(parameters)]));
    return { status: answer[0], body: answer.length > 1 ? decode(answer.subarray(1)) : undefined };
  }
}

export function frames(channel, code, payload) {
  const first = Buffer.alloc(64), reports = [first];
  first.writeUInt32BE(channel, 0); first[4] = code | 0x80; first.writeUInt16BE(payload.length, 5);
  Buffer.from(payload).copy(first, 7, 0, 57);
  for (let at = 57, sequence = 0; at < payload.length; at += 59, sequence++) {
    const report = Buffer.alloc(64);
    report.writeUInt32BE(channel, 0); report[4] = sequence;
    Buffer.from(payload).copy(report, 5, at, at + 59);
    reports.push(report);
  }
  return reports;
}

// CBOR as CTAP2 needs it: integers, byte and text strings, arrays, maps (as Map), booleans.
export function encode(value) {
  const head = (major, n) => n < 24 ? Buffer.from([major << 5 | n]) : n < 256 ? Buffer.from([major << 5 | 24, n]) : Buffer.from([major << 5 | 25, n >> 8, n & 255]);
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === 'boolean') return Buffer.from([value ? 0xf5 : 0xf4]);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value]);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(encode)]);
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return Buffer.concat([head(5, entries.length), ...entries.flatMap(([key, item]) => [encode(key), encode(item)])]);
}

export function decode(bytes) {
  let at = 0;
  const item = () => {
    const first = bytes[at++], major = first >> 5, small = first & 31;
    if (major === 7) return small === 21 ? true : small === 20 ? false : null;
    let n = small;
    if (small === 24) n = bytes[at++];
    if (small === 25) { n = bytes.readUInt16BE(at); at += 2; }
    if (small === 26) { n = bytes.readUInt32BE(at); at += 4; }
    if (major === 0) return n;
    if (major === 1) return -1 - n;
    if (major === 2 || major === 3) { at += n; const part = bytes.subarray(at - n, at); return major === 2 ? part : part.toString(); }
    if (major === 4) return Array.from({ length: n }, item);
    return new Map(Array.from({ length: n }, () => [item(), item()]));
  };
  return item();
}
