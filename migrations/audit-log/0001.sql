-- One stream of the audit log: a hash chain of entries.
CREATE TABLE audit_log (
  seq INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  -- RFC 8785 form of the row, prev_hash included; row_hash is its SHA-256
  canonical TEXT NOT NULL,
  row_hash TEXT NOT NULL
);
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;

-- How far the rows are known to be in D1; one row.
CREATE TABLE audit_flush (flushed_seq INTEGER NOT NULL);
INSERT INTO audit_flush VALUES (0);

-- Events that have their entry: a second delivery adds nothing.
CREATE TABLE event_ids (event_id TEXT PRIMARY KEY) WITHOUT ROWID;

-- Failures of the present minute that have their row: the same again is only counted, and told when the minute is over.
CREATE TABLE repeats (
  entry TEXT PRIMARY KEY,
  until_ms INTEGER NOT NULL,
  times INTEGER NOT NULL
) WITHOUT ROWID;
