// The image as it is flashed: it boots, is recognised, and speaks CTAPHID.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BROADCAST, Key, command } from './key.mjs';
import { Pico, noise } from './pico.mjs';

const { KEYWRIGHT_ELF: ELF, KEYWRIGHT_UF2: UF2 } = process.env;

function isClean(pico) {
  assert.deepEqual(pico.chip.faults, []);
  assert.deepEqual(pico.chip.nor.violations, []);
  assert.equal(pico.usb.toggleErrors, 0);
  assert.equal(pico.resets, 0);
}

for (const [kind, image] of [['ELF', ELF], ['UF2', UF2]]) {
  test(`the ${kind} file boots, is recognised as a FIDO key, and opens a channel`, () => {
    const key = Key.boot({ image });
    const { device, configuration, strings, report } = key.descriptors;
    assert.equal(device.readUInt16LE(8), 0x1209);
    assert.equal(device.readUInt16LE(10), 0x0001);
    assert.equal(device.readUInt16LE(12), 0x0010, 'version 0.1.0');
    assert.deepEqual(strings, ['Keywright', 'Keywright RP2040', '0']);
    // Usage page FIDO alliance, usage authenticator device.
    assert.equal(report.subarray(0, 5).toString('hex'), '06d0f10901');
    // Both endpoints: interrupt, 64 bytes, an interval of 1 ms.
    assert.ok(configuration.includes(Buffer.from('07058103400001', 'hex')) && configuration.includes(Buffer.from('07050103400001', 'hex')));
    const opened = key.init();
    assert.equal(opened.nonce.toString(), '12345678');
    assert.equal(opened.protocol, 2);
    assert.deepEqual(opened.version, [0, 1, 0]);
    isClean(key.pico);
  });
}

test('a ping of 7609 bytes comes back as it was', () => {
  const key = Key.boot({ image: ELF });
  const payload = Buffer.from(Array.from({ length: 7609 }, (_, at) => at & 0xff));
  assert.ok(key.transact(command.ping, payload).equals(payload));
  isClean(key.pico);
});

test('a channel that was never opened is refused', () => {
  const key = Key.boot({ image: ELF });
  assert.throws(() => key.transact(command.ping, Buffer.from('x'), (key.channel + 100) >>> 0), /CTAPHID error 11/);
  isClean(key.pico);
});

test('a control request that nobody knows is stalled, and the key goes on', () => {
  const key = Key.boot({ image: ELF });
  assert.equal(key.pico.usb.control(0xc0, 0x77, 0, 0, 4), 'stall');
  assert.equal(key.transact(command.ping, Buffer.from('still here')).toString(), 'still here');
  isClean(key.pico);
});

test('channels of two starts differ, and so do those of two boards', () => {
  const first = Key.boot({ image: ELF }), again = Key.boot({ flash: first.pico.contents() }), other = Key.boot({ image: ELF, noise: noise(2) });
  assert.notEqual(first.channel, again.channel);
  assert.notEqual(first.channel, other.channel);
});

test('g30_a_board_whose_noise_is_stuck_shows_it_and_attaches_to_no_host', () => {
  for (const [bit, millis, expected] of [[0, 3000, 2], [1, 300, 1]]) {
    const pico = new Pico({ image: ELF, noise: () => bit });
    let flashes = 0, wasLit = false;
    assert.equal(pico.until(() => { const isLit = pico.light(); flashes += isLit && !wasLit; wasLit = isLit; return pico.usb.isPulledUp(); }, millis, 10), false);
    assert.equal(flashes, expected, 'two flashes every three seconds');
    isClean(pico);
  }
});

test('g30_the_noise_is_sampled_no_sooner_than_every_10_us', () => {
  const { chip } = Key.boot({ image: ELF }).pico;
  const gaps = chip.rosc.reads.slice(1).map((at, n) => at - chip.rosc.reads[n]);
  assert.ok(gaps.length >= 1024 + 4096 - 1);
  assert.ok(Math.min(...gaps) >= 10e3, `${Math.min(...gaps)} ns`);
});

test('g20_two_boards_cannot_be_told_apart_by_what_usb_shows', () => {
  const [one, other] = [1, 2].map((seed) => Key.boot({ image: ELF, noise: noise(seed) }).descriptors);
  for (const part of ['device', 'configuration', 'report']) assert.ok(one[part].equals(other[part]));
  assert.deepEqual(one.strings, other.strings);
});

test('g21_a_host_that_winks_sees_the_light_and_init_answers_on_any_channel', () => {
  const key = Key.boot({ image: ELF });
  key.transact(command.wink, Buffer.alloc(0));
  let flashes = 0, wasLit = false;
  key.pico.until(() => { const isLit = key.pico.light(); flashes += isLit && !wasLit; wasLit = isLit; return false; }, 1000, 10);
  assert.ok(flashes >= 3, `${flashes} flashes`);
  assert.notEqual(key.init(BROADCAST).channel, key.channel);
  isClean(key.pico);
});
