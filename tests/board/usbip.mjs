// The emulated board on USB/IP: whoever attaches it speaks to the image itself, descriptors and control requests included.
//
//   node usbip.mjs IMAGE [PORT] [--touch] [--control PATH]
//
// The first line of output is the address; the board has the bus id 1-1. To attach it is to plug it in. The server is for
// this machine alone: it listens on loopback.

import { createServer } from 'node:net';
import { Board } from './board.mjs';
import { listenToSocket, listenToTerminal } from './hands.mjs';
import { Pico } from './pico.mjs';

const VERSION = 0x0111, BUS_ID = '1-1', FULL_SPEED = 2;
const REQUEST_LIST = 0x8005, REPLY_LIST = 0x0005, REQUEST_IMPORT = 0x8003, REPLY_IMPORT = 0x0003;
const SUBMIT = 1, UNLINK = 2, SUBMITTED = 3, UNLINKED = 4;
const DEVICE_ID = 0x00010001, HEADER = 48, LONGEST_TRANSFER = 4096;
const PIPE_BROKEN = -32, UNLINK_DONE = -104;
const ADDRESS = 7;

const [image, ...rest] = process.argv.slice(2);
if (!image) { console.error('node usbip.mjs IMAGE [PORT] [--touch] [--control PATH]'); process.exit(2); }
const port = Number(rest.find((word) => /^\d+$/.test(word)) ?? 0);
const control = rest.includes('--control') ? rest[rest.indexOf('--control') + 1] : undefined;

// A board that has just been plugged in, as the controller of a host leaves it to the host's system.
function start(flash) {
  const pico = new Pico({ image: flash ? undefined : image, flash });
  if (!pico.until(() => pico.usb.isPulledUp(), 5000)) throw new Error('the key does not attach');
  pico.usb.reset();
  pico.usb.control(0x00, 5, ADDRESS, 0, 0);
  return pico;
}

const board = new Board(start, rest.includes('--touch'));
let session = null;
board.onUnplug = () => session?.socket.destroy();

// What `usbip list` shows, from the image's own descriptors.
function description() {
  const { usb } = board.pico, device = usb.control(0x80, 6, 0x0100, 0, 18), configuration = usb.control(0x80, 6, 0x0200, 0, 255);
  const bytes = Buffer.alloc(312);
  bytes.write('/keywright/board', 0);
  bytes.write(BUS_ID, 256);
  bytes.writeUInt32BE(1, 288); bytes.writeUInt32BE(1, 292); bytes.writeUInt32BE(FULL_SPEED, 296);
  for (const [from, to] of [[8, 300], [10, 302], [12, 304]]) bytes.writeUInt16BE(device.readUInt16LE(from), to);
  device.copy(bytes, 306, 4, 7);
  bytes[309] = configuration[5]; bytes[310] = device[17]; bytes[311] = configuration[4];
  const interface_ = Buffer.from([configuration[14], configuration[15], configuration[16], 0]);
  return { bytes, interface_ };
}

function reply(code, status, body = Buffer.alloc(0)) {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(VERSION, 0); head.writeUInt16BE(code, 2); head.writeUInt32BE(status, 4);
  return Buffer.concat([head, body]);
}

// What a client asks for before it has imported the device: the bytes that were used, 0 if there are too few.
function operation(client, bytes) {
  if (bytes.length < 8) return 0;
  const code = bytes.readUInt16BE(2);
  if (bytes.readUInt16BE(0) !== VERSION) return client.socket.destroy(), 0;
  if (code === REQUEST_LIST) {
    const { bytes: device, interface_ } = description();
    client.socket.end(reply(REPLY_LIST, 0, Buffer.concat([Buffer.from([0, 0, 0, 1]), device, interface_])));
    return 8;
  }
  if (code !== REQUEST_IMPORT) return client.socket.destroy(), 0;
  if (bytes.length < 40) return 0;
  const name = bytes.toString('latin1', 8, bytes.indexOf(0, 8));
  if (name !== BUS_ID || session || !board.isPlugged) { client.socket.end(reply(REPLY_IMPORT, 1)); return 40; }
  board.cyclePower();
  session = client;
  client.socket.write(reply(REPLY_IMPORT, 0, description().bytes));
  return 40;
}

function answer(client, command, sequence, status, data = Buffer.alloc(0), length = data.length) {
  const head = Buffer.alloc(HEADER);
  head.writeUInt32BE(command, 0); head.writeUInt32BE(sequence, 4); head.writeInt32BE(status, 20); head.writeUInt32BE(length, 24);
  client.socket.write(Buffer.concat([head, data]));
}

// A command for the device that is imported.
function transfer(client, bytes) {
  if (bytes.length < HEADER) return 0;
  const [command, sequence, device, direction, endpoint, , length] = [0, 4, 8, 12, 16, 20, 24].map((at) => bytes.readUInt32BE(at));
  if (command === UNLINK) {
    const victim = bytes.readUInt32BE(20), before = client.waiting.length;
    client.waiting = client.waiting.filter((one) => one.sequence !== victim);
    answer(client, UNLINKED, sequence, client.waiting.length < before ? UNLINK_DONE : 0);
    return HEADER;
  }
  if (command !== SUBMIT || device !== DEVICE_ID || length > LONGEST_TRANSFER) return client.socket.destroy(), 0;
  const used = HEADER + (direction === 0 ? length : 0);
  if (bytes.length < used) return 0;
  const data = Buffer.from(bytes.subarray(HEADER, used));
  if (endpoint === 0) controlTransfer(client, sequence, bytes.subarray(40, 48), data);
  else client.waiting.push({ sequence, endpoint, isIn: direction === 1, data });
  return used;
}

function controlTransfer(client, sequence, setup, data) {
  let result = 'stall';
  try {
    result = board.pico.usb.control(setup[0], setup[1], setup.readUInt16LE(2), setup.readUInt16LE(4), setup.readUInt16LE(6), data);
  } catch { /* It answered nothing in time, which a host sees as a stall. */ }
  if (result === 'stall') return answer(client, SUBMITTED, sequence, PIPE_BROKEN);
  return setup[0] & 0x80 ? answer(client, SUBMITTED, sequence, 0, result) : answer(client, SUBMITTED, sequence, 0, undefined, data.length);
}

// One token for each transfer that waits for its endpoint, in order.
board.exchange = () => {
  if (!session) return false;
  const served = new Set();
  for (const one of [...session.waiting]) {
    const pipe = `${one.endpoint}${one.isIn}`;
    if (served.has(pipe)) continue;
    served.add(pipe);
    const result = one.endpoint !== 1 ? 'stall' : one.isIn ? board.pico.usb.in(1) : board.pico.usb.out(1, one.data);
    if (result === 'nak') continue;
    session.waiting = session.waiting.filter((other) => other !== one);
    if (result === 'stall') answer(session, SUBMITTED, one.sequence, PIPE_BROKEN);
    else if (one.isIn) { answer(session, SUBMITTED, one.sequence, 0, Buffer.from(result)); board.watch(result); } else answer(session, SUBMITTED, one.sequence, 0, undefined, one.data.length);
  }
  return session?.waiting.some((one) => !one.isIn) ?? false;
};

const server = createServer((socket) => {
  const client = { socket, waiting: [] };
  let bytes = Buffer.alloc(0);
  const leave = () => { if (session === client) session = null; };
  socket.setNoDelay(true).on('error', () => socket.destroy()).on('close', leave);
  socket.on('data', (more) => {
    bytes = Buffer.concat([bytes, more]);
    for (;;) {
      const used = session === client ? transfer(client, bytes) : operation(client, bytes);
      if (!used || socket.destroyed) break;
      bytes = bytes.subarray(used);
    }
  });
});

listenToTerminal(board);
const announce = () => server.listen(port, '127.0.0.1', () => { console.log(`usbip:127.0.0.1:${server.address().port}`); board.run(); });
if (control) listenToSocket(board, control, announce); else announce();
