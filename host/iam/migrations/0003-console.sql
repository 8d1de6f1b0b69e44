-- What the console needs: the event log, requests to remove a device, and wrong codes in a row.

CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    record TEXT NOT NULL                    -- one record in CloudTrail's shape, as JSON
) STRICT;

CREATE INDEX events_by_time ON events (at);

-- At most one a device: what its owner asked for last.
CREATE TABLE removal_requests (
    serial    TEXT PRIMARY KEY REFERENCES mfa_devices (serial) ON DELETE CASCADE,
    user_id   INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    reason    TEXT NOT NULL,
    asked_at  INTEGER NOT NULL,
    denied_at INTEGER                       -- until then it is open; what is granted is gone with the device
) STRICT;

-- A request dies with the use that it was about, however that ended.
CREATE TRIGGER removal_request_ends AFTER UPDATE OF user_id ON mfa_devices
BEGIN
    DELETE FROM removal_requests WHERE serial = OLD.serial;
END;

-- Only someone who knows the password gets as far as an MFA code.
CREATE TABLE wrong_codes (
    user_id INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    in_row  INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT;

-- A key that was registered with U2F signs for the AppID.
ALTER TABLE webauthn_credentials ADD COLUMN is_u2f INTEGER NOT NULL DEFAULT 0 CHECK (is_u2f IN (0, 1));
