// The power fails at every flash operation: the flash is kept as it was before the operation and in the middle of it, and
// a board is started on each. What was there is there; what was being written is there or not, and no gate is weaker.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GET_ASSERTION, GET_INFO, MAKE_CREDENTIAL, RESET, assertion, changePin, creation, credentialId, pinRetries, setPin, tryPin } from './commands.mjs';
import { SIZE } from './flash.mjs';
import { Key } from './key.mjs';

const image = process.env.KEYWRIGHT_ELF;
const OK = 0, PIN_INVALID = 0x31, PIN_NOT_SET = 0x35, NO_CREDENTIALS = 0x2e;

// Runs `act` on the key and keeps the flash at each of its operations.
function cuts(key, act) {
  const { chip } = key.pico, kept = [];
  chip.nor.onOperation = (kind, at, what) => {
    const before = chip.flash.slice(0, SIZE);
    kept.push({ kind, at, flash: before });
    // Half way: some of the bits, spread over the place.
    const half = before.slice();
    if (kind === 'program') what.forEach((byte, n) => { half[(at & ~255) | ((at + n) & 255)] &= byte | ((n * 0x9d + 0x35) & 0xff); });
    else for (let n = 0; n < what; n++) if ((n * 2654435761 >>> 9) & 1) half[at + n] = 0xff;
    kept.push({ kind: `half ${kind}`, at, flash: half });
  };
  act();
  chip.nor.onOperation = null;
  return kept;
}

function started(flash) {
  // A start may erase all pages of the store: 3 s on a real chip, a minute here.
  const key = Key.boot({ flash, flashSpeed: 20 });
  key.touches = true;
  return key;
}

function check(kept, name, judge) {
  assert.ok(kept.length > 0, `${name} writes something`);
  for (const { kind, at, flash } of kept) {
    const key = started(flash);
    try { judge(key); } catch (error) { throw new Error(`${name}, cut at ${kind} of ${at.toString(16)}: ${error.message}`, { cause: error }); }
    assert.deepEqual([key.pico.chip.faults, key.pico.chip.nor.violations, key.pico.resets], [[], [], 0]);
  }
  console.log(`${name}: ${kept.length} cuts`);
}


test('g26_no_power_cut_loses_a_credential_a_pin_or_a_spent_retry', () => {
  const key = Key.boot({ image });
  key.touches = true;
  const old = credentialId(key.cbor(MAKE_CREDENTIAL, creation({ resident: true, user: 1 })).body.get(2));
  const has = (board, id) => board.cbor(GET_ASSERTION, assertion({ ids: [id], presence: false })).status;

  check(cuts(key, () => assert.equal(key.cbor(MAKE_CREDENTIAL, creation({ resident: true, user: 2 })).status, OK)), 'register', (board) => {
    assert.equal(has(board, old), OK);
    assert.equal(board.cbor(GET_INFO).status, OK);
  });
  let last = 0;
  const counter = (board) => board.cbor(GET_ASSERTION, assertion({ ids: [old] })).body.get(2).readUInt32BE(33);
  const authenticated = cuts(key, () => { for (let n = 0; n < 70; n++) last = counter(key); });
  check(authenticated, 'authenticate', (board) => assert.equal(has(board, old), OK));
  assert.ok(counter(started(key.pico.contents())) > last, 'the counter rises over a power cut');

  check(cuts(key, () => assert.equal(setPin(key, '1234'), OK)), 'set PIN', (board) => {
    assert.equal(has(board, old), OK);
    const status = tryPin(board, '1234');
    assert.ok(status === OK || status === PIN_NOT_SET, `${status}`);
  });
  check(cuts(key, () => assert.equal(changePin(key, '1234', '567890'), OK)), 'change PIN', (board) => {
    assert.equal(has(board, old), OK);
    // One of the two is right, and the other costs a retry.
    const [before, after] = ['1234', '567890'].map((pin) => tryPin(board, pin));
    assert.deepEqual([before, after].sort(), [OK, PIN_INVALID], `${before} ${after}`);
  });
  assert.equal(changePin(key, '567890', '1234'), OK);
  check(cuts(key, () => assert.equal(changePin(key, '9999', '567890'), PIN_INVALID)), 'change PIN, wrong', (board) => {
    assert.ok([7, 8].includes(pinRetries(board)));
    assert.equal(tryPin(board, '1234'), OK);
  });
  assert.equal(tryPin(key, '1234'), OK);
  check(cuts(key, () => assert.equal(tryPin(key, '9999'), PIN_INVALID)), 'wrong PIN', (board) => {
    assert.ok([7, 8].includes(pinRetries(board)));
    assert.equal(tryPin(board, '1234'), OK);
  });
  assert.equal(pinRetries(key), 7);
  assert.equal(pinRetries(started(key.pico.contents())), 7, 'a retry that was spent stays spent');

  // A reset must come within 10 s of a power-up.
  const fresh = started(key.pico.contents());
  const kept = cuts(fresh, () => assert.equal(fresh.cbor(RESET).status, OK));
  // Of 64 pages, some.
  const some = kept.filter((_, n) => n < 6 || n % 32 < 2 || n >= kept.length - 6);
  check(some, 'reset', (board) => {
    const status = has(board, old), isPinSet = board.cbor(GET_INFO).body.get(4).get('clientPin');
    assert.ok((status === OK && isPinSet === true) || (status === NO_CREDENTIALS && isPinSet === false), `${status} ${isPinSet}`);
  });
});
