// Commands on the image: that they work, what they cost, and that the key answers while it works.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CLIENT_PIN, GET_ASSERTION, GET_INFO, MAKE_CREDENTIAL, PinProtocol, RESET, assertion, changePin, creation, credentialId, isSigned, pinRetries, setPin, tryPin } from './commands.mjs';
import { BROADCAST, Key, command, decode, encode as encodeParameters, frames } from './key.mjs';
import { symbols } from './pico.mjs';

const ELF = process.env.KEYWRIGHT_ELF;
const STACK_BOTTOM = 0x20000000, STACK_TOP = symbols(ELF).get('_stack_start');

// Limits from firmware/boards/budget.toml: [emulated.NAME] of cycles and of stack.
const limits = new Map();
for (const [, name, fields] of readFileSync(new URL('../../firmware/boards/budget.toml', import.meta.url), 'utf8').matchAll(/^\[emulated\.(\w+)\]\n((?:\w+ = [\d_]+\n)+)/gm)) {
  limits.set(name, Object.fromEntries([...fields.matchAll(/(\w+) = ([\d_]+)/g)].map(([, field, value]) => [field, Number(value.replaceAll('_', ''))])));
}

// The same as docs/boards.md tells people, by the names of the budget: what it says is what is measured.
const told = new Map();
for (const [, cycles, unit, ms, stack, name] of readFileSync(new URL('../../docs/boards.md', import.meta.url), 'utf8').matchAll(/^\|[^|]*\| ([\d.]+) ([kM]) \| ([\d.]+) \| ([\d.]+) KB \| `(\w+)` \|$/gm)) {
  told.set(name, { cycles: cycles * (unit === 'k' ? 1e3 : 1e6), ms: Number(ms), stack: stack * 1000 });
}

function isAbout(told, measured, what) { assert.ok(Math.abs(told - measured) <= 0.08 * measured, `docs/boards.md: ${what} is ${measured} and not ${told}`); }

// Runs something and holds it against its budget: cycles of the processor, and the deepest stack.
function measured(key, name, run) {
  const { chip } = key.pico, cycles = chip.core.cycles, from = key.pico.now();
  chip.lowestStack = 0xffffffff;
  const result = run();
  const used = { cycles: chip.core.cycles - cycles, stack: STACK_TOP - chip.lowestStack };
  console.log(`${name.padEnd(18)} ${String(used.cycles).padStart(9)} cycles = ${(used.cycles / 125e3).toFixed(1).padStart(6)} ms, ${((key.pico.now() - from) / 1e6).toFixed(0).padStart(4)} ms in all, stack ${used.stack}`);
  const limit = limits.get(name);
  assert.ok(limit, `budget.toml does not name ${name}`);
  assert.ok(used.cycles <= limit.cycles, `${name}: ${used.cycles} cycles, its budget is ${limit.cycles}`);
  assert.ok(used.stack <= limit.stack, `${name}: ${used.stack} bytes of stack, its budget is ${limit.stack}`);
  const row = told.get(name);
  assert.ok(row, `the table of docs/boards.md has no row for ${name}`);
  isAbout(row.cycles, used.cycles, `cycles of ${name}`);
  isAbout(row.ms, Math.max(0.1, used.cycles / 125e3), `milliseconds of ${name}`);
  isAbout(row.stack, used.stack, `stack of ${name}`);
  return result;
}

// A command whose user thinks for a second, measured from the press to the last report. A press counts when two looks at the
// button, 10 ms apart, agree.
function touchedLate(key, name, code, parameters) {
  key.touches = false;
  key.send(command.cbor, Buffer.concat([Buffer.from([code]), encodeParameters(parameters)]));
  key.pico.run(1000e6);
  const from = key.pico.now();
  const { payload } = measured(key, name, () => { key.pico.chip.setButton(true); return key.receive(); });
  const millis = (key.pico.now() - from) / 1e6;
  key.pico.chip.setButton(false);
  key.pico.run(60e6);
  key.touches = true;
  assert.equal(payload[0], 0);
  assert.ok(millis <= 40, `${name}: ${millis} ms from the press to the last report`);
  return { body: decode(payload.subarray(1)) };
}

function booted(options = {}) {
  const key = Key.boot({ image: ELF, ...options });
  key.touches = true;
  return key;
}

test('g25_each_command_keeps_within_its_cycles_and_its_stack_and_signs_what_verifies', () => {
  const key = booted();
  measured(key, 'init', () => key.init());
  assert.equal(measured(key, 'getInfo', () => key.cbor(GET_INFO)).status, 0);
  const created = measured(key, 'makeCredential', () => key.cbor(MAKE_CREDENTIAL, creation()));
  assert.equal(created.status, 0);
  const ids = [credentialId(created.body.get(2))];
  const asserted = measured(key, 'getAssertion', () => key.cbor(GET_ASSERTION, assertion({ ids })));
  assert.equal(asserted.status, 0);
  assert.ok(isSigned(created.body, asserted.body, crypto));
  const resident = measured(key, 'residentKey', () => key.cbor(MAKE_CREDENTIAL, creation({ resident: true })));
  assert.equal(resident.status, 0);
  assert.equal(measured(key, 'discover', () => key.cbor(GET_ASSERTION, assertion())).status, 0);
  assert.equal(measured(key, 'keyAgreement', () => key.cbor(CLIENT_PIN, new Map([[1, 2], [2, 2]]))).status, 0);
  // The platform's key agreement is not the key's own work, and has a row of its own.
  const agreed = () => new PinProtocol(key);
  const once = (protocol, name, run) => measured(key, name, () => run(protocol));
  assert.equal(once(agreed(), 'setPin', (protocol) => setPin(key, '1234', protocol)), 0);
  assert.equal(once(agreed(), 'pinToken', (protocol) => tryPin(key, '1234', protocol)), 0);
  assert.equal(once(agreed(), 'wrongPin', (protocol) => tryPin(key, '9999', protocol)), 0x31);
  assert.equal(once(agreed(), 'changePin', (protocol) => changePin(key, '1234', '567890', protocol)), 0);
  const late = touchedLate(key, 'makeTouched', MAKE_CREDENTIAL, creation());
  const used = touchedLate(key, 'getTouched', GET_ASSERTION, assertion({ ids: [credentialId(late.body.get(2))] }));
  assert.ok(isSigned(late.body, used.body, crypto));
  const fresh = booted();
  assert.equal(measured(fresh, 'reset', () => fresh.cbor(RESET)).status, 0);
  for (const [name] of limits) assert.ok(told.has(name), `docs/boards.md has no row for ${name}`);
  assert.ok(key.pico.chip.lowestStack > STACK_BOTTOM);
  assert.deepEqual([key.pico.chip.faults, key.pico.chip.nor.violations, key.pico.resets], [[], [], 0]);
});

test('g23_init_is_answered_within_10_ms_while_the_key_makes_a_key_and_signs', () => {
  const key = booted();
  let slowest = 0, asked = 0, answer;
  key.send(command.cbor, Buffer.concat([Buffer.from([MAKE_CREDENTIAL]), encodeParameters(creation())]));
  key.pico.run(5e6);
  // The key is at work now, ahead of the touch and, as that is there already, after it.
  key.pico.chip.setButton(true);
  for (let n = 0; n < 8; n++) {
    const from = key.pico.now(), nonce = Buffer.from(`nonce ${n}.`);
    key.pico.usb.send(frames(BROADCAST, command.init, nonce)[0]);
    for (;;) {
      const report = Buffer.from(key.pico.usb.receive(1000));
      if (report.readUInt32BE(0) === BROADCAST && report.subarray(7, 15).equals(nonce)) break;
      // The answer itself: the key was done before it was asked.
      if (report.readUInt32BE(0) === key.channel && report[4] === 0x90) { asked = n; n = 100; answer = report[7]; break; }
    }
    if (n < 100) { asked = n + 1; slowest = Math.max(slowest, key.pico.now() - from); }
    key.pico.run(5e6);
  }
  assert.equal(answer ?? key.receive().payload[0], 0);
  console.log(`INIT answered ${asked} times while at work, the slowest within ${(slowest / 1e6).toFixed(2)} ms`);
  assert.ok(asked >= 3, `${asked} times`);
  assert.ok(slowest <= 10e6, `${slowest / 1e6} ms`);
});

test('g23_init_is_answered_within_10_ms_while_a_reset_erases_the_store', () => {
  const key = booted();
  key.send(command.cbor, Buffer.from([RESET]));
  key.pico.run(50e6);
  key.pico.press();
  let slowest = 0, asked = 0, duringErase = 0, answer;
  while (answer === undefined) {
    const from = key.pico.now(), nonce = Buffer.from(String(asked).padStart(8, '.'));
    duringErase += key.pico.chip.nor.isBusy();
    key.pico.usb.send(frames(BROADCAST, command.init, nonce)[0]);
    for (;;) {
      const report = Buffer.from(key.pico.usb.receive(1000));
      if (report.readUInt32BE(0) === key.channel && report[4] === 0x90) { answer = report[7]; break; }
      if (report.readUInt32BE(0) === BROADCAST && report.subarray(7, 15).equals(nonce)) { slowest = Math.max(slowest, key.pico.now() - from); asked++; break; }
    }
    key.pico.run(37e6);
  }
  console.log(`INIT answered ${asked} times in a reset, ${duringErase} of them in the middle of an erase, the slowest within ${(slowest / 1e6).toFixed(2)} ms`);
  assert.equal(answer, 0);
  assert.ok(key.pico.chip.nor.counts.erase >= 64, 'every page of the store');
  assert.ok(duringErase >= 20, `${duringErase}`);
  assert.ok(slowest <= 10e6, `${slowest / 1e6} ms`);
  assert.deepEqual([key.pico.chip.faults, key.pico.chip.nor.violations, key.pico.resets], [[], [], 0]);
});

test('g01_a_reset_is_refused_after_a_restart_by_the_watchdog_and_credentials_outlive_it', () => {
  const key = booted();
  const ids = [credentialId(key.cbor(MAKE_CREDENTIAL, creation()).body.get(2))];
  // The watchdog's own trigger, as a panic pulls it: power stays on.
  key.pico.chip.watchdog.writeUint32(0x00, 1 << 31);
  key.pico.run(1e6);
  assert.equal(key.pico.resets, 1);
  key.plug();
  assert.equal(key.cbor(RESET).status, 0x30, 'not within 10 s of a power-up');
  assert.equal(key.cbor(GET_ASSERTION, assertion({ ids })).status, 0);
});

test('g25_a_stack_that_runs_out_restarts_the_key_and_nothing_is_lost', () => {
  const key = booted();
  const ids = [credentialId(key.cbor(MAKE_CREDENTIAL, creation()).body.get(2))];
  // As deep as it gets: the next call in the middle of a signature leaves RAM.
  key.send(command.cbor, Buffer.concat([Buffer.from([GET_ASSERTION]), encodeParameters(assertion({ ids, presence: false }))]));
  key.pico.run(10e6);
  assert.equal(key.pico.chip.core.IPSR, 0, 'in the authenticator, not in an interrupt');
  key.pico.chip.core.SP = STACK_BOTTOM + 8;
  key.pico.run(20e6);
  assert.ok(key.pico.chip.lockedUp || key.pico.resets === 1);
  assert.ok(key.pico.until(() => key.pico.resets === 1, 9000, 50), 'the watchdog restarts it');
  key.plug();
  assert.equal(key.cbor(GET_ASSERTION, assertion({ ids })).status, 0);
});

test('a panic and a hard fault restart the key at once, and nothing is lost', () => {
  const panic = [...symbols(ELF)].find(([name]) => name.includes('rust_begin_unwind'))[1];
  const key = booted();
  const ids = [credentialId(key.cbor(MAKE_CREDENTIAL, creation()).body.get(2))];
  for (const [resets, pc] of [[1, panic & ~1], [2, 0x30000000]]) {
    key.pico.until(() => key.pico.chip.core.IPSR === 0, 100, 0.01);
    Object.assign(key.pico.chip.core, { PC: pc, waiting: false });
    key.pico.run(2e6);
    assert.equal(key.pico.resets, resets);
    key.plug();
    assert.equal(key.cbor(GET_ASSERTION, assertion({ ids })).status, 0);
  }
});

test('g29_credentials_pin_and_retries_outlive_a_power_cut_a_flash_of_the_same_image_and_of_a_newer_one', () => {
  const first = booted();
  const ids = [credentialId(first.cbor(MAKE_CREDENTIAL, creation({ resident: true })).body.get(2))];
  assert.equal(setPin(first, '1234'), 0);
  assert.equal(tryPin(first, '9999'), 0x31);
  const version = (key) => [...key.init().version, key.cbor(GET_INFO).body.get(14), key.descriptors.device.readUInt16LE(12)];
  const now = [0, 1, 0, 0x000100, 0x0010], newer = [7, 8, 9, 0x070809, 0x0789];
  // Without a flash, with the same image twice, with a newer one, and back.
  for (const [image, shown] of [[undefined, now], [ELF, now], [process.env.KEYWRIGHT_UF2, now], [process.env.KEYWRIGHT_NEWER, newer], [ELF, now]]) {
    const again = booted({ image, flash: first.pico.contents() });
    assert.deepEqual(version(again), shown);
    assert.equal(pinRetries(again), 7);
    assert.equal(again.cbor(GET_ASSERTION, assertion()).status, 0);
    assert.equal(again.cbor(GET_ASSERTION, assertion({ ids })).status, 0);
    assert.equal(tryPin(again, '1234'), 0);
  }
});

test('a key whose authenticator hangs is restarted by the watchdog, and nothing is lost', () => {
  const key = booted(), { chip } = key.pico;
  const ids = [credentialId(key.cbor(MAKE_CREDENTIAL, creation()).body.get(2))];
  // A loop on itself at the bottom of the stack, which no command reaches.
  chip.writeUint16(STACK_BOTTOM, 0xe7fe);
  key.send(command.cbor, Buffer.concat([Buffer.from([GET_ASSERTION]), encodeParameters(assertion({ ids, presence: false }))]));
  key.pico.run(10e6);
  assert.equal(chip.core.IPSR, 0, 'in the authenticator, not in an interrupt');
  chip.core.PC = STACK_BOTTOM;
  key.pico.run(4000e6);
  assert.equal(key.pico.resets, 0, 'a piece of work may take some seconds');
  assert.equal(key.init().protocol, 2, 'the transport is alive all the while');
  assert.ok(key.pico.until(() => key.pico.resets === 1, 12000, 50), 'the watchdog restarts it');
  key.plug();
  assert.equal(key.cbor(GET_ASSERTION, assertion({ ids })).status, 0);
});

test('g21_keepalives_come_at_least_every_100_ms_and_cancel_ends_the_wait', () => {
  const key = booted();
  key.send(command.cbor, Buffer.concat([Buffer.from([MAKE_CREDENTIAL]), encodeParameters(creation())]));
  let last = key.pico.now(), longest = 0;
  for (let n = 0; n < 20; n++) {
    const report = Buffer.from(key.pico.usb.receive(1000));
    assert.equal(report[4], 0xbb);
    longest = Math.max(longest, key.pico.now() - last);
    last = key.pico.now();
  }
  assert.ok(longest <= 100e6, `${longest / 1e6} ms`);
  key.pico.usb.send(frames(key.channel, command.cancel, Buffer.alloc(0))[0]);
  assert.deepEqual([...key.receive().payload], [0x2d]);
});

test('a button that is held down all the time agrees to nothing', () => {
  const key = booted();
  key.touches = false;
  key.pico.chip.setButton(true);
  key.pico.run(200e6);
  key.send(command.cbor, Buffer.concat([Buffer.from([MAKE_CREDENTIAL]), encodeParameters(creation())]));
  const answer = key.receive();
  assert.equal(answer.payload[0], 0x27, 'denied after 30 s');
});

test('a bus reset in the middle of a wait frees the key', () => {
  const key = booted();
  key.send(command.cbor, Buffer.concat([Buffer.from([MAKE_CREDENTIAL]), encodeParameters(creation())]));
  // As long as it works ahead for the user it is busy, as with any work.
  key.pico.run(300e6);
  key.plug();
  assert.equal(key.cbor(GET_INFO).status, 0);
});
