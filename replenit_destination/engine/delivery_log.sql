-- The delivery log. {key_hash}, {person_hash} and the like are SQL of keyed hashes.

-- name: append
-- One row per document of a person that was in a request: as it was answered, or in doubt.
INSERT INTO {ledger}.delivery_log BY NAME
WITH answered AS (
  SELECT moment, account, run, entity, key, person, action, child, verdict, grants, fields, request_id
  FROM {outcomes}
  WHERE {part} AND batch > 0 AND verdict <> 'backlog' AND entity IN ({entities})
),
unanswered AS (
  SELECT moment, account, run, entity, key, action
  FROM {intents} AS intent
  ANTI JOIN answered USING (run, account, entity, key, action, child)
  WHERE {part} AND entity IN ({entities})
),
sent AS (
  SELECT moment, account, run, entity, key, person, action, verdict, grants, fields, request_id
  FROM answered
  UNION ALL BY NAME
  SELECT *, 'in doubt' AS verdict FROM unanswered
),
named AS (
  SELECT *, {key_hash} AS key_hash, {consents} AS consents FROM sent
)
SELECT
  moment, account, run, entity, key_hash,
  CASE WHEN entity IN ({people}) THEN key_hash ELSE {person_hash} END AS person,
  action, verdict,
  CASE WHEN action = 'upsert' AND len(consents) > 0 THEN grants END AS given,
  CASE WHEN action = 'upsert' AND len(consents) > 0 THEN list_filter(
    consents,
    lambda name: list_contains(string_split(fields, chr(10)), name) AND NOT list_contains(grants, name)
  ) END AS withheld,
  nullif(request_id, '') AS request_id
FROM named

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
