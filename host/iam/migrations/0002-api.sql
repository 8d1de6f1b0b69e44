-- What AWS's API needs: users without a password, access keys, devices that are nobody's yet, hardware tokens, tags.
-- Tables that others refer to are made anew and renamed; foreign keys are not enforced while a step runs.

-- AUTOINCREMENT: the number of a deleted user is never given to another, whose sessions would then be theirs.
CREATE TABLE users_anew (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id       TEXT NOT NULL UNIQUE,     -- AWS's UserId: AIDA and 17 characters
    path          TEXT NOT NULL,
    name          TEXT NOT NULL UNIQUE COLLATE NOCASE,
    handle        BLOB NOT NULL UNIQUE,     -- WebAuthn's user.id: random, says nothing about the user
    password      TEXT,                     -- argon2id, as a PHC string; without one there is no login profile
    password_at   INTEGER,                  -- when the login profile was made
    administrator INTEGER NOT NULL CHECK (administrator IN (0, 1)),
    created_at    INTEGER NOT NULL,
    CHECK ((password IS NULL) = (password_at IS NULL))
) STRICT;

INSERT INTO users_anew (id, user_id, path, name, handle, password, password_at, administrator, created_at)
    SELECT id, 'AIDA' || substr(hex(randomblob(9)), 1, 17), '/', name, handle, password, created_at,
           administrator, created_at
    FROM users;
DROP TABLE users;
ALTER TABLE users_anew RENAME TO users;

-- A device is in use, and somebody's, from enabled_at on. Before that a hardware token waits to be assigned, and
-- a virtual device is unassigned, or is being set up in the console's wizard and forgotten when that takes too long.
CREATE TABLE mfa_devices_anew (
    serial     TEXT PRIMARY KEY,
    user_id    INTEGER REFERENCES users (id),
    maker_id   INTEGER REFERENCES users (id) ON DELETE SET NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('totp', 'hardware', 'webauthn')),
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    enabled_at INTEGER,
    wizard     INTEGER NOT NULL DEFAULT 0 CHECK (wizard IN (0, 1)),
    CHECK ((user_id IS NULL) = (enabled_at IS NULL))
) STRICT;

INSERT INTO mfa_devices_anew (serial, user_id, maker_id, kind, name, created_at, enabled_at, wizard)
    SELECT serial, CASE WHEN enabled_at IS NULL THEN NULL ELSE user_id END, user_id, kind, name, created_at,
           enabled_at, enabled_at IS NULL
    FROM mfa_devices ORDER BY rowid;
DROP TABLE mfa_devices;
ALTER TABLE mfa_devices_anew RENAME TO mfa_devices;
CREATE INDEX mfa_devices_of_user ON mfa_devices (user_id);
CREATE INDEX mfa_devices_of_maker ON mfa_devices (maker_id);

-- How many 30-second steps the device's clock is ahead of this machine's, as resynchronising found it.
ALTER TABLE totp_seeds ADD COLUMN drift INTEGER NOT NULL DEFAULT 0;

CREATE TABLE mfa_tags (
    serial TEXT NOT NULL REFERENCES mfa_devices (serial) ON DELETE CASCADE,
    key    TEXT NOT NULL COLLATE NOCASE,
    value  TEXT NOT NULL,
    UNIQUE (serial, key)
) STRICT;

CREATE TABLE access_keys (
    id            TEXT PRIMARY KEY,         -- AKIA and 16 characters
    user_id       INTEGER NOT NULL REFERENCES users (id),
    sealed_secret BLOB NOT NULL,            -- bound to the id: SigV4 needs the secret itself
    created_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX access_keys_of_user ON access_keys (user_id);
