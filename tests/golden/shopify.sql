-- customers: one row per document
WITH source AS (
  SELECT rowid AS _row, "id", "email", "email_marketing_state", "sms_marketing_state", "first_name", "last_name", "phone", "locale", "email_marketing_updated_at", "sms_marketing_updated_at"
  FROM "memory"."shop"."customers"
)
SELECT
  "customers"._row,
  lower(nullif(trim("email", E' \t\n\r' || chr(160)), '')) AS key,
  CAST("id" AS VARCHAR) AS source_id,
  0 AS source_rows,
  CAST(to_json({
    'CustomerId': nullif(trim("id", E' \t\n\r' || chr(160)), ''),
    'Email': lower(nullif(trim("email", E' \t\n\r' || chr(160)), '')),
    'Name': nullif(trim("first_name", E' \t\n\r' || chr(160)), ''),
    'Surname': nullif(trim("last_name", E' \t\n\r' || chr(160)), ''),
    'Phone': nullif(trim("phone", E' \t\n\r' || chr(160)), ''),
    'Language': nullif(trim(split_part(locale, '-', 1), E' \t\n\r' || chr(160)), ''),
    'EmailOptin': coalesce(email_marketing_state = 'SUBSCRIBED', false),
    'SmsOptin': coalesce(sms_marketing_state = 'SUBSCRIBED', false),
    'GdprOptin': coalesce((coalesce(email_marketing_state = 'SUBSCRIBED', false)), false) OR coalesce((coalesce(sms_marketing_state = 'SUBSCRIBED', false)), false),
    '_consent_at': strftime(timezone('UTC', greatest(email_marketing_updated_at, sms_marketing_updated_at)), '%Y-%m-%dT%H:%M:%S.%gZ')
  }) AS VARCHAR) AS document
FROM source AS "customers"
WHERE (NOT coalesce(email_marketing_state = 'REDACTED' OR sms_marketing_state = 'REDACTED', false));

-- products: one row per document
WITH source AS (
  SELECT rowid AS _row, "_dlt_id", "id", "title", "category", "product_type", "has_only_default_variant", "currency", "status", "image_url", "language", "vendor"
  FROM "memory"."shop"."products"
),
child_source AS (
  SELECT "root_row"._row, "child_row"."_dlt_parent_id", "child_row"."id", "child_row"."_dlt_list_idx", "child_row"."sku", "child_row"."display_name", "child_row"."compare_at_price", "child_row"."price", "child_row"."available_for_sale", "child_row"."image_url", "child_row"."options", "child_row"."inventory_quantity", "child_row"."inventory_tracked", {
    'has_only_default_variant': root_row."has_only_default_variant",
    'title': root_row."title",
    'currency': root_row."currency",
    'status': root_row."status",
    'image_url': root_row."image_url",
    'language': root_row."language",
    'vendor': root_row."vendor"
  } AS "products"
  FROM "memory"."shop"."products__variants" AS "child_row"
  JOIN source AS "root_row" ON "child_row"."_dlt_parent_id" = "root_row"."_dlt_id"
),
children AS (
  SELECT
    _row,
    count(*) AS _child_rows,
    list(_child ORDER BY "_dlt_list_idx", "id") AS _children
  FROM (
    SELECT *, {
      'VariantId': nullif(trim("id", E' \t\n\r' || chr(160)), ''),
      'Sku': nullif(trim(coalesce(sku, id), E' \t\n\r' || chr(160)), ''),
      'Name': nullif(trim(CASE WHEN products.has_only_default_variant THEN products.title ELSE display_name END, E' \t\n\r' || chr(160)), ''),
      'OriginalPrice': CAST(greatest(price, coalesce(compare_at_price, price)) AS VARCHAR),
      'Currency': nullif(trim(products.currency, E' \t\n\r' || chr(160)), ''),
      'IsAvailable': available_for_sale AND products.status = 'ACTIVE',
      'Image': nullif(trim(coalesce(image_url, products.image_url), E' \t\n\r' || chr(160)), ''),
      'Size': nullif(trim(coalesce(options ->> '$.size', options ->> '$.grosse', options ->> '$.groesse', options ->> '$.taille',
             options ->> '$.talla', options ->> '$.beden', options ->> '$.maat', options ->> '$.storlek'), E' \t\n\r' || chr(160)), ''),
      'Stock': CAST(CASE WHEN inventory_tracked THEN greatest(inventory_quantity, 0) END AS VARCHAR),
      'SalePrice': CAST("price" AS VARCHAR),
      'Language': nullif(trim(split_part(products.language, '-', 1), E' \t\n\r' || chr(160)), ''),
      'BrandName': nullif(trim(products.vendor, E' \t\n\r' || chr(160)), ''),
      '_line': CAST("id" AS VARCHAR)
    } AS _child
    FROM child_source AS "variants"
  ) AS "variants"
  GROUP BY _row
)
SELECT
  "products"._row,
  nullif(trim("id", E' \t\n\r' || chr(160)), '') AS key,
  CAST("id" AS VARCHAR) AS source_id,
  coalesce(_nested._child_rows, 0) AS source_rows,
  CAST(to_json({
    'ProductId': nullif(trim("id", E' \t\n\r' || chr(160)), ''),
    'ProductName': nullif(trim("title", E' \t\n\r' || chr(160)), ''),
    'Taxonomy': list_filter(list_transform(CAST(CASE WHEN category IS NOT NULL THEN string_split(category, ' > ') WHEN product_type IS NOT NULL THEN [product_type] END AS VARCHAR[]), lambda x: nullif(trim(x, E' \t\n\r' || chr(160)), '')), lambda x: x IS NOT NULL),
    'ProductVariants': coalesce(_nested._children, [])
  }) AS VARCHAR) AS document
FROM source AS "products"
LEFT JOIN children AS _nested ON _nested._row = "products"._row;

-- orders: one row per document
WITH root AS (
  SELECT rowid AS _row, "customer_id", "_dlt_id", "id", "test", "email", "processed_at", "cancelled_at", "current_quantity", "current_shipping_price", "current_total_price", "shipping_price", "shipping_tax", "taxes_included", "total_price", "currency", "attributes"
  FROM "memory"."shop"."orders"
),
"source_customer" AS (
  SELECT "id", min({
    'email': "email"
  }) AS found
  FROM "memory"."shop"."customers"
  WHERE "id" IN (SELECT "customer_id" FROM root)
  GROUP BY "id"
),
source AS (
  SELECT
    root.*,
    "source_customer".found AS "customer"
  FROM root
  LEFT JOIN "source_customer" ON "source_customer"."id" = root."customer_id"
),
child_source AS (
  SELECT "root_row"._row, "child_row"."_dlt_parent_id", "child_row"."id", "child_row"."current_quantity", "child_row"."_dlt_list_idx", "child_row"."product_id", "child_row"."sku", "child_row"."variant_id", "child_row"."variant_sku", "child_row"."quantity", "child_row"."unit_price", "child_row"."unit_tax", "child_row"."original_unit_price", "child_row"."options", "child_row"."vendor", "child_row"."attributes", {
    'cancelled_at': root_row."cancelled_at",
    'current_quantity': root_row."current_quantity",
    'taxes_included': root_row."taxes_included",
    'attributes': root_row."attributes"
  } AS "orders"
  FROM "memory"."shop"."orders__line_items" AS "child_row"
  JOIN source AS "root_row" ON "child_row"."_dlt_parent_id" = "root_row"."_dlt_id"
),
children AS (
  SELECT
    _row,
    count(*) AS _child_rows,
    list(_child ORDER BY "_dlt_list_idx", "id") FILTER (WHERE current_quantity > 0 OR orders.cancelled_at IS NOT NULL OR orders.current_quantity = 0) AS _children
  FROM (
    SELECT *, {
      'ProductId': nullif(trim("product_id", E' \t\n\r' || chr(160)), ''),
      'Sku': nullif(trim(coalesce(sku, variant_sku, variant_id), E' \t\n\r' || chr(160)), ''),
      'Quantity': CAST(CASE
      WHEN orders.cancelled_at IS NOT NULL OR orders.current_quantity = 0 THEN quantity
      ELSE current_quantity
    END AS VARCHAR),
      'Price': CAST(CASE WHEN orders.taxes_included THEN unit_price ELSE round(unit_price + unit_tax, 2) END AS VARCHAR),
      'OriginalPrice': CAST(CASE
      WHEN orders.taxes_included OR unit_price = 0 THEN original_unit_price
      ELSE CAST(round(original_unit_price * (unit_price + unit_tax) / unit_price, 2) AS DECIMAL(18, 2))
    END AS VARCHAR),
      'Size': nullif(trim(coalesce(options ->> '$.size', options ->> '$.grosse', options ->> '$.groesse', options ->> '$.taille',
             options ->> '$.talla', options ->> '$.beden', options ->> '$.maat', options ->> '$.storlek'), E' \t\n\r' || chr(160)), ''),
      'Color': nullif(trim(coalesce(options ->> '$.color', options ->> '$.colour', options ->> '$.farbe', options ->> '$.couleur',
             options ->> '$.renk', options ->> '$.kleur', options ->> '$.farg'), E' \t\n\r' || chr(160)), ''),
      'Brand': nullif(trim("vendor", E' \t\n\r' || chr(160)), ''),
      'IsGift': coalesce(lower(coalesce(
      attributes ->> '$.gift', attributes ->> '$.is_gift', attributes ->> '$.gift_message', attributes ->> '$.geschenk',
      attributes ->> '$.cadeau', attributes ->> '$.hediye', attributes ->> '$.regalo', orders.attributes ->> '$.gift',
      orders.attributes ->> '$.is_gift', orders.attributes ->> '$.gift_message', orders.attributes ->> '$.geschenk'
    )) NOT IN ('', '0', 'no', 'false', 'nein', 'non'), false),
      '_line': CAST("id" AS VARCHAR)
    } AS _child
    FROM child_source AS "items"
  ) AS "items"
  GROUP BY _row
)
SELECT
  "orders"._row,
  nullif(trim("id", E' \t\n\r' || chr(160)), '') AS key,
  CAST("id" AS VARCHAR) AS source_id,
  coalesce(_nested._child_rows, 0) AS source_rows,
  CAST(to_json({
    'OrderId': nullif(trim("id", E' \t\n\r' || chr(160)), ''),
    'CustomerId': nullif(trim("customer_id", E' \t\n\r' || chr(160)), ''),
    'Email': lower(nullif(trim(coalesce(customer.email, email), E' \t\n\r' || chr(160)), '')),
    'OrderDate': strftime(timezone('UTC', "processed_at"), '%Y-%m-%dT%H:%M:%S.%gZ'),
    'TotalRevenue': CAST(greatest(0, CASE
    WHEN cancelled_at IS NOT NULL OR current_quantity = 0
    THEN total_price - coalesce(shipping_price, 0)
      - CASE WHEN taxes_included THEN 0 ELSE coalesce(shipping_tax, 0) END
    ELSE current_total_price - current_shipping_price
      - CASE WHEN taxes_included OR current_shipping_price = 0 THEN 0 ELSE coalesce(shipping_tax, 0) END
  END) AS VARCHAR),
    'Currency': nullif(trim("currency", E' \t\n\r' || chr(160)), ''),
    'IsOrderCancelled': cancelled_at IS NOT NULL OR current_quantity = 0,
    'OrderItems': coalesce(_nested._children, [])
  }) AS VARCHAR) AS document
FROM source AS "orders"
LEFT JOIN children AS _nested ON _nested._row = "orders"._row
WHERE (NOT coalesce("test", false));
