-- What an analyst may ask of a ledger: made in its file with the tables, described in docs/history.md. Names are not
-- qualified, so that the views hold under whatever name the file is attached. No view has an address or an id in it:
-- `key_hash` of documents is the one that reports print.

-- name: runs
CREATE OR REPLACE VIEW runs AS
SELECT
  run.run, account.target, account.host, account.tenant, run.load_id,
  run.started_at, run.finished_at,
  epoch(run.finished_at) - epoch(run.started_at) AS seconds,
  CAST(report ->> '$.exit_code' AS INTEGER) AS exit_code,
  nullif(report ->> '$.halted', '') AS halted,
  nullif(report ->> '$.error', '') AS error,
  CAST(report ->> '$.requests' AS BIGINT) AS requests,
  CAST(report ->> '$.throttled' AS BIGINT) AS throttled,
  CAST(report ->> '$.bytes' AS BIGINT) AS bytes
FROM run
JOIN account USING (account)

-- name: run_entities
CREATE OR REPLACE VIEW run_entities AS
WITH counted AS (
  SELECT run, account, started_at, unnest(json_keys(report, '$.entities')) AS entity, report
  FROM run
  WHERE report IS NOT NULL
),
one AS (
  SELECT run, account, started_at, entity, json_extract(report, concat('$.entities."', entity, '"')) AS told
  FROM counted
)
SELECT
  run, account.host, account.tenant, started_at, entity,
  CAST(told ->> '$.created' AS BIGINT) AS created,
  CAST(told ->> '$.updated' AS BIGINT) AS updated,
  CAST(told ->> '$.deleted' AS BIGINT) AS deleted,
  CAST(told ->> '$.children_deleted' AS BIGINT) AS children_deleted,
  CAST(told ->> '$.unchanged' AS BIGINT) AS unchanged,
  CAST(told ->> '$.rejected' AS BIGINT) AS rejected,
  CAST(told ->> '$.quarantined' AS BIGINT) AS quarantined,
  CAST(told ->> '$.skipped' AS BIGINT) AS skipped,
  CAST(told ->> '$.withheld' AS BIGINT) AS withheld,
  CAST(told ->> '$.backlog' AS BIGINT) AS backlog,
  CAST(told ->> '$.unconfirmed' AS BIGINT) AS unconfirmed,
  told ->> '$.compared' AS compared
FROM one
JOIN account USING (account)

-- name: run_refusals
CREATE OR REPLACE VIEW run_refusals AS
WITH refused AS (
  SELECT run, account, started_at, unnest(from_json(report -> '$.refusals', '["JSON"]')) AS told
  FROM run
  WHERE report IS NOT NULL
)
SELECT
  run, account.host, account.tenant, started_at,
  told ->> '$.entity' AS entity, told ->> '$.field' AS field, told ->> '$.reason' AS reason,
  CAST(told ->> '$.count' AS BIGINT) AS documents
FROM refused
JOIN account USING (account)

-- name: documents
CREATE OR REPLACE VIEW documents AS
SELECT
  account.host, account.tenant, entity,
  left(sha256(encode(entity) || '\x00'::BLOB || encode(key)), 10) AS key_hash,
  sent, confirmed, len(children) AS children, grants AS given,
  accepted_at, run, request_id, backlog, refusal
FROM entry
JOIN account USING (account)

-- name: quarantine
CREATE OR REPLACE VIEW quarantine AS
SELECT
  account.host, account.tenant, entity,
  left(sha256(encode(entity) || '\x00'::BLOB || encode(key)), 10) AS key_hash,
  refusal, field, reason, words, attempts, refused_at, sent AS earlier_version_sent
FROM entry
JOIN account USING (account)
WHERE refusal IN ('rejected', 'quarantined', 'suspect')

-- name: deliveries
CREATE OR REPLACE VIEW deliveries AS
SELECT
  moment, account.host, account.tenant, delivery_log.run, run.load_id, entity,
  lower(hex(delivery_log.key_hash)) AS keyed_hash, lower(hex(person)) AS person,
  action, verdict, given, withheld, request_id
FROM delivery_log
JOIN account USING (account)
LEFT JOIN run ON run.run = delivery_log.run

-- name: erasures
CREATE OR REPLACE VIEW erasures AS
SELECT
  erasure, asked_at, purged_at,
  (SELECT count(*) FROM erasure_item AS item WHERE item.erasure = erasure.erasure) AS pending,
  (SELECT count(*) FROM tombstone WHERE tombstone.erasure = erasure.erasure) AS tombstones
FROM erasure
