-- The delivery log. {key_hash}, {person_hash} and the like are SQL of keyed hashes.

-- name: unanswered
-- How many documents left in requests of which no answer is on record: none, unless a run was cut off.
SELECT (SELECT count(*) FROM {intents} WHERE {part} AND entity IN ({entities}))
  - (SELECT count(*) FROM {outcomes} WHERE {part} AND batch > 0 AND verdict <> 'backlog' AND entity IN ({entities}))

-- name: append_people
INSERT INTO {ledger}.delivery_log BY NAME
WITH sent AS (
  SELECT
    moment, account, run, entity, {key_hash} AS key_hash, action, verdict, request_id, grants, {consents} AS consents,
    string_split(fields, chr(10)) AS fields
  FROM {outcomes}
  WHERE {part} AND batch > 0 AND verdict <> 'backlog' AND entity IN ({people})
)
SELECT
  moment, account, run, entity, key_hash, key_hash AS person, action, verdict,
  CASE WHEN action = 'upsert' THEN grants END AS given,
  CASE WHEN action = 'upsert' THEN list_filter(
    consents, lambda name: list_contains(fields, name) AND NOT list_contains(grants, name)
  ) END AS withheld,
  nullif(request_id, '') AS request_id
FROM sent

-- name: append_carriers
INSERT INTO {ledger}.delivery_log BY NAME
SELECT
  moment, account, run, entity, {key_hash} AS key_hash, {person_hash} AS person, action, verdict,
  nullif(request_id, '') AS request_id
FROM {outcomes}
WHERE {part} AND batch > 0 AND verdict <> 'backlog' AND entity IN ({carriers})

-- name: append_doubts
-- Sent, and nobody knows whether it arrived.
INSERT INTO {ledger}.delivery_log BY NAME
WITH doubted AS (
  SELECT moment, account, run, entity, action, {key_hash} AS key_hash
  FROM {intents} AS intent
  ANTI JOIN (
    FROM {outcomes} WHERE batch > 0 AND verdict <> 'backlog'
  ) AS answered USING (run, account, entity, key, action, child)
  WHERE {part} AND entity IN ({entities})
)
SELECT
  *, CASE WHEN entity IN ({people}) THEN key_hash END AS person, 'in doubt' AS verdict
FROM doubted

-- name: sent
WITH given AS (
  SELECT {name_hash} AS hash FROM (SELECT unnest($names) AS name)
),
-- A person has several names: by the ledger while it knows them, by their tombstones afterwards.
known AS (
  SELECT hash FROM given
  UNION
  SELECT {known_hash} FROM {ledger}.entry AS entry
  WHERE account = $account AND len($names) > 0 AND {id_hash} IN (FROM given)
    AND entity IN (SELECT DISTINCT entity FROM {ledger}.delivery_log WHERE person = key_hash)
  UNION
  SELECT hash FROM {ledger}.tombstone
  WHERE erasure IN (SELECT erasure FROM {ledger}.tombstone WHERE hash IN (FROM given))
)
SELECT
  epoch(moment), log.entity, lower(hex(log.key_hash)), log.action, log.verdict, log.given, log.withheld,
  log.request_id, log.run, run.load_id
FROM {ledger}.delivery_log AS log
LEFT JOIN {ledger}.run AS run ON run.run = log.run
WHERE log.account = $account AND epoch(log.moment) >= $since
  AND (log.person IN (FROM known) OR log.entity = $entity AND log.key_hash = {key_hash})
ORDER BY log.moment, log.entity, log.key_hash, log.action
