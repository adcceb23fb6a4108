-- customers: one row per document
WITH source AS (
  SELECT rowid AS _row, "id", "email", "first_name", "last_name", "phone", "language", "email_opt_in", "sms_opt_in"
  FROM "memory"."shop"."customers"
)
SELECT
  "customers"._row,
  lower(nullif(trim("email", E' \t\n\r' || chr(160)), '')) AS key,
  CAST("id" AS VARCHAR) AS source_id,
  0 AS source_rows,
  CAST(to_json({
    'CustomerId': CAST("id" AS VARCHAR),
    'Email': lower(nullif(trim("email", E' \t\n\r' || chr(160)), '')),
    'Name': nullif(trim("first_name", E' \t\n\r' || chr(160)), ''),
    'Surname': nullif(trim("last_name", E' \t\n\r' || chr(160)), ''),
    'Phone': nullif(trim("phone", E' \t\n\r' || chr(160)), ''),
    'Language': nullif(trim("language", E' \t\n\r' || chr(160)), ''),
    'EmailOptin': "email_opt_in",
    'SmsOptin': "sms_opt_in",
    'GdprOptin': coalesce(("email_opt_in"), false)
  }) AS VARCHAR) AS document
FROM source AS "customers";

-- products: one row per document
WITH source AS (
  SELECT rowid AS _row, "id", "name", "category", "brand"
  FROM "memory"."shop"."products"
),
child_source AS (
  SELECT "root_row"._row, "child_row"."product_id", "child_row"."id", "child_row"."sku", "child_row"."name", "child_row"."price", "child_row"."currency", "child_row"."active", "child_row"."image_url", "child_row"."size", "child_row"."stock", "child_row"."sale_price", {
    'name': root_row."name",
    'brand': root_row."brand"
  } AS "products"
  FROM "memory"."shop"."product_variants" AS "child_row"
  JOIN source AS "root_row" ON "child_row"."product_id" = "root_row"."id"
),
children AS (
  SELECT
    _row,
    count(*) AS _child_rows,
    list(_child ORDER BY "id") AS _children
  FROM (
    SELECT *, {
      'VariantId': CAST("id" AS VARCHAR),
      'Sku': nullif(trim("sku", E' \t\n\r' || chr(160)), ''),
      'Name': nullif(trim(coalesce(name, products.name), E' \t\n\r' || chr(160)), ''),
      'OriginalPrice': CAST("price" AS VARCHAR),
      'Currency': nullif(trim("currency", E' \t\n\r' || chr(160)), ''),
      'IsAvailable': "active",
      'Image': nullif(trim("image_url", E' \t\n\r' || chr(160)), ''),
      'Size': nullif(trim("size", E' \t\n\r' || chr(160)), ''),
      'Stock': CAST("stock" AS VARCHAR),
      'SalePrice': CAST("sale_price" AS VARCHAR),
      'BrandName': nullif(trim(products.brand, E' \t\n\r' || chr(160)), ''),
      '_line': CAST("id" AS VARCHAR)
    } AS _child
    FROM child_source AS "variants"
  ) AS "variants"
  GROUP BY _row
)
SELECT
  "products"._row,
  CAST("id" AS VARCHAR) AS key,
  CAST("id" AS VARCHAR) AS source_id,
  coalesce(_nested._child_rows, 0) AS source_rows,
  CAST(to_json({
    'ProductId': CAST("id" AS VARCHAR),
    'ProductName': nullif(trim("name", E' \t\n\r' || chr(160)), ''),
    'Taxonomy': CASE WHEN nullif(trim("category", E' \t\n\r' || chr(160)), '') IS NOT NULL THEN [nullif(trim("category", E' \t\n\r' || chr(160)), '')] END,
    'ProductVariants': coalesce(_nested._children, [])
  }) AS VARCHAR) AS document
FROM source AS "products"
LEFT JOIN children AS _nested ON _nested._row = "products"._row;

-- orders: one row per document
WITH root AS (
  SELECT rowid AS _row, "customer_id", "id", "created_at", "total", "currency", "status"
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
child_root AS (
  SELECT "root_row"._row, "child_row"."order_id", "child_row"."variant_id", "child_row"."id", "child_row"."quantity", "child_row"."unit_price"
  FROM "memory"."shop"."order_items" AS "child_row"
  JOIN source AS "root_row" ON "child_row"."order_id" = "root_row"."id"
),
"child_source_variant" AS (
  SELECT "id", min({
    'product_id': "product_id",
    'sku': "sku",
    'price': "price",
    'size': "size",
    'color': "color"
  }) AS found
  FROM "memory"."shop"."product_variants"
  WHERE "id" IN (SELECT "variant_id" FROM child_root)
  GROUP BY "id"
),
child_source AS (
  SELECT
    child_root.*,
    "child_source_variant".found AS "variant"
  FROM child_root
  LEFT JOIN "child_source_variant" ON "child_source_variant"."id" = child_root."variant_id"
),
children AS (
  SELECT
    _row,
    count(*) AS _child_rows,
    list_sort(list(_child)) AS _children
  FROM (
    SELECT *, {
      'ProductId': CAST(variant.product_id AS VARCHAR),
      'Sku': nullif(trim(variant.sku, E' \t\n\r' || chr(160)), ''),
      'Quantity': CAST("quantity" AS VARCHAR),
      'Price': CAST("unit_price" AS VARCHAR),
      'OriginalPrice': CAST(variant.price AS VARCHAR),
      'Size': nullif(trim(variant.size, E' \t\n\r' || chr(160)), ''),
      'Color': nullif(trim(variant.color, E' \t\n\r' || chr(160)), ''),
      '_line': CAST("id" AS VARCHAR)
    } AS _child
    FROM child_source AS "items"
  ) AS "items"
  GROUP BY _row
)
SELECT
  "orders"._row,
  CAST("id" AS VARCHAR) AS key,
  CAST("id" AS VARCHAR) AS source_id,
  coalesce(_nested._child_rows, 0) AS source_rows,
  CAST(to_json({
    'OrderId': CAST("id" AS VARCHAR),
    'CustomerId': CAST("customer_id" AS VARCHAR),
    'Email': lower(nullif(trim(customer.email, E' \t\n\r' || chr(160)), '')),
    'OrderDate': strftime(timezone('UTC', timezone('Europe/Berlin', CAST("created_at" AS TIMESTAMP))), '%Y-%m-%dT%H:%M:%S.%gZ'),
    'TotalRevenue': CAST("total" AS VARCHAR),
    'Currency': nullif(trim("currency", E' \t\n\r' || chr(160)), ''),
    'IsOrderCancelled': coalesce(lower(status) IN ('cancelled', 'canceled'), false),
    'OrderItems': coalesce(_nested._children, [])
  }) AS VARCHAR) AS document
FROM source AS "orders"
LEFT JOIN children AS _nested ON _nested._row = "orders"._row;
