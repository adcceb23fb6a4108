-- How a ledger's file comes from one format to the next. A new file is made as format 1 (`ledger.sql`) and then
-- upgraded, so that old and new ones end up alike.

-- name: to_2
-- Privacy at rest: who must not come back, whom the vendor must still delete, what was sent about whom.
CREATE TABLE {ledger}.secret (  -- of the HMAC that names people without telling who they are
  inner_pad BLOB NOT NULL, outer_pad BLOB NOT NULL
);

CREATE TABLE {ledger}.erasure (
  erasure VARCHAR NOT NULL, asked_at TIMESTAMPTZ NOT NULL,
  purged_at TIMESTAMPTZ           -- NULL: what is kept here was not purged to the end
);

-- What the vendor must still be told to delete. A row goes when it has.
CREATE TABLE {ledger}.erasure_item (
  erasure VARCHAR NOT NULL, account INTEGER NOT NULL, entity VARCHAR NOT NULL, key VARCHAR NOT NULL,
  identifiers VARCHAR[][] NOT NULL,  -- vendor field, value
  person BLOB,                       -- as in `delivery_log`
  reason VARCHAR                     -- why it could not be delivered so far
);

CREATE TABLE {ledger}.tombstone (
  erasure VARCHAR NOT NULL, field VARCHAR NOT NULL, hash BLOB NOT NULL, moment TIMESTAMPTZ NOT NULL
);

-- Appended only: every request that carried something of a person, with its answer.
CREATE TABLE {ledger}.delivery_log (
  moment TIMESTAMPTZ NOT NULL, account INTEGER NOT NULL, run VARCHAR NOT NULL,
  entity VARCHAR NOT NULL,
  key_hash BLOB NOT NULL,
  person BLOB,                    -- the key hash of the person it belongs to; NULL: not known
  action VARCHAR NOT NULL,        -- upsert | delete | delete_child | erase
  verdict VARCHAR NOT NULL,       -- as in `outcome`, or in doubt: no answer was recorded
  given VARCHAR[], withheld VARCHAR[],  -- names of the consents it gave and of those it denied
  request_id VARCHAR
);

ALTER TABLE {ledger}.run ADD COLUMN load_id VARCHAR;  -- dlt's load that the run belonged to

ALTER TABLE {ledger}.outcome ADD COLUMN person VARCHAR;

-- Its rows were deleted for their age; whose it was, as keyed hashes. NULL again when a row comes back.
ALTER TABLE {ledger}.entry ADD COLUMN purged_at TIMESTAMPTZ;
ALTER TABLE {ledger}.entry ADD COLUMN purged_of BLOB[];

-- A run that was cut off has left its journal, and the reader of today wants every list to be there.
UPDATE {ledger}.journal
SET rows = concat(
  rows[:-2], ',"person":', CAST(to_json(list_transform(range(documents), lambda place: NULL)) AS VARCHAR), '}'
)
WHERE kind = 'outcome'
