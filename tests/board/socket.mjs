// The emulated board behind a UDP socket on this machine: each datagram of 64 bytes is one report.
//
//   node socket.mjs IMAGE [PORT] [--touch]
//
// The first line of output is the address. `--touch` is a user who presses the button whenever the key asks. Lines of
// input are the user and the power: `touch`, `plug` (power off and on), `quit`.

import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';
import { Key, command } from './key.mjs';

const [image, ...rest] = process.argv.slice(2);
const touches = rest.includes('--touch'), port = Number(rest.find((word) => /^\d+$/.test(word)) ?? 0);
// Time may pass faster than the clock on the wall while the board has nothing to do, but not by more than this.
const SLICE_MS = 1;

let key = Key.boot({ image });
let host = null, pressed = -1e9;
const incoming = [];
const socket = createSocket('udp4');
socket.on('message', (report, from) => {
  if (report.length !== 64) return;
  host = from;
  incoming.push(report);
  pump();
});

// Moves reports both ways and lets the board run, as long as there is anything to do.
let began = performance.now(), simulated = key.pico.now(), isPumping = false;
function pump() {
  if (isPumping) return;
  isPumping = true;
  const turn = () => {
    for (let slices = 0; slices < 20; slices++) {
      if (incoming.length && key.pico.usb.out(1, incoming[0]) === 'ack') incoming.shift();
      key.pico.run(SLICE_MS * 1e6);
      for (let report = key.pico.usb.in(1); report instanceof Uint8Array; report = key.pico.usb.in(1)) {
        if (host) socket.send(report, host.port, host.address);
        watch(report);
      }
    }
    const ahead = (key.pico.now() - simulated) / 1e6 - (performance.now() - began);
    if (ahead < -100) { began = performance.now(); simulated = key.pico.now(); } // the emulator is slower than a board
    setTimeout(turn, incoming.length ? 0 : Math.max(0, ahead));
  };
  turn();
}

function watch(report) {
  const isKeepalive = report[4] === (command.keepalive | 0x80);
  // U2F does not wait: it answers that presence is wanted (SW_CONDITIONS_NOT_SATISFIED), and is asked again.
  const isU2f = report[4] === (command.msg | 0x80) && report[6] === 2 && report[7] === 0x69 && report[8] === 0x85;
  const isAsking = isU2f || (isKeepalive && report[7] === 2);
  // Again after a while: U2F's check-only looks the same as a wish for presence, and takes no touch.
  if (isAsking && touches && key.pico.now() > pressed + 700e6) { key.pico.press(); pressed = key.pico.now(); }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'touch') key.pico.press();
  if (line === 'plug') { pressed = -1e9; key = Key.boot({ flash: key.pico.contents() }); began = performance.now(); simulated = key.pico.now(); }
  if (line === 'quit') process.exit(0);
}).on('close', () => process.exit(0));

socket.bind(port, '127.0.0.1', () => { console.log(`udp:127.0.0.1:${socket.address().port}`); pump(); });
