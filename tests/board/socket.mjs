// The emulated board behind a UDP socket on this machine: each datagram of 64 bytes is one report.
//
//   node socket.mjs IMAGE [PORT] [--touch] [--control PATH]
//
// The first line of output is the address. `--touch` is a user who presses the button whenever the key asks. Lines of
// input are hands and the power: `touch`, `power-cycle`, `unplug`, `plug`, `quit`; so are lines on the socket of `--control`.

import { createSocket } from 'node:dgram';
import { Board } from './board.mjs';
import { listenToSocket, listenToTerminal } from './hands.mjs';
import { Key } from './key.mjs';

const [image, ...rest] = process.argv.slice(2);
if (!image) { console.error('node socket.mjs IMAGE [PORT] [--touch] [--control PATH]'); process.exit(2); }
const port = Number(rest.find((word) => /^\d+$/.test(word)) ?? 0);
const control = rest.includes('--control') ? rest[rest.indexOf('--control') + 1] : undefined;

const board = new Board((flash) => Key.boot({ image: flash ? undefined : image, flash }).pico, rest.includes('--touch'));
let host = null, incoming = [];
const socket = createSocket('udp4');
socket.on('message', (report, from) => {
  if (report.length !== 64 || !board.isPlugged) return;
  host = from;
  incoming.push(report);
});
board.onUnplug = () => { incoming = []; };

board.exchange = () => {
  const { usb } = board.pico;
  if (incoming.length && usb.out(1, incoming[0]) === 'ack') incoming.shift();
  for (let report = usb.in(1); report instanceof Uint8Array; report = usb.in(1)) {
    if (host) socket.send(report, host.port, host.address);
    board.watch(report);
  }
  return incoming.length > 0;
};

listenToTerminal(board);
const announce = () => socket.bind(port, '127.0.0.1', () => { console.log(`udp:127.0.0.1:${socket.address().port}`); board.run(); });
if (control) listenToSocket(board, control, announce); else announce();
