-- What the vendor has accepted, or may hold. One file beside the staging database, attached as {ledger}.
--
--            (no entry) ──intend──> in doubt ──accepted──> accepted ──changed──> in doubt …
--                                      │                      │
--                                      └──refused──> refusal  └──delete accepted──> (no entry)
--
-- While a run sends, `journal` is appended: a row per batch. When the run ends, or at the start of the next one when
-- it could not end, it is unpacked into intents and outcomes, and `fold` turns these into `entry`. A key with an
-- intent and no outcome is in doubt: it may be there.

-- name: schema
-- Format 1. What later formats have besides is in `ledger_upgrades.sql`: a new file comes the same way as an old one.
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

-- name: intents
SELECT
  columns.run, columns.account, to_timestamp(columns.moment) AS moment,
  unnest(columns.batch) AS batch, unnest(columns.entity) AS entity, unnest(columns.key) AS key,
  unnest(columns.action) AS action, unnest(columns.child) AS child,
  unnest(columns.children) AS children, unnest(columns.source_id) AS source_id
FROM (
  SELECT from_json_strict(rows, '{
    "run": "VARCHAR", "account": "INTEGER", "moment": "DOUBLE",
    "batch": ["INTEGER"], "entity": ["VARCHAR"], "key": ["VARCHAR"], "action": ["VARCHAR"],
    "child": ["VARCHAR"], "children": [["VARCHAR"]], "source_id": ["VARCHAR"]
  }') AS columns
  FROM {ledger}.journal
  WHERE kind = 'intent' AND {slice}
)

-- name: outcomes
SELECT
  seq * 1_000_000 + unnest(range(len(columns.key))) AS seq,
  columns.run, columns.account, columns.fingerprint, to_timestamp(columns.moment) AS moment,
  unnest(columns.batch) AS batch, unnest(columns.entity) AS entity, unnest(columns.key) AS key,
  unnest(columns.action) AS action, unnest(columns.child) AS child,
  unnest(columns.verdict) AS verdict, unnest(columns.source_id) AS source_id,
  unnest(columns.content_hash) AS content_hash, unnest(columns.source_hash) AS source_hash,
  unnest(columns.source_rows) AS source_rows, unnest(columns.children) AS children,
  nullif(unnest(columns.lines), '') AS lines, unnest(columns.grants) AS grants,
  nullif(unnest(columns.withdrawn_at), '') AS withdrawn_at, unnest(columns.fields) AS fields,
  unnest(columns.body) AS body, unnest(columns.request_id) AS request_id,
  unnest(columns.field) AS field, unnest(columns.reason) AS reason, unnest(columns.words) AS words,
  unnest(columns.person) AS person
FROM (
  SELECT seq, from_json_strict(rows, '{
    "run": "VARCHAR", "account": "INTEGER", "fingerprint": "VARCHAR", "moment": "DOUBLE",
    "batch": ["INTEGER"], "entity": ["VARCHAR"], "key": ["VARCHAR"], "action": ["VARCHAR"],
    "child": ["VARCHAR"], "verdict": ["VARCHAR"], "source_id": ["VARCHAR"],
    "content_hash": ["UBIGINT"], "source_hash": ["UBIGINT"], "source_rows": ["INTEGER"],
    "children": [["VARCHAR"]], "lines": ["VARCHAR"], "grants": [["VARCHAR"]],
    "withdrawn_at": ["VARCHAR"], "fields": ["VARCHAR"], "body": ["VARCHAR"],
    "request_id": ["VARCHAR"], "field": ["VARCHAR"], "reason": ["VARCHAR"], "words": ["VARCHAR"],
    "person": ["VARCHAR"]
  }') AS columns
  FROM {ledger}.journal
  WHERE kind = 'outcome' AND {slice}
)

-- name: folded
-- One row per key that intents or outcomes speak of: its entry as it must be from now on.
-- {part} picks the keys of one part: a million outcomes at once do not fit the memory limit.
CREATE OR REPLACE TEMP TABLE folded AS
WITH intents AS (SELECT * FROM {intents} WHERE {part}),
outcomes AS (SELECT * FROM {outcomes} WHERE {part}),
entries AS (SELECT * FROM {ledger}.entry WHERE {part}),
affected AS (
  SELECT account, entity, key FROM intents
  UNION
  SELECT account, entity, key FROM outcomes
),
last AS (
  SELECT account, entity, key, outcome
  FROM outcomes AS outcome
  WHERE action = 'upsert' AND seq IN (
    SELECT max(seq) FROM outcomes WHERE action = 'upsert' GROUP BY account, entity, key
  )
),
intended AS (
  SELECT
    account, entity, key,
    coalesce(flatten(list(children) FILTER (WHERE children IS NOT NULL)), []) AS children,
    any_value(source_id) AS source_id
  FROM intents
  WHERE action = 'upsert'
  GROUP BY ALL
),
children_gone AS (
  SELECT account, entity, key, list(child) AS gone
  FROM outcomes
  WHERE action = 'delete_child' AND verdict IN ('accepted', 'unconfirmed')
  GROUP BY ALL
),
removal AS (
  SELECT
    account, entity, key,
    bool_or(action = 'delete' AND verdict IN ('accepted', 'unconfirmed')) AS gone,
    bool_or(verdict NOT IN ('accepted', 'unconfirmed')) AS unfinished,
    bool_and(verdict = 'backlog' AND reason = 'withheld') AS withheld,
    bool_or(action = 'delete' AND verdict <> 'backlog') AS decided,
    arg_max(outcome, seq) FILTER (WHERE verdict = 'quarantined') AS refused
  FROM outcomes AS outcome
  WHERE action <> 'upsert'
  GROUP BY ALL
),
removal_intended AS (
  SELECT account, entity, key, count(*) AS intents, bool_or(action = 'delete') AS whole
  FROM intents
  WHERE action <> 'upsert'
  GROUP BY ALL
),
removal_known AS (
  SELECT account, entity, key, count(*) AS outcomes
  FROM outcomes
  WHERE action <> 'upsert' AND batch > 0
  GROUP BY ALL
),
joined AS (
  SELECT
    affected.account, affected.entity, affected.key,
    entry, outcome,
    outcome.verdict AS verdict,
    intended.key IS NOT NULL AS was_intended,
    intended.children AS intended_children,
    coalesce(outcome.source_id, intended.source_id, entry.source_id) AS source_id,
    coalesce(children_gone.gone, []) AS gone_children,
    coalesce(removal.gone, false) AS gone,
    removal.refused AS removal_refused,
    coalesce(removal.withheld, false) AS withheld,
    -- Perhaps deleted: the answer was lost, or we were killed. Should its row return, it must be sent.
    coalesce(removal_intended.whole, false) AND NOT coalesce(removal.decided, false) AS maybe_gone,
    coalesce(removal.unfinished, false)
      OR coalesce(removal_intended.intents, 0) > coalesce(removal_known.outcomes, 0) AS unfinished
  FROM affected
  LEFT JOIN entries AS entry USING (account, entity, key)
  LEFT JOIN last USING (account, entity, key)
  LEFT JOIN intended USING (account, entity, key)
  LEFT JOIN children_gone USING (account, entity, key)
  LEFT JOIN removal USING (account, entity, key)
  LEFT JOIN removal_intended USING (account, entity, key)
  LEFT JOIN removal_known USING (account, entity, key)
),
judged AS (
  SELECT
    *,
    coalesce(verdict IN ('accepted', 'unconfirmed'), false) AS accepted,
    coalesce(verdict = 'unchanged', false) AS same,
    coalesce(verdict IN ('rejected', 'quarantined', 'suspect', 'skipped'), false) AS refused,
    -- Sent, and nobody knows whether it arrived: the answer was lost, or we were killed.
    was_intended AND (verdict IS NULL OR verdict IN ('backlog', 'suspect')) AS in_doubt,
    -- A removal that was refused is the document's fault until the removal succeeds.
    CASE WHEN removal_refused IS NOT NULL THEN removal_refused WHEN refused THEN outcome END AS fault,
    coalesce(verdict IN ('accepted', 'unconfirmed', 'unchanged'), false) AS cleared
  FROM joined
)
SELECT
  account, entity, key, source_id, gone,
  coalesce(entry.sent, false) OR accepted OR in_doubt AS sent,
  CASE
    WHEN accepted THEN outcome.content_hash
    WHEN in_doubt OR maybe_gone THEN NULL
    ELSE entry.content_hash
  END AS content_hash,
  CASE
    WHEN accepted OR same THEN outcome.source_hash
    WHEN in_doubt THEN NULL
    ELSE entry.source_hash
  END AS source_hash,
  CASE WHEN outcome.verdict IS NULL OR verdict = 'backlog' THEN entry.source_rows
       ELSE outcome.source_rows END AS source_rows,
  list_filter(
    list_distinct(list_concat(
      coalesce(entry.children, []),
      CASE WHEN accepted OR in_doubt THEN coalesce(intended_children, []) ELSE [] END,
      CASE WHEN accepted THEN coalesce(outcome.children, []) ELSE [] END
    )),
    lambda child: NOT list_contains(gone_children, child)
  ) AS children,
  CASE WHEN accepted OR same THEN outcome.lines ELSE entry.lines END AS lines,
  CASE WHEN accepted THEN outcome.grants ELSE entry.grants END AS grants,
  CASE WHEN accepted OR same THEN greatest(outcome.withdrawn_at, entry.withdrawn_at)
       ELSE entry.withdrawn_at END AS withdrawn_at,
  CASE WHEN accepted THEN outcome.fields ELSE entry.fields END AS fields,
  CASE WHEN accepted THEN outcome.body ELSE entry.body END AS body,
  CASE WHEN accepted THEN outcome.moment ELSE entry.accepted_at END AS accepted_at,
  CASE WHEN accepted THEN verdict = 'accepted' ELSE entry.confirmed END AS confirmed,
  CASE WHEN accepted THEN outcome.run ELSE entry.run END AS run,
  CASE WHEN fault IS NOT NULL THEN fault.request_id WHEN accepted THEN outcome.request_id
       ELSE entry.request_id END AS request_id,
  CASE
    WHEN verdict = 'backlog' THEN coalesce(nullif(outcome.reason, ''), 'unsent')
    WHEN verdict = 'suspect' THEN 'suspect'  -- the next run goes on searching
    WHEN in_doubt AND NOT refused THEN 'in doubt'
    WHEN withheld THEN 'withheld'
    WHEN unfinished THEN 'removal'
    -- Killed before the lost child's delete was even intended: the upsert alone is not all.
    WHEN (accepted OR same) AND outcome.source_hash <> 0 AND NOT list_has_all(
      list_concat(coalesce(outcome.children, []), gone_children), coalesce(entry.children, [])
    ) THEN 'removal'
    WHEN verdict IS NULL THEN entry.backlog
  END AS backlog,
  CASE WHEN fault IS NOT NULL THEN fault.verdict WHEN cleared THEN NULL ELSE entry.refusal END AS refusal,
  CASE WHEN fault IS NOT NULL THEN fault.source_hash WHEN cleared THEN NULL
       ELSE entry.refused_hash END AS refused_hash,
  CASE WHEN fault IS NOT NULL THEN fault.fingerprint WHEN cleared THEN NULL
       ELSE entry.refused_by END AS refused_by,
  CASE WHEN fault IS NOT NULL THEN fault.field WHEN cleared THEN NULL ELSE entry.field END AS field,
  CASE WHEN fault IS NOT NULL THEN fault.reason WHEN cleared THEN NULL ELSE entry.reason END AS reason,
  CASE WHEN fault IS NOT NULL THEN fault.words WHEN cleared THEN NULL ELSE entry.words END AS words,
  CASE WHEN fault IS NOT NULL THEN coalesce(entry.attempts, 0) + 1 WHEN cleared THEN 0
       ELSE entry.attempts END AS attempts,
  CASE WHEN fault IS NOT NULL THEN coalesce(entry.refused_at, fault.moment) WHEN cleared THEN NULL
       ELSE entry.refused_at END AS refused_at,
  CASE WHEN NOT (accepted OR same) THEN entry.purged_at END AS purged_at,
  CASE WHEN NOT (accepted OR same) THEN entry.purged_of END AS purged_of
FROM judged

-- name: forget_folded
DELETE FROM {ledger}.entry
USING folded
WHERE entry.account = folded.account AND entry.entity = folded.entity AND entry.key = folded.key

-- name: keep_folded
INSERT INTO {ledger}.entry BY NAME
SELECT * EXCLUDE (gone) FROM folded WHERE NOT gone

-- name: count_removed
INSERT INTO {ledger}.removed
SELECT account, entity, action = 'delete_child', moment
FROM {outcomes}
WHERE {part} AND action <> 'upsert' AND verdict IN ('accepted', 'unconfirmed')

-- name: clear_evidence
-- Evidence has served when nothing of that row is at the vendor any more.
DELETE FROM {ledger}.evidence AS evidence
WHERE NOT EXISTS (
  SELECT 1 FROM {ledger}.entry AS entry
  WHERE entry.account = evidence.account AND entry.entity = evidence.entity
    AND entry.source_id = evidence.source_id
)
