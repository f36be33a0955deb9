-- How far the access log is known to be in D1; one row.
CREATE TABLE audit_flush (flushed_seq INTEGER NOT NULL);
INSERT INTO audit_flush VALUES (0);
