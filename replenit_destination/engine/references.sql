-- What the documents accepted in one run point to and the vendor was never told of.
-- {place} is the identifier in a child key (a JSON array), {part} that of a child of what is pointed to, {parts}
-- where such children stand in the kept body.

-- name: absent
WITH referring AS (
  SELECT key, unnest(children) AS child
  FROM {ledger}.entry
  WHERE account = ? AND entity = ? AND run = ? AND content_hash IS NOT NULL
),
referred AS (
  SELECT child, json_extract_string(child, '{place}') AS id, {part} AS part
  FROM referring
  GROUP BY child
),
catalogue AS (
  SELECT entry.key AS id, body
  FROM {ledger}.entry AS entry
  SEMI JOIN referred ON referred.id = entry.key
  WHERE account = ? AND entity = ?
),
absent AS (
  SELECT child, referred.id, part
  FROM referred
  LEFT JOIN catalogue ON catalogue.id = referred.id
  WHERE referred.id <> '' AND (
    catalogue.id IS NULL
    OR part <> '' AND body IS NOT NULL AND NOT list_contains(json_extract_string(body, '{parts}'), part)
  )
)
SELECT
  (SELECT count(DISTINCT key) FROM referring SEMI JOIN absent USING (child)) AS documents,
  (SELECT count(*) FROM absent) AS absent,
  (
    SELECT list(struct_pack(id := id, part := part, documents := documents) ORDER BY documents DESC, id, part)
    FROM (
      SELECT id, part, count(*) AS documents
      FROM absent JOIN referring USING (child)
      GROUP BY ALL
      ORDER BY documents DESC, id, part
      LIMIT {limit}
    )
  ) AS samples
