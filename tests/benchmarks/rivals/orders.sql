-- The model that every program but ours reads: one row per order, its lines as a list of structs.
-- Money is a DOUBLE, because several of the programs cannot write a DECIMAL as a JSON number.
SELECT
    o.id::VARCHAR AS "OrderId",
    o.customer_id AS "CustomerId",
    o.email AS "Email",
    strftime(o.created_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ') AS "OrderDate",
    o.total::DOUBLE AS "TotalRevenue",
    o.currency AS "Currency",
    sum(l.quantity)::INTEGER AS "TotalQuantity",
    count(DISTINCT l.sku)::INTEGER AS "UniqueQuantity",
    o.cancelled_at IS NOT NULL AS "IsOrderCancelled",
    list({
        'ProductId': l.product_id,
        'Sku': l.sku,
        'Quantity': l.quantity::INTEGER,
        'Price': l.price::DOUBLE,
        'Brand': l.brand
    } ORDER BY l._dlt_list_idx) AS "OrderItems",
    strftime(o.updated_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ') AS updated_at
FROM shop.orders AS o
JOIN shop.orders__line_items AS l ON l._dlt_parent_id = o._dlt_id
GROUP BY ALL
ORDER BY updated_at, "OrderId"
