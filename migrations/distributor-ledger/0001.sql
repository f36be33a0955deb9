-- One distributor's ledger. Days are IST day numbers since 1970-01-01, money is paise, times are Unix ms.

-- What the ledger knows about itself; one row.
CREATE TABLE ledger (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  distributor_id TEXT NOT NULL,
  registered_erp_type TEXT NOT NULL,
  -- 0 as long as every accepted batch was a csv file.
  has_other_than_csv INTEGER NOT NULL,
  -- Grows with every batch that enters the books: watermark of statements.
  revision INTEGER NOT NULL
);

CREATE TABLE batches (
  batch_no INTEGER PRIMARY KEY,
  batch_id TEXT NOT NULL UNIQUE,
  external_batch_id TEXT NOT NULL UNIQUE,
  batch_seq TEXT,
  erp_type TEXT NOT NULL,
  payload_sha256 TEXT NOT NULL,
  received_ms INTEGER NOT NULL,
  sync_from_ms INTEGER NOT NULL,
  sync_to_ms INTEGER NOT NULL,
  accepted INTEGER NOT NULL,
  quarantined INTEGER NOT NULL,
  duplicates INTEGER NOT NULL,
  -- JSON {score, invoice, payment, temporal, identity, schema}
  completeness TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('processing', 'complete', 'held', 'failed')),
  -- CloudEvents envelope of ingestion.batch.complete; null while held.
  event TEXT,
  -- When the event is to be sent (again); null once the batch is complete, or while held.
  next_send_ms INTEGER,
  send_attempts INTEGER NOT NULL
);
CREATE INDEX batches_by_received ON batches (received_ms);
CREATE INDEX batches_to_send ON batches (next_send_ms) WHERE next_send_ms IS NOT NULL;

-- The books: the version of each record that holds now.
CREATE TABLE invoices (
  invoice_id TEXT PRIMARY KEY,
  retailer_id TEXT NOT NULL,
  invoice_day INTEGER NOT NULL,
  due_day INTEGER,
  amount_paise INTEGER NOT NULL,
  is_return INTEGER NOT NULL,
  original_invoice_id TEXT,
  disputed INTEGER NOT NULL,
  sync_to_ms INTEGER NOT NULL,
  batch_no INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX invoices_by_retailer_day ON invoices (retailer_id, invoice_day);

CREATE TABLE payments (
  payment_id TEXT PRIMARY KEY,
  invoice_id TEXT NOT NULL,
  paid_day INTEGER NOT NULL,
  amount_paise INTEGER NOT NULL,
  payment_method TEXT,
  bounced INTEGER NOT NULL,
  sync_to_ms INTEGER NOT NULL,
  batch_no INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX payments_by_invoice ON payments (invoice_id);

-- Lineage: versions that a correction replaced, or that arrived after a newer one. `content` is the JSON array of
-- the columns between the id and sync_to_ms (retailer_id apart).
CREATE TABLE versions (
  kind TEXT NOT NULL CHECK (kind IN ('invoice', 'payment')),
  record_id TEXT NOT NULL,
  retailer_id TEXT,
  content TEXT NOT NULL,
  sync_to_ms INTEGER NOT NULL,
  batch_no INTEGER NOT NULL
);
CREATE INDEX versions_by_record ON versions (kind, record_id);
CREATE INDEX versions_by_retailer ON versions (retailer_id) WHERE retailer_id IS NOT NULL;

CREATE TABLE quarantine (
  batch_no INTEGER NOT NULL,
  kind TEXT NOT NULL,
  record_index INTEGER NOT NULL,
  record_id TEXT,
  reason TEXT NOT NULL,
  -- Keyed hash of the bad value; the value itself is not kept.
  value_hash TEXT NOT NULL,
  PRIMARY KEY (batch_no, kind, record_index)
) WITHOUT ROWID;

CREATE TABLE flags (
  batch_no INTEGER NOT NULL,
  record_index INTEGER NOT NULL,
  invoice_id TEXT NOT NULL,
  flag TEXT NOT NULL,
  PRIMARY KEY (batch_no, record_index, flag)
) WITHOUT ROWID;

-- Retailers whose books a batch changed and that are not scored since.
CREATE TABLE pending_retailers (
  batch_no INTEGER NOT NULL,
  retailer_id TEXT NOT NULL,
  PRIMARY KEY (batch_no, retailer_id)
) WITHOUT ROWID;

-- Accepted rows of held batches: outside the books until a review decides.
CREATE TABLE held_rows (
  batch_no INTEGER PRIMARY KEY,
  invoices TEXT NOT NULL,
  payments TEXT NOT NULL
);

-- How many invoices of a day state which term: the usual term as of any day without reading all invoices.
CREATE TABLE term_counts (
  invoice_day INTEGER NOT NULL,
  term_days INTEGER NOT NULL,
  invoices INTEGER NOT NULL,
  PRIMARY KEY (invoice_day, term_days)
) WITHOUT ROWID;

-- Records received per day, held batches apart.
CREATE TABLE intake_days (
  received_day INTEGER PRIMARY KEY,
  records_received INTEGER NOT NULL,
  records_quarantined INTEGER NOT NULL
);
