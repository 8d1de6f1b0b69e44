// Decisions on the PIN, with any one instruction of them passed over (G31): no token for a wrong PIN, no comparison before a
// retry is spent on flash, no try of a PIN that is blocked.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLIENT_PIN, MAKE_CREDENTIAL, PinProtocol, creation, hash, setPin, tryPin } from './commands.mjs';
import { Key, command, encode } from './key.mjs';
import { Stretch } from './skip.mjs';

const ELF = process.env.KEYWRIGHT_ELF;
const DECIDING = ['3pin7compare', '3pin6usable', '3pin8is_spent', '10client_pin11issue_token', '10client_pin7compare', '8decision5Grant', '9PinUvAuth11issue_token', '10client_pin13store_new_pin'];
const ADVANCE = '$GT$7advance', KEY_IS_GIVEN = '15next_sign_count';
const TOKEN_LEAVES = '12SharedSecret7encrypt', COMPARISON = '3pin8verifier';

function booted(pin) {
  const key = Key.boot({ image: ELF });
  assert.equal(setPin(key, pin), 0);
  return key;
}

// Sends getPinToken with a PIN and lets the board come to the function that decides; where that returns to.
function asked(key, pin) {
  const protocol = new PinProtocol(key), stretch = new Stretch(key, ELF, DECIDING);
  const request = new Map([[1, 2], [2, 5], [3, protocol.platformKey], [6, protocol.encrypt(hash(pin).subarray(0, 16))]]);
  const send = () => key.send(command.cbor, Buffer.concat([Buffer.from([CLIENT_PIN]), encode(request)]));
  return { stretch, end: stretch.runTo('10client_pin11issue_token', send) };
}

test('g31_without_any_one_instruction_a_wrong_pin_gets_no_token_and_costs_its_retry_first', () => {
  // The right PIN first, so that what must not be seen with a wrong one is seen to be what gives the token away.
  const right = asked(booted('1234'), '1234');
  right.stretch.runTo('10client_pin7compare');
  right.stretch.remember();
  const given = right.stretch.play(right.end, -1, [TOKEN_LEAVES, COMPARISON]);
  assert.ok(given.isAtEnd && given.seen[0] && given.seen[1] > 1);

  const { stretch, end } = asked(booted('1234'), '9999');
  stretch.runTo('10client_pin7compare');
  stretch.remember();
  const whole = stretch.play(end, -1, [TOKEN_LEAVES, COMPARISON]);
  assert.ok(whole.isAtEnd && !whole.seen[0] && whole.seen[1] > 1);
  let ended = 0;
  for (let omitted = 0; omitted < whole.counted; omitted++) {
    const { seen: [token, comparison], isAtEnd, omittedAt } = stretch.play(end, omitted, [TOKEN_LEAVES, COMPARISON], 4 * whole.steps);
    const where = `without the instruction at ${omittedAt.toString(16)}`;
    assert.equal(token, 0, `a token leaves ${where}`);
    // Where the processor is lost it may come by anything, and says nothing.
    assert.ok(comparison !== 1 || !isAtEnd, `a PIN is compared before a retry is spent ${where}`);
    ended += isAtEnd;
  }
  console.log(`a wrong PIN: ${whole.counted} instructions passed over one at a time, ${ended} times it went on to an answer`);
  assert.ok(whole.counted > 100 && ended > whole.counted / 4, `${whole.counted} ${ended}`);
});

test('g31_without_any_one_instruction_a_key_is_not_given_without_a_touch', () => {
  const key = Key.boot({ image: ELF }), stretch = new Stretch(key, ELF, ['13authenticator', '5ctap23act', '8decision5Grant']);
  const request = Buffer.concat([Buffer.from([MAKE_CREDENTIAL]), encode(creation())]);
  const end = stretch.runTo(ADVANCE, () => key.send(command.cbor, request));
  stretch.remember();
  const whole = stretch.play(end, -1, [KEY_IS_GIVEN]);
  assert.ok(whole.isAtEnd && !whole.seen[0]);
  for (let omitted = 0; omitted < whole.counted; omitted++) {
    const { seen: [given], omittedAt } = stretch.play(end, omitted, [KEY_IS_GIVEN], 4 * whole.steps);
    assert.equal(given, 0, `a key is given without the instruction at ${omittedAt.toString(16)}`);
  }
  console.log(`no touch: ${whole.counted} instructions passed over one at a time`);
  assert.ok(whole.counted > 50);

  // With a touch it is what gives the key: it may have been made before, and is counted when it is handed out.
  const touched = Key.boot({ image: ELF }), after = new Stretch(touched, ELF, ['5ctap23act']);
  touched.send(command.cbor, request);
  touched.pico.run(50e6);
  after.runTo(KEY_IS_GIVEN, () => touched.pico.press());
});

test('g31_without_any_one_instruction_a_blocked_pin_is_not_tried', () => {
  const key = booted('1234');
  for (let n = 0; n < 3; n++) tryPin(key, '9999');
  const { stretch, end } = asked(key, '1234');
  stretch.remember();
  const whole = stretch.play(end, -1, [TOKEN_LEAVES, COMPARISON]);
  assert.ok(whole.isAtEnd && !whole.seen[0] && !whole.seen[1]);
  for (let omitted = 0; omitted < whole.counted; omitted++) {
    const { seen: [token, comparison], isAtEnd, omittedAt } = stretch.play(end, omitted, [TOKEN_LEAVES, COMPARISON], 6e7);
    const where = `without the instruction at ${omittedAt.toString(16)}`;
    assert.equal(token, 0, `a token leaves ${where}`);
    // Where the processor is lost it may come by anything, and says nothing.
    assert.ok(!comparison || !isAtEnd, `a blocked PIN is tried ${where}`);
  }
  console.log(`a blocked PIN: ${whole.counted} instructions passed over one at a time`);
});
