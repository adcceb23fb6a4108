-- A ledger as version 0.1 made it: the schema of format 1, frozen.

CREATE TABLE {ledger}.format (version INTEGER NOT NULL, created_at TIMESTAMPTZ NOT NULL);

CREATE TABLE {ledger}.account (
  account INTEGER NOT NULL, target VARCHAR NOT NULL, host VARCHAR NOT NULL, tenant VARCHAR NOT NULL
);

CREATE TABLE {ledger}.entry (
  account INTEGER NOT NULL, entity VARCHAR NOT NULL, key VARCHAR NOT NULL,
  source_id VARCHAR,        -- the row's identity at the source; finds a person whose key changed
  sent BOOLEAN NOT NULL,    -- the vendor holds it, or may
  content_hash UBIGINT,     -- of the accepted document; NULL: never accepted, or in doubt
  source_hash UBIGINT,      -- of the assembled row it came from
  source_rows INTEGER,      -- child rows at the source: a lost one leaves no other trace
  children VARCHAR[],       -- child keys the vendor holds, or may
  lines VARCHAR,            -- source line id → child key, JSON: identifiers outlive a deleted product
  grants VARCHAR[],         -- consents given; one that is missing next time is a withdrawal
  withdrawn_at VARCHAR,     -- the consent time of the last accepted document that withheld a consent
  fields VARCHAR,           -- names of the properties the accepted document had
  body VARCHAR,             -- the document itself, only where removal means re-sending it altered
  accepted_at TIMESTAMPTZ, confirmed BOOLEAN, run VARCHAR, request_id VARCHAR,
  backlog VARCHAR,          -- why it must be looked at again although its source did not change
  refusal VARCHAR,          -- rejected (by us) | quarantined (by the vendor) | suspect (in a
                            -- refused batch) | skipped (nobody it could be sent for)
  refused_hash UBIGINT, refused_by VARCHAR, field VARCHAR, reason VARCHAR, words VARCHAR,
  attempts INTEGER, refused_at TIMESTAMPTZ
);

CREATE TABLE {ledger}.journal (
  seq BIGINT NOT NULL,      -- the order of appending
  kind VARCHAR NOT NULL,    -- intent | outcome
  documents INTEGER NOT NULL,
  rows VARCHAR NOT NULL     -- an object of columns, as JSON
);

-- More intents and outcomes than one fold can take are unpacked into these first, and folded in parts.
CREATE TABLE {ledger}.intent (
  run VARCHAR NOT NULL, batch INTEGER NOT NULL, account INTEGER NOT NULL, entity VARCHAR NOT NULL,
  key VARCHAR NOT NULL, action VARCHAR NOT NULL, child VARCHAR NOT NULL, children VARCHAR[],
  source_id VARCHAR, moment TIMESTAMPTZ NOT NULL
);

CREATE TABLE {ledger}.outcome (
  seq BIGINT NOT NULL,  -- of the journal's row, and the place in it
  run VARCHAR NOT NULL, batch INTEGER NOT NULL, account INTEGER NOT NULL, entity VARCHAR NOT NULL,
  key VARCHAR NOT NULL, action VARCHAR NOT NULL, child VARCHAR NOT NULL, verdict VARCHAR NOT NULL,
  source_id VARCHAR, content_hash UBIGINT, source_hash UBIGINT, source_rows INTEGER,
  children VARCHAR[], lines VARCHAR, grants VARCHAR[], withdrawn_at VARCHAR,
  fields VARCHAR, body VARCHAR, request_id VARCHAR,
  fingerprint VARCHAR, field VARCHAR, reason VARCHAR, words VARCHAR, moment TIMESTAMPTZ NOT NULL
);

-- The rolling week the guard counts over.
CREATE TABLE {ledger}.removed (
  account INTEGER NOT NULL, entity VARCHAR NOT NULL, child BOOLEAN NOT NULL, moment TIMESTAMPTZ NOT NULL
);

-- The load ids already compared, with their row counts: a set, never a maximum.
CREATE TABLE {ledger}.processed (
  account INTEGER NOT NULL, dataset VARCHAR NOT NULL, entity VARCHAR NOT NULL,
  fingerprint VARCHAR NOT NULL, table_name VARCHAR NOT NULL, load_id VARCHAR NOT NULL, rows BIGINT NOT NULL
);

-- Rows known to be destroyed at the source, as opposed to merely not being there.
CREATE TABLE {ledger}.evidence (
  account INTEGER NOT NULL, entity VARCHAR NOT NULL, source_id VARCHAR NOT NULL, moment TIMESTAMPTZ NOT NULL
);

CREATE TABLE {ledger}.promotion (
  account INTEGER NOT NULL, class VARCHAR NOT NULL, accepted INTEGER NOT NULL
);

CREATE TABLE {ledger}.run (
  run VARCHAR NOT NULL, account INTEGER NOT NULL, started_at TIMESTAMPTZ NOT NULL,
  finished_at TIMESTAMPTZ, report VARCHAR
);

INSERT INTO {ledger}.format VALUES (1, '2026-01-01 00:00:00+00');
INSERT INTO {ledger}.account VALUES (1, 'replenit', 'https://api.example.com', '11111111-1111-4111-8111-111111111111');
INSERT INTO {ledger}.entry (account, entity, key, source_id, sent, content_hash, source_hash, grants, accepted_at, confirmed, attempts)
VALUES
  (1, 'customers', 'ada@example.com', '1', true, 11, 12, ['GdprOptin'], '2026-01-01 10:00:00+00', true, 0),
  (1, 'orders', '1', '1', true, 21, 22, [], '2026-01-01 10:00:00+00', true, 0);
INSERT INTO {ledger}.run VALUES ('first', 1, '2026-01-01 10:00:00+00', '2026-01-01 10:01:00+00', '{"exit_code": 0}');
-- A run that was cut off: two orders left, the answer for one of them came.
INSERT INTO {ledger}.journal VALUES
  (1, 'intent', 2, '{"run":"second","account":1,"moment":1767322800.0,"entity":["orders","orders"],"key":["2","3"],"action":["upsert","upsert"],"child":["",""],"batch":[1,2],"source_id":["2","3"],"children":[[],[]]}'),
  (2, 'outcome', 1, '{"run":"second","account":1,"moment":1767322801.0,"entity":["orders"],"key":["2"],"action":["upsert"],"child":[""],"fingerprint":"f","batch":[1],"verdict":["accepted"],"request_id":["r-1"],"field":[""],"reason":[""],"words":[""],"source_id":["2"],"content_hash":[31],"source_hash":[32],"source_rows":[0],"children":[[]],"lines":[""],"grants":[[]],"withdrawn_at":[""],"fields":["OrderId"],"body":[null]}');
