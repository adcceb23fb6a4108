-- What deliveries have learned of an account, in the ledger's file. Made where it is missing, so that a ledger of
-- before it goes on: it merely has nothing to remember yet.

-- name: learned_size
-- The largest body of an entity that is worth trying, where the service did not take a larger one.
CREATE TABLE IF NOT EXISTS {ledger}.learned_size (
  account INTEGER NOT NULL, entity VARCHAR NOT NULL, bytes BIGINT NOT NULL,
  accepted INTEGER NOT NULL      -- requests taken since; after enough of them larger ones are tried
)

-- name: suspect
-- Documents that were refused together, by group. `size` is how many the group had; 0: perhaps none is at fault.
CREATE TABLE IF NOT EXISTS {ledger}.suspect (
  account INTEGER NOT NULL, entity VARCHAR NOT NULL, key VARCHAR NOT NULL,
  "group" VARCHAR NOT NULL, size INTEGER NOT NULL
)
