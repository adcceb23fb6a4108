-- What the schema-drift hold remembers, in the ledger's file. Made where it is missing, so that a ledger of before
-- it goes on: what it has not seen yet is learnt, not held.

-- name: known_column
CREATE TABLE IF NOT EXISTS {ledger}.known_column (
  account INTEGER NOT NULL, dataset VARCHAR NOT NULL, entity VARCHAR NOT NULL,
  table_name VARCHAR NOT NULL,   -- empty: the entity's query; *: not a column but a fact of the entity
  column_name VARCHAR NOT NULL, type VARCHAR NOT NULL,
  accepted BOOLEAN NOT NULL      -- not read by the mapping, and let pass by a person
)

-- name: source_mark
-- One byte per mapped field of a document's row as it was last let through: 0 for nothing, else a digest of the value.
-- Of many documents only some have them.
-- Before them come two bytes of a digest of the mapping, without which they cannot be compared, and one of the number
-- of children.
CREATE TABLE IF NOT EXISTS {ledger}.source_mark (
  account INTEGER NOT NULL, entity VARCHAR NOT NULL, key_hash UBIGINT NOT NULL, marks BLOB NOT NULL
)
