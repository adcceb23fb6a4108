-- customers: one row per document
-- customers.fields.Phone: no column `phone` in `customers` yet, counts as NULL
-- customers.fields.Language: no column `language` in `customers` yet, counts as NULL
-- customers.fields.Username: no column `username` in `customers` yet, counts as NULL (did you mean `surname`?)
-- customers.fields.EmailOptin: no column `email_optin` in `customers` yet, counts as NULL (did you mean `email`?)
-- customers.fields.SmsOptin: no column `sms_optin` in `customers` yet, counts as NULL (did you mean `gdpr_optin`?)
-- customers.fields.WhatsappOptin: no column `whatsapp_optin` in `customers` yet, counts as NULL
-- customers.fields.AppPushOptin: no column `app_push_optin` in `customers` yet, counts as NULL
-- customers.fields.IsExcluded: no column `is_excluded` in `customers` yet, counts as NULL
WITH source AS (
  SELECT rowid AS _row, "customer_id", "email", "name", "surname", "gdpr_optin", NULL AS "phone", NULL AS "language", NULL AS "username", NULL AS "email_optin", NULL AS "sms_optin", NULL AS "whatsapp_optin", NULL AS "app_push_optin", NULL AS "is_excluded"
  FROM "memory"."shop"."customers"
)
SELECT
  "customers"._row,
  lower(nullif(trim("email", E' \t\n\r' || chr(160)), '')) AS key,
  coalesce(CAST("customer_id" AS VARCHAR), lower(nullif(trim("email", E' \t\n\r' || chr(160)), ''))) AS source_id,
  0 AS source_rows,
  CAST(to_json({
    'CustomerId': CAST("customer_id" AS VARCHAR),
    'Email': lower(nullif(trim("email", E' \t\n\r' || chr(160)), '')),
    'Name': nullif(trim("name", E' \t\n\r' || chr(160)), ''),
    'Surname': nullif(trim("surname", E' \t\n\r' || chr(160)), ''),
    'Phone': NULL,
    'Language': NULL,
    'Username': NULL,
    'EmailOptin': NULL,
    'SmsOptin': NULL,
    'WhatsappOptin': NULL,
    'AppPushOptin': NULL,
    'GdprOptin': coalesce(to_json(CASE WHEN lower(nullif(trim("gdpr_optin", E' \t\n\r' || chr(160)), '')) IN ('true', 't', 'yes', 'y', '1') THEN true WHEN lower(nullif(trim("gdpr_optin", E' \t\n\r' || chr(160)), '')) IN ('false', 'f', 'no', 'n', '0') THEN false END), to_json(nullif(trim("gdpr_optin", E' \t\n\r' || chr(160)), ''))),
    'IsExcluded': NULL
  }) AS VARCHAR) AS document
FROM source AS "customers";

-- products: one row per document
-- products.fields.IsOfflineExclusive: no column `is_offline_exclusive` in `products` yet, counts as NULL
-- products.variants.fields.Image: no column `image` in `product_variants` yet, counts as NULL
-- products.variants.fields.Size: no column `size` in `product_variants` yet, counts as NULL
-- products.variants.fields.SalePrice: no column `sale_price` in `product_variants` yet, counts as NULL (did you mean `original_price`?)
-- products.variants.fields.Language: no column `language` in `product_variants` yet, counts as NULL
-- products.variants.fields.BrandName: no column `brand_name` in `product_variants` yet, counts as NULL
WITH source AS (
  SELECT rowid AS _row, "product_id", "product_name", "taxonomy", NULL AS "is_offline_exclusive"
  FROM "memory"."shop"."products"
),
child_source AS (
  SELECT "root_row"._row, "child_row"."product_id", "child_row"."variant_id", "child_row"."sku", "child_row"."name", "child_row"."original_price", "child_row"."currency", "child_row"."is_available", "child_row"."stock", NULL AS "image", NULL AS "size", NULL AS "sale_price", NULL AS "language", NULL AS "brand_name"
  FROM "memory"."shop"."product_variants" AS "child_row"
  JOIN source AS "root_row" ON "child_row"."product_id" = "root_row"."product_id"
),
children AS (
  SELECT
    _row,
    count(*) AS _child_rows,
    list(_child ORDER BY "variant_id", _child) AS _children
  FROM (
    SELECT *, {
      'VariantId': CAST("variant_id" AS VARCHAR),
      'Sku': nullif(trim("sku", E' \t\n\r' || chr(160)), ''),
      'Name': nullif(trim("name", E' \t\n\r' || chr(160)), ''),
      'OriginalPrice': CAST("original_price" AS VARCHAR),
      'Currency': nullif(trim("currency", E' \t\n\r' || chr(160)), ''),
      'IsAvailable': coalesce(to_json(CASE WHEN lower(nullif(trim("is_available", E' \t\n\r' || chr(160)), '')) IN ('true', 't', 'yes', 'y', '1') THEN true WHEN lower(nullif(trim("is_available", E' \t\n\r' || chr(160)), '')) IN ('false', 'f', 'no', 'n', '0') THEN false END), to_json(nullif(trim("is_available", E' \t\n\r' || chr(160)), ''))),
      'Image': NULL,
      'Size': NULL,
      'Stock': CAST("stock" AS VARCHAR),
      'SalePrice': NULL,
      'Language': NULL,
      'BrandName': NULL
    } AS _child
    FROM child_source AS "variants"
  ) AS "variants"
  GROUP BY _row
)
SELECT
  "products"._row,
  CAST("product_id" AS VARCHAR) AS key,
  coalesce(CAST("product_id" AS VARCHAR)) AS source_id,
  coalesce(_nested._child_rows, 0) AS source_rows,
  CAST(to_json({
    'ProductId': CAST("product_id" AS VARCHAR),
    'ProductName': nullif(trim("product_name", E' \t\n\r' || chr(160)), ''),
    'Taxonomy': list_filter(list_transform(CAST(string_split(taxonomy, '>') AS VARCHAR[]), lambda x: nullif(trim(x, E' \t\n\r' || chr(160)), '')), lambda x: x IS NOT NULL),
    'IsOfflineExclusive': NULL,
    'ProductVariants': coalesce(_nested._children, [])
  }) AS VARCHAR) AS document
FROM source AS "products"
LEFT JOIN children AS _nested ON _nested._row = "products"._row;

-- orders: one row per document
-- orders.fields.TotalQuantity: no column `total_quantity` in `orders` yet, counts as NULL
-- orders.fields.UniqueQuantity: no column `unique_quantity` in `orders` yet, counts as NULL
-- orders.fields.IsOrderCancelled: no column `is_order_cancelled` in `orders` yet, counts as NULL
-- orders.items.fields.OriginalPrice: no column `original_price` in `order_items` yet, counts as NULL
-- orders.items.fields.Size: no column `size` in `order_items` yet, counts as NULL
-- orders.items.fields.Color: no column `color` in `order_items` yet, counts as NULL
-- orders.items.fields.Brand: no column `brand` in `order_items` yet, counts as NULL
-- orders.items.fields.IsGift: no column `is_gift` in `order_items` yet, counts as NULL
WITH source AS (
  SELECT rowid AS _row, "order_id", "customer_id", "email", "order_date", "total_revenue", "currency", NULL AS "total_quantity", NULL AS "unique_quantity", NULL AS "is_order_cancelled"
  FROM "memory"."shop"."orders"
),
child_source AS (
  SELECT "root_row"._row, "child_row"."order_id", "child_row"."product_id", "child_row"."sku", "child_row"."quantity", "child_row"."price", NULL AS "original_price", NULL AS "size", NULL AS "color", NULL AS "brand", NULL AS "is_gift"
  FROM "memory"."shop"."order_items" AS "child_row"
  JOIN source AS "root_row" ON "child_row"."order_id" = "root_row"."order_id"
),
children AS (
  SELECT
    _row,
    count(*) AS _child_rows,
    list_sort(list(_child)) AS _children
  FROM (
    SELECT *, {
      'ProductId': CAST("product_id" AS VARCHAR),
      'Sku': nullif(trim("sku", E' \t\n\r' || chr(160)), ''),
      'Quantity': CAST("quantity" AS VARCHAR),
      'Price': CAST("price" AS VARCHAR),
      'OriginalPrice': NULL,
      'Size': NULL,
      'Color': NULL,
      'Brand': NULL,
      'IsGift': NULL
    } AS _child
    FROM child_source AS "items"
  ) AS "items"
  GROUP BY _row
)
SELECT
  "orders"._row,
  CAST("order_id" AS VARCHAR) AS key,
  coalesce(CAST("order_id" AS VARCHAR)) AS source_id,
  coalesce(_nested._child_rows, 0) AS source_rows,
  CAST(to_json({
    'OrderId': CAST("order_id" AS VARCHAR),
    'CustomerId': CAST("customer_id" AS VARCHAR),
    'Email': lower(nullif(trim("email", E' \t\n\r' || chr(160)), '')),
    'OrderDate': CASE WHEN length(nullif(trim("order_date", E' \t\n\r' || chr(160)), '')) > 10 AND regexp_matches(nullif(trim("order_date", E' \t\n\r' || chr(160)), ''), '([Zz]|[+-]\d\d(:?\d\d)?| [A-Za-z][A-Za-z_/]+)$') THEN coalesce(strftime(timezone('UTC', TRY_CAST(nullif(trim("order_date", E' \t\n\r' || chr(160)), '') AS TIMESTAMPTZ)), '%Y-%m-%dT%H:%M:%S.%gZ'), nullif(trim("order_date", E' \t\n\r' || chr(160)), '')) ELSE coalesce(strftime(timezone('UTC', timezone('Europe/Berlin', TRY_CAST(nullif(trim("order_date", E' \t\n\r' || chr(160)), '') AS TIMESTAMP) + CASE WHEN length(nullif(trim("order_date", E' \t\n\r' || chr(160)), '')) <= 10 THEN INTERVAL 12 HOUR ELSE INTERVAL 0 HOUR END)), '%Y-%m-%dT%H:%M:%S.%gZ'), nullif(trim("order_date", E' \t\n\r' || chr(160)), '')) END,
    'TotalRevenue': CAST("total_revenue" AS VARCHAR),
    'Currency': nullif(trim("currency", E' \t\n\r' || chr(160)), ''),
    'TotalQuantity': NULL,
    'UniqueQuantity': NULL,
    'IsOrderCancelled': NULL,
    'OrderItems': coalesce(_nested._children, [])
  }) AS VARCHAR) AS document
FROM source AS "orders"
LEFT JOIN children AS _nested ON _nested._row = "orders"._row;
