// A Raspberry Pi Pico: chip, flash, button, light, and the power that can fail.

import { readFileSync } from 'node:fs';
import { Chip, tools } from './chip.mjs';
import { SIZE } from './flash.mjs';
import { UsbHost } from './usb.mjs';

const CYCLE_NS = 8; // 125 MHz
const BOOTROM = new Uint32Array(readFileSync(`${tools}/bootrom.bin`).buffer.slice(0)).slice(0, 4096);

// What an ELF or UF2 file puts into flash: [[address, bytes]...].
export function load(path) {
  const file = readFileSync(path), parts = [];
  if (file.readUInt32LE(0) === 0x0a324655) {
    for (let at = 0; at < file.length; at += 512) parts.push([file.readUInt32LE(at + 12), file.subarray(at + 32, at + 32 + file.readUInt32LE(at + 16))]);
    return parts;
  }
  if (file.readUInt32BE(0) !== 0x7f454c46) throw new Error(`${path} is neither ELF nor UF2`);
  const start = file.readUInt32LE(28), size = file.readUInt16LE(42), count = file.readUInt16LE(44);
  for (let at = start; at < start + count * size; at += size) {
    const [kind, offset, , place, length] = [0, 4, 8, 12, 16].map((field) => file.readUInt32LE(at + field));
    if (kind === 1 && length) parts.push([place, file.subarray(offset, offset + length)]);
  }
  return parts;
}

// The addresses of the symbols of an ELF file, by their names.
export function symbols(path) { return new Map([...ranges(path)].map(([name, { from }]) => [name, from])); }

// From where to where the symbols of an ELF file reach.
export function ranges(path) {
  const file = readFileSync(path), table = new Map();
  const start = file.readUInt32LE(32), size = file.readUInt16LE(46), count = file.readUInt16LE(48);
  for (let n = 0; n < count; n++) {
    const header = start + n * size;
    if (file.readUInt32LE(header + 4) !== 2) continue; // SHT_SYMTAB
    const [offset, length, link] = [16, 20, 24].map((field) => file.readUInt32LE(header + field));
    const names = file.readUInt32LE(start + link * size + 16);
    for (let at = offset; at < offset + length; at += 16) {
      const name = names + file.readUInt32LE(at);
      const from = file.readUInt32LE(at + 4);
      table.set(file.toString('latin1', name, file.indexOf(0, name)), { from, to: from + file.readUInt32LE(at + 8) });
    }
  }
  return table;
}

// Noise that repeats: a test is the same every time. Not for anything but tests.
export function noise(seed = 1) {
  let state = (seed * 2654435761) >>> 0 || 1;
  return () => { state ^= state << 13; state >>>= 0; state ^= state >>> 17; state ^= state << 5; state >>>= 0; return state & 1; };
}

export class Pico {
  // `flash`: what is on it already. `image`: an ELF or UF2 file that is put over it, sector by sector, as flashing does.
  constructor({ image, flash, noise: source = noise(), flashSpeed }) {
    this.noise = source;
    this.flashSpeed = flashSpeed;
    this.memory = flash ? flash.slice() : new Uint8Array(SIZE).fill(0xff);
    for (const [address, bytes] of image ? load(image) : []) this.memory.set(bytes, address - 0x10000000);
    this.instructions = 0;
    this.resets = 0;
    this.usb = new UsbHost(this);
    this.begin(new Chip({ memory: this.memory, noise: this.noise, powerUp: true, bootrom: BOOTROM, flashSpeed }));
  }

  begin(chip) {
    this.chip = chip;
    this.clock = chip.clock;
    this.usb.attach(chip);
    this.onBegin?.(chip);
  }

  // The watchdog restarts the processor and its peripherals; its own scratch registers and RAM stay.
  restart() {
    const { nor, watchdog, sram, flash } = this.chip;
    const state = { scratch: watchdog.scratchData, reason: watchdog.reason, sram, powerUp: true, bootrom: BOOTROM, noise: this.noise, flashSpeed: this.flashSpeed };
    this.resets++;
    const elapsed = this.clock.nanos;
    const { violations, onOperation } = nor;
    this.begin(new Chip({ ...state, memory: flash.subarray(0, SIZE) }));
    this.chip.nor.violations.push(...violations);
    this.chip.nor.onOperation = onOperation;
    this.before = (this.before ?? 0) + elapsed;
  }

  // Simulated time since the power came, in nanoseconds, over all restarts.
  now() { return (this.before ?? 0) + this.clock.nanos; }

  // The flash as it is now.
  contents() { return this.chip.flash.slice(0, SIZE); }

  light() { return this.chip.gpio[25].value === 1; }

  // Runs for some simulated time.
  run(nanos) {
    let end = this.now() + nanos;
    while (this.now() < end) {
      this.runChip(end - this.now());
      if (this.chip.resetWanted) this.restart();
      if (this.chip.broke !== undefined) return;
    }
  }

  runChip(nanos) {
    const { chip, clock } = this, { core } = chip, end = clock.nanos + nanos;
    let instructions = 0;
    while (clock.nanos < end && !chip.resetWanted && chip.broke === undefined) {
      if (core.waiting || chip.lockedUp) {
        const next = clock.nextAlarm ? Math.min(clock.nanosToNextAlarm, end - clock.nanos) : end - clock.nanos;
        clock.tick(next > 0 ? next : CYCLE_NS);
        if (!chip.lockedUp && core.interruptsUpdated && core.checkForInterrupts?.()) core.waiting = false;
      } else {
        clock.tick(chip.step() * CYCLE_NS);
        instructions++;
        const stack = core.SP;
        if (stack < chip.lowestStack) chip.lowestStack = stack;
      }
    }
    this.instructions += instructions;
  }

  // Runs until `done()`, looking every `stepMs`.
  until(done, limitMs, stepMs = 1) {
    const end = this.now() + limitMs * 1e6;
    while (!done()) {
      if (this.now() >= end) return false;
      this.run(stepMs * 1e6);
    }
    return true;
  }

  press(millis = 60) {
    this.chip.setButton(true);
    this.run(millis * 1e6);
    this.chip.setButton(false);
    this.run(millis * 1e6);
  }
}
