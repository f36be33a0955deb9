-- A denial stands as the newest record says: a pause can be lifted, and what is older never undoes it. Rows of before are
-- revocations, which nothing follows.
ALTER TABLE denials ADD COLUMN record_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE denials ADD COLUMN lifted INTEGER NOT NULL DEFAULT 0;
