// A board that others meet over a socket: it runs in the time of the clock on the wall, and hands act on it.

import { command } from './key.mjs';

// One frame of USB.
const SLICE_NS = 1e6;
const SLICES_A_TURN = 20;
// How much later than the clock on the wall the board may be before it gives up to catch up: the emulation is slower
// than the chip while that computes.
const LATENESS_MS = 100;

export class Board {
  // `start`: gives a Pico that runs, from what is on its flash or from nothing. `touches`: a user who presses the button
  // whenever the key asks for it.
  constructor(start, touches) {
    this.start = start;
    this.touches = touches;
    this.exchange = () => false;
    this.isPlugged = false;
    this.onUnplug = () => {};
    this.plug();
  }

  plug() {
    if (this.isPlugged) return false;
    this.pico = this.start(this.pico?.contents());
    this.isPlugged = true;
    this.pressed = -1e9;
    this.beginPace();
    return true;
  }

  unplug() {
    const wasPlugged = this.isPlugged;
    this.isPlugged = false;
    if (wasPlugged) this.onUnplug();
    return wasPlugged;
  }

  // Power off and on: what is on the flash stays.
  cyclePower() {
    const wasPlugged = this.isPlugged;
    this.isPlugged = false;
    this.plug();
    return wasPlugged;
  }

  touch() {
    if (this.isPlugged) this.pico.press();
    return this.isPlugged;
  }

  // What a report to the host says of the key's wishes.
  watch(report) {
    const isKeepalive = report[4] === (command.keepalive | 0x80);
    // U2F does not wait: it answers that presence is wanted (SW_CONDITIONS_NOT_SATISFIED), and is asked again.
    const isU2f = report[4] === (command.msg | 0x80) && report[6] === 2 && report[7] === 0x69 && report[8] === 0x85;
    const isAsking = isU2f || (isKeepalive && report[7] === 2);
    // Again after a while: U2F's check-only looks the same as a wish for presence, and takes no touch.
    if (isAsking && this.touches && this.pico.now() > this.pressed + 700e6) { this.touch(); this.pressed = this.pico.now(); }
  }

  beginPace() { this.began = performance.now(); this.simulated = this.pico.now(); }

  // For ever: a millisecond of the board, then what `exchange` moves between it and its host; true if there is more.
  run() {
    let isBusy = false;
    for (let slices = 0; slices < SLICES_A_TURN && this.isPlugged; slices++) {
      isBusy = this.exchange();
      if (this.isPlugged) this.pico.run(SLICE_NS);
    }
    const ahead = (this.pico.now() - this.simulated) / 1e6 - (performance.now() - this.began);
    if (ahead < -LATENESS_MS || !this.isPlugged) this.beginPace();
    // Time may pass faster than the clock on the wall while the board has nothing to do, but not by more than a turn.
    setTimeout(() => this.run(), isBusy ? 0 : Math.max(0, this.isPlugged ? ahead : 10));
  }
}
