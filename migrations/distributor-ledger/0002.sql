-- The audit stream of the ledger: a row for every batch that was taken, written in its transaction.
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
