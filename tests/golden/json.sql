-- orders: one row per document
WITH source AS (
  SELECT rowid AS _row, "positions", "number", "mail", "placed_on", "amount", "currency"
  FROM "memory"."shop"."orders"
),
child_source AS (
  SELECT _row, _position, _item ->> '$."article"' AS "article", _item ->> '$."quantity"' AS "quantity", _item ->> '$."price"' AS "price", _item AS item
  FROM (
    SELECT _row, unnest(_list) AS _item, generate_subscripts(_list, 1) AS _position
    FROM (
      SELECT _row, CASE
          WHEN "positions" IS NULL OR json_type(TRY_CAST("positions" AS JSON)) = 'NULL' THEN CAST([] AS JSON[])
          WHEN json_type(TRY_CAST("positions" AS JSON)) = 'ARRAY' THEN json_extract(TRY_CAST("positions" AS JSON), '$[*]')
          ELSE [coalesce(TRY_CAST("positions" AS JSON), CAST('null' AS JSON))]
        END AS _list
      FROM source
    )
  )
),
children AS (
  SELECT
    _row,
    count(*) AS _child_rows,
    list(_child ORDER BY _position) FILTER (WHERE coalesce(item ->> '$.state', '') <> 'returned') AS _children
  FROM (
    SELECT *, {
      'ProductId': nullif(trim("article", E' \t\n\r' || chr(160)), ''),
      'Sku': nullif(trim(coalesce(item ->> '$.variant.sku', article), E' \t\n\r' || chr(160)), ''),
      'Quantity': nullif(trim("quantity", E' \t\n\r' || chr(160)), ''),
      'Price': nullif(trim("price", E' \t\n\r' || chr(160)), '')
    } AS _child
    FROM child_source AS "items"
  ) AS "items"
  GROUP BY _row
)
SELECT
  "orders"._row,
  nullif(trim("number", E' \t\n\r' || chr(160)), '') AS key,
  coalesce(nullif(trim("number", E' \t\n\r' || chr(160)), '')) AS source_id,
  coalesce(_nested._child_rows, 0) AS source_rows,
  CAST(to_json({
    'OrderId': nullif(trim("number", E' \t\n\r' || chr(160)), ''),
    'Email': lower(nullif(trim("mail", E' \t\n\r' || chr(160)), '')),
    'OrderDate': strftime(timezone('UTC', timezone('Europe/Berlin', CAST(("placed_on") + INTERVAL 12 HOUR AS TIMESTAMP))), '%Y-%m-%dT%H:%M:%S.%gZ'),
    'TotalRevenue': CAST(CAST(amount AS DECIMAL(18, 2)) AS VARCHAR),
    'Currency': nullif(trim("currency", E' \t\n\r' || chr(160)), ''),
    'OrderItems': coalesce(_nested._children, [])
  }) AS VARCHAR) AS document
FROM source AS "orders"
LEFT JOIN children AS _nested ON _nested._row = "orders"._row;
