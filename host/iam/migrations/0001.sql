-- Times are seconds since 1970 (UTC).

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE users (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE COLLATE NOCASE,
    handle        BLOB NOT NULL UNIQUE,     -- WebAuthn's user.id: random, says nothing about the user
    password      TEXT NOT NULL,            -- argon2id, as a PHC string
    administrator INTEGER NOT NULL CHECK (administrator IN (0, 1)),
    created_at    INTEGER NOT NULL
) STRICT;

-- A device is in use from enabled_at on; before that an authenticator app is being set up.
CREATE TABLE mfa_devices (
    serial     TEXT PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES users (id),
    kind       TEXT NOT NULL CHECK (kind IN ('totp', 'webauthn')),
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    enabled_at INTEGER
) STRICT;

CREATE INDEX mfa_devices_of_user ON mfa_devices (user_id);

CREATE TABLE totp_seeds (
    serial      TEXT PRIMARY KEY REFERENCES mfa_devices (serial) ON DELETE CASCADE,
    sealed_seed BLOB NOT NULL,              -- nonce, XChaCha20-Poly1305 text and tag, bound to the serial
    last_step   INTEGER NOT NULL DEFAULT -1 -- the last 30-second step whose code was accepted: only rises
) STRICT;

CREATE TABLE webauthn_credentials (
    serial             TEXT PRIMARY KEY REFERENCES mfa_devices (serial) ON DELETE CASCADE,
    credential_id      BLOB NOT NULL UNIQUE,
    credential         TEXT NOT NULL,       -- public key and policy, as webauthn-rs-core writes them
    counter            INTEGER NOT NULL,    -- the signature counter: only rises, or is always 0
    attestation_object BLOB NOT NULL        -- as the key sent it
) STRICT;
