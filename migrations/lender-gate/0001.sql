CREATE TABLE access_log (
  seq INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  -- 1 if the call counts against the Score limits, and 1 if it counts against the lookup limits
  counted INTEGER NOT NULL,
  counted_lookup INTEGER NOT NULL,
  -- RFC 8785 form of the row, prev_hash included; row_hash is its SHA-256
  canonical TEXT NOT NULL,
  row_hash TEXT NOT NULL
);
CREATE INDEX access_log_counted ON access_log (at_ms) WHERE counted = 1;
CREATE TRIGGER access_log_no_update BEFORE UPDATE ON access_log BEGIN SELECT RAISE(ABORT, 'access_log is append-only'); END;
CREATE TRIGGER access_log_no_delete BEFORE DELETE ON access_log BEGIN SELECT RAISE(ABORT, 'access_log is append-only'); END;

-- Consents that were revoked: nothing is disclosed under them, whatever a cache says. Kept until the consent's own expiry.
CREATE TABLE denials (consent_id TEXT PRIMARY KEY, until_ms INTEGER NOT NULL) WITHOUT ROWID;

-- Revoked tokens (by jti) and clients (by client_id: every token; a client is never un-revoked).
CREATE TABLE revocations (
  kind TEXT NOT NULL, value TEXT NOT NULL, until_ms INTEGER NOT NULL,
  PRIMARY KEY (kind, value)
) WITHOUT ROWID;

-- Answers kept for a repeated X-Request-ID.
CREATE TABLE replies (
  request_id TEXT PRIMARY KEY, body_sha256 TEXT NOT NULL, answer TEXT NOT NULL, language TEXT NOT NULL,
  consent_id TEXT NOT NULL, consent_until_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE limits (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
