// An attacker who has one instruction passed over: a stretch of the image is run again and again from the same moment, each
// time without another of its instructions.

import { SIZE } from './flash.mjs';
import { ranges } from './pico.mjs';

const BREAKPOINT = 0xbe00, CYCLE_NS = 8, RAM = 0x20000000, RAM_SIZE = 264 * 1024;

export class Stretch {
  // `functions`: parts of the names of those whose instructions are passed over, one at a time.
  constructor(key, image, functions) {
    this.key = key;
    this.table = [...ranges(image)].map(([name, { from, to }]) => ({ name, from: from & ~1, to: to & ~1 }));
    // One entry for each half-word of RAM, where the image runs: looked at for every instruction.
    this.isInside = new Uint8Array(RAM_SIZE >> 1);
    for (const { from, to } of functions.flatMap((part) => this.named(part))) this.isInside.fill(1, (from - RAM) >> 1, (to - RAM) >> 1);
  }

  named(part) {
    const found = this.table.filter(({ name }) => name.includes(part));
    if (!found.length) throw new Error(`the image has no function ${part}: was it built into another?`);
    return found;
  }

  // Runs the board, after `act`, until it comes to the beginning of a function; where that returns to.
  runTo(part, act = () => {}) {
    const { pico } = this.key, { chip } = pico, [{ from }] = this.named(part);
    const kept = chip.readUint16(from);
    chip.writeUint16(from, BREAKPOINT);
    act();
    if (!pico.until(() => chip.broke !== undefined, 10000, 0.1)) throw new Error(`it does not come to ${part}`);
    chip.writeUint16(from, kept);
    Object.assign(chip.core, { PC: from, breakRewind: 0 });
    chip.broke = undefined;
    return chip.core.LR & ~1;
  }

  // The moment from which everything is tried: no interrupt comes from here on, so that only the stretch changes anything.
  remember() {
    const { chip } = this.key.pico, { core } = chip;
    core.PM = true;
    const { N, Z, C, V } = core;
    this.moment = { sram: chip.sram.slice(), registers: core.registers.slice(), flags: { N, Z, C, V }, flash: chip.flash.slice(0, SIZE) };
  }

  // Goes on from that moment without the instruction `omitted`, counted in those of the functions alone. Ends at the address
  // `end`, or when the processor is lost. What of `watched` (part of a name: function) was come by, and how many instructions.
  play(end, omitted, watched, limit = 1e7) {
    const { chip } = this.key.pico, { core, nor } = chip, { sram, registers, flags, flash } = this.moment;
    chip.sram.set(sram); core.registers.set(registers); Object.assign(core, flags, { PM: true, IPSR: 0, waiting: false, eventRegistered: false });
    chip.flash.set(flash); nor.busyUntil = 0; nor.erasing = null; nor.counts.program = 0;
    Object.assign(chip, { broke: undefined, lockedUp: false, resetWanted: false, hasFaulted: false, faults: [] });
    const marks = new Map(watched.map((part, n) => [this.named(part)[0].from, n])), seen = watched.map(() => 0);
    let counted = 0, steps = 0, omittedAt = null;
    while (core.PC !== end && !chip.lockedUp && !chip.resetWanted && chip.broke === undefined && core.IPSR === 0 && steps++ < limit) {
      const at = core.PC;
      const mark = marks.get(at);
      if (mark !== undefined) seen[mark] ||= 1 + nor.counts.program;
      if (this.isInside[(at - RAM) >> 1] && counted++ === omitted) {
        omittedAt = at;
        core.PC = at + (chip.readUint16(at) >= 0xe800 ? 4 : 2);
        continue;
      }
      if (core.waiting) break;
      chip.clock.tick(chip.step() * CYCLE_NS);
    }
    return { counted, steps, seen, omittedAt, isAtEnd: core.PC === end, programs: nor.counts.program };
  }
}
