// The CTAP2 commands that the tests of the board use.

import { createCipheriv, createECDH, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';

export const MAKE_CREDENTIAL = 1, GET_ASSERTION = 2, GET_INFO = 4, CLIENT_PIN = 6, RESET = 7;
export const hash = (text) => createHash('sha256').update(text).digest();

export function creation({ rp = 'example.org', user = 1, resident = false } = {}) {
  const request = new Map([
    [1, hash('client data')],
    [2, { id: rp }],
    [3, { id: Buffer.from([user]), name: 'ada' }],
    [4, [{ alg: -7, type: 'public-key' }]],
  ]);
  return resident ? request.set(7, { rk: true }) : request;
}

export function assertion({ rp = 'example.org', ids, presence = true } = {}) {
  const request = new Map([[1, rp], [2, hash('client data')]]);
  if (ids) request.set(3, ids.map((id) => ({ id, type: 'public-key' })));
  return presence ? request : request.set(5, { up: false });
}

// The credential id in authenticator data.
export function credentialId(authData) { return authData.subarray(55, 55 + authData.readUInt16BE(53)); }

// Whether an assertion was signed with the key that a registration brought.
export function isSigned(created, asserted, crypto) {
  const cose = created.get(2).subarray(55 + created.get(2).readUInt16BE(53));
  const [x, y] = [cose.indexOf('215820', 0, 'hex'), cose.indexOf('225820', 0, 'hex')].map((at) => cose.subarray(at + 3, at + 35).toString('base64url'));
  const key = crypto.createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
  return crypto.verify('sha256', Buffer.concat([asserted.get(2), hash('client data')]), key, asserted.get(3));
}

// The platform's end of PIN/UV auth protocol 2, for one key agreement.
export class PinProtocol {
  constructor(key) {
    const answer = key.cbor(CLIENT_PIN, new Map([[1, 2], [2, 2]]));
    const peer = answer.body.get(1), ecdh = createECDH('prime256v1');
    const own = ecdh.generateKeys();
    const z = ecdh.computeSecret(Buffer.concat([Buffer.from([4]), peer.get(-2), peer.get(-3)]));
    const derive = (info) => Buffer.from(hkdfSync('sha256', z, Buffer.alloc(32), info, 32));
    this.hmacKey = derive('CTAP2 HMAC key');
    this.aesKey = derive('CTAP2 AES key');
    this.platformKey = new Map([[1, 2], [3, -25], [-1, 1], [-2, own.subarray(1, 33)], [-3, own.subarray(33)]]);
  }
  encrypt(plain) {
    const iv = randomBytes(16), cipher = createCipheriv('aes-256-cbc', this.aesKey, iv).setAutoPadding(false);
    return Buffer.concat([iv, cipher.update(plain), cipher.final()]);
  }
  authenticate(message) { return createHmac('sha256', this.hmacKey).update(message).digest(); }
}

function padded(pin) {
  const bytes = Buffer.alloc(64);
  bytes.write(pin);
  return bytes;
}

export function setPin(key, pin, protocol = new PinProtocol(key)) {
  const encrypted = protocol.encrypt(padded(pin));
  return key.cbor(CLIENT_PIN, new Map([[1, 2], [2, 3], [3, protocol.platformKey], [4, protocol.authenticate(encrypted)], [5, encrypted]])).status;
}

export function changePin(key, pin, next, protocol = new PinProtocol(key)) {
  const encrypted = protocol.encrypt(padded(next)), pinHash = protocol.encrypt(hash(pin).subarray(0, 16));
  const param = protocol.authenticate(Buffer.concat([encrypted, pinHash]));
  return key.cbor(CLIENT_PIN, new Map([[1, 2], [2, 4], [3, protocol.platformKey], [4, param], [5, encrypted], [6, pinHash]])).status;
}

// getPinToken: the status, and the token if there is one.
export function tryPin(key, pin, protocol = new PinProtocol(key)) {
  return key.cbor(CLIENT_PIN, new Map([[1, 2], [2, 5], [3, protocol.platformKey], [6, protocol.encrypt(hash(pin).subarray(0, 16))]])).status;
}

export function pinRetries(key) { return key.cbor(CLIENT_PIN, new Map([[1, 2], [2, 1]])).body.get(3); }
