// The flash itself: what it does to a driver that breaks its rules, since the tests of the image rely on it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NorFlash, SIZE } from './flash.mjs';
import { Pico } from './pico.mjs';

function chip() {
  const clock = { nanos: 0 }, flash = new NorFlash(new Uint8Array(SIZE), clock);
  const run = (...bytes) => { flash.select(true); const answers = bytes.map((byte) => flash.shift(byte)); flash.select(false); return answers; };
  return { clock, flash, run };
}

test('an erase takes its time, and a command meanwhile is a violation and does nothing', () => {
  const { clock, flash, run } = chip();
  run(0x06); run(0x20, 0, 0x10, 0);
  assert.equal(run(0x05, 0)[1] & 1, 1);
  assert.equal(run(0x03, 0, 0x10, 0, 0)[4], 0xff);
  assert.equal(flash.violations.length, 1);
  clock.nanos += 45e6;
  assert.equal(run(0x05, 0)[1] & 1, 0);
  assert.equal(flash.bytes[0x0fff], 0);
  assert.equal(flash.bytes[0x1000], 0xff);
});

test('nothing is written without write enable', () => {
  const { flash, run } = chip();
  run(0x20, 0, 0, 0); run(0x02, 0, 0, 0, 0x55);
  assert.equal(flash.bytes[0], 0);
  assert.equal(flash.violations.length, 2);
});

test('a program wraps at the end of its page and only clears bits', () => {
  const { clock, flash, run } = chip();
  run(0x06); run(0x20, 0, 0, 0); clock.nanos += 45e6;
  run(0x06); run(0x02, 0, 0, 0xff, 0xf0, 0x0f); clock.nanos += 1e6;
  run(0x06); run(0x02, 0, 0, 0xff, 0x3f); clock.nanos += 1e6;
  assert.deepEqual([flash.bytes[0xff], flash.bytes[0]], [0x30, 0x0f]);
  assert.deepEqual(flash.violations, []);
});

test('a suspended erase lets others be read and not its own sector, and goes on where it was', () => {
  const { clock, flash, run } = chip();
  run(0x06); run(0x20, 0, 0, 0);
  clock.nanos += 15e6;
  run(0x75); clock.nanos += 20e3;
  assert.equal(run(0x35, 0)[1] & 0x80, 0x80);
  assert.equal(run(0x05, 0)[1] & 1, 0);
  run(0x03, 0, 0x20, 0, 0);
  assert.deepEqual(flash.violations, []);
  run(0x03, 0, 0, 0, 0);
  assert.equal(flash.violations.length, 1);
  run(0x7a);
  clock.nanos += 29e6;
  assert.equal(run(0x05, 0)[1] & 1, 1);
  clock.nanos += 2e6;
  assert.equal(run(0x05, 0)[1] & 1, 0);
});

// Vectors for a processor that starts at 0x20000100 with its stack at `stack`, and `code` there.
function running(code, stack = 0x20001000) {
  const pico = new Pico({}), { chip: rp } = pico, view = new DataView(rp.sram.buffer);
  for (let n = 0; n < 48; n++) view.setUint32(4 * n, 0x20000201, true);
  code.forEach((half, n) => view.setUint16(0x100 + 2 * n, half, true));
  view.setUint16(0x200, 0xe7fe, true); // the handler of a fault: a loop
  rp.core.VTOR = 0x20000000;
  rp.core.SP = stack;
  rp.core.PC = 0x20000100;
  return pico;
}

test('a read of the mapped flash while it is not mapped is a fault', () => {
  const pico = running([0x2001, 0x0700, 0x6801, 0xe7fe]); // movs r0,#1; lsls r0,#28; ldr r1,[r0]; loop
  pico.run(1e4);
  assert.equal(pico.chip.faults.length, 1);
  assert.match(pico.chip.faults[0], /mapped flash 10000000 while not mapped/);
  assert.equal(pico.chip.core.PC & ~1, 0x20000200);
});

test('a stack that leaves RAM faults, locks up, and the watchdog restarts the processor with its scratch kept', () => {
  const pico = running([0xb510, 0xe7fd], 0x20000004); // push {r4, lr}, again and again
  pico.run(1e5);
  assert.ok(pico.chip.lockedUp);
  pico.chip.watchdog.scratchData[0] = 0x1234;
  pico.chip.watchdog.writeUint32(0x04, 2000);
  pico.chip.watchdog.writeUint32(0x00, 1 << 30);
  pico.run(2e6);
  assert.equal(pico.resets, 1);
  assert.equal(pico.chip.watchdog.scratchData[0], 0x1234);
  assert.equal(pico.chip.watchdog.reason, 1);
});
