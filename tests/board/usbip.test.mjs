// The board on USB/IP, as a kernel meets it: list, import, descriptors, a channel; and what is not to be had.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { relative } from 'node:path';
import { after, before, test } from 'node:test';
import { BROADCAST, command, frames } from './key.mjs';

let server, port;
before(async () => {
  // As docs/boards.md has people type it: where the tools are, seen from here.
  const env = { ...process.env, KEYWRIGHT_BOARD_TOOLS: relative('', process.env.KEYWRIGHT_BOARD_TOOLS) };
  server = spawn(process.execPath, [new URL('usbip.mjs', import.meta.url).pathname, process.env.KEYWRIGHT_ELF], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: server.stdout }), 'line');
  port = Number(line.match(/^usbip:127\.0\.0\.1:(\d+)$/)[1]);
});
after(() => server.kill());

// A connection that reads so many bytes at a time; undefined at its end.
class Client {
  constructor() {
    this.socket = connect(port, '127.0.0.1');
    this.bytes = Buffer.alloc(0);
    this.wake = () => {};
    this.isOver = false;
    this.socket.on('data', (more) => { this.bytes = Buffer.concat([this.bytes, more]); this.wake(); });
    for (const end of ['close', 'error']) this.socket.on(end, () => { this.isOver = true; this.wake(); });
  }
  async read(length) {
    while (this.bytes.length < length && !this.isOver) await new Promise((resolve) => { this.wake = resolve; });
    if (this.bytes.length < length) return undefined;
    const part = this.bytes.subarray(0, length);
    this.bytes = this.bytes.subarray(length);
    return part;
  }
  operation(code, busId) {
    const head = Buffer.from([0x01, 0x11, code >> 8, code & 0xff, 0, 0, 0, 0]);
    this.socket.write(busId === undefined ? head : Buffer.concat([head, Buffer.from(busId.padEnd(32, '\0'))]));
  }
  submit(sequence, endpoint, isIn, { setup = Buffer.alloc(8), data = Buffer.alloc(0), length = data.length }) {
    const head = Buffer.alloc(48);
    [1, sequence, 0x00010001, isIn ? 1 : 0, endpoint, 0, length].forEach((word, n) => head.writeUInt32BE(word, 4 * n));
    setup.copy(head, 40);
    this.socket.write(Buffer.concat([head, isIn ? Buffer.alloc(0) : data]));
  }
  async answer(isIn) {
    const head = await this.read(48);
    const answer = { command: head.readUInt32BE(0), sequence: head.readUInt32BE(4), status: head.readInt32BE(20), length: head.readUInt32BE(24) };
    return { ...answer, data: isIn && answer.status === 0 ? await this.read(answer.length) : Buffer.alloc(0) };
  }
  async control(sequence, ...[type, request, value, index, length]) {
    const setup = Buffer.alloc(8);
    setup.writeUInt8(type, 0); setup.writeUInt8(request, 1); setup.writeUInt16LE(value, 2); setup.writeUInt16LE(index, 4); setup.writeUInt16LE(length, 6);
    this.submit(sequence, 0, type >= 0x80, { setup, length });
    return this.answer(type >= 0x80);
  }
}

test('the board is listed with its own numbers, and no other bus id can be imported', async () => {
  const client = new Client();
  client.operation(0x8005);
  const listed = await client.read(8 + 4 + 312 + 4);
  assert.equal(listed.readUInt32BE(8), 1);
  assert.equal(listed.toString('latin1', 12 + 256, 12 + 259), '1-1');
  assert.deepEqual([listed.readUInt16BE(12 + 300), listed.readUInt16BE(12 + 302)], [0x1209, 0x0001]);
  assert.equal(listed[324], 3, 'its interface is HID');
  const other = new Client();
  other.operation(0x8003, '2-1');
  assert.equal((await other.read(8)).readUInt32BE(4), 1);
  assert.equal(await other.read(1), undefined);
});

test('who speaks another version or nonsense is hung up on, and the next is served', async () => {
  for (const bytes of [Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.from([0x01, 0x06, 0x80, 0x05, 0, 0, 0, 0]), Buffer.from([0x01, 0x11, 0x77, 0x77, 0, 0, 0, 0])]) {
    const client = new Client();
    client.socket.write(bytes);
    assert.equal(await client.read(1), undefined);
  }
});

test('a host that imports it reads the descriptors of the image and opens a channel; a second host is refused', async () => {
  const client = new Client();
  client.operation(0x8003, '1-1');
  assert.equal((await client.read(8 + 312)).readUInt32BE(4), 0);
  const second = new Client();
  second.operation(0x8003, '1-1');
  assert.equal((await second.read(8)).readUInt32BE(4), 1);

  const device = await client.control(1, 0x80, 6, 0x0100, 0, 18);
  assert.deepEqual([device.command, device.sequence, device.status, device.data.readUInt16LE(8)], [3, 1, 0, 0x1209]);
  assert.equal((await client.control(2, 0x80, 6, 0x0900, 0, 64)).status, -32, 'what it does not have stalls');
  assert.equal((await client.control(3, 0x00, 9, 1, 0, 0)).status, 0);

  client.submit(4, 1, true, { length: 64 });
  client.submit(5, 1, false, { data: frames(BROADCAST, command.init, Buffer.from('12345678'))[0] });
  const answers = [await client.answer(false)];
  assert.deepEqual([answers[0].sequence, answers[0].status, answers[0].length], [5, 0, 64]);
  const opened = await client.answer(true);
  assert.deepEqual([opened.sequence, opened.data.toString('latin1', 7, 15)], [4, '12345678']);

  // What waits can be taken back, and then is not answered.
  client.submit(6, 1, true, { length: 64 });
  const unlink = Buffer.alloc(48);
  [2, 7, 0x00010001, 1, 1, 6].forEach((word, n) => unlink.writeUInt32BE(word, 4 * n));
  client.socket.write(unlink);
  const undone = await client.answer(false);
  assert.deepEqual([undone.command, undone.sequence, undone.status], [4, 7, -104]);
  client.socket.destroy();
});
