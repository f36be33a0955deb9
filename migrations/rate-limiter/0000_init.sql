-- One row per admitted call; it counts until expires_ms (Unix ms).
CREATE TABLE hits (expires_ms INTEGER NOT NULL);
CREATE INDEX hits_by_expiry ON hits (expires_ms);
