// The image's own multiplication, called as the compiler calls it.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Pico, symbols } from './pico.mjs';

const ELF = process.env.KEYWRIGHT_ELF;
const BACK = 0x20000100, STACK = 0x20001000, LIMIT = 45;

// r1:r0 times r3:r2, and the cycles from the call to the return.
function multiply(core, step, at, a, b) {
  const words = [a, b].flatMap((number) => [number & 0xffffffffn, number >> 32n]).map(Number);
  words.forEach((word, n) => { core.registers[n] = word; });
  for (let n = 4; n < 13; n++) core.registers[n] = 0x1000 + n;
  Object.assign(core, { PC: at, LR: BACK | 1, SP: STACK });
  let cycles = 0;
  while (core.PC !== BACK) { cycles += step(); assert.ok(cycles < 1000); }
  for (let n = 4; n < 12; n++) assert.equal(core.registers[n], 0x1000 + n, `r${n} is kept`);
  assert.equal(core.SP, STACK);
  return { product: BigInt(core.registers[1]) << 32n | BigInt(core.registers[0]), cycles };
}

test('the multiplication is right for every carry, keeps what it must, and takes the same time for all numbers', () => {
  const pico = new Pico({ image: ELF }), { chip } = pico, at = symbols(ELF).get('__aeabi_lmul') & ~1;
  // Into RAM, where the image runs.
  assert.ok(pico.until(() => pico.usb.isPulledUp(), 5000));
  chip.core.PM = true;
  const edges = [0n, 1n, 0xffffn, 0x10000n, 0x10001n, 0x7fffffffn, 0x80000000n, 0xffff0000n, 0xffffffffn, 0x100000000n, 0xffffffff00000000n, 0xffffffffffffffffn];
  const pairs = edges.flatMap((a) => edges.map((b) => [a, b]));
  for (let n = 0; n < 2000; n++) pairs.push([0, 8].map((from) => randomBytes(16).readBigUInt64LE(from) >> (n % 2 ? 32n : 0n)));
  const times = new Set();
  for (const [a, b] of pairs) {
    const { product, cycles } = multiply(chip.core, () => chip.step(), at, a, b);
    assert.equal(product, BigInt.asUintN(64, a * b), `${a} * ${b}`);
    times.add(cycles);
  }
  console.log(`a multiplication takes ${[...times].join(', ')} cycles`);
  assert.equal(times.size, 1);
  assert.ok(Math.max(...times) <= LIMIT, `${[...times]}`);
});
