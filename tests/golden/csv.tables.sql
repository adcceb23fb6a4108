-- Files whose columns are called like Replenit's fields; optional columns are missing.
CREATE TABLE shop.customers (
  customer_id BIGINT, email VARCHAR, name VARCHAR, surname VARCHAR, gdpr_optin VARCHAR,
  _dlt_load_id VARCHAR, _dlt_id VARCHAR
);
CREATE TABLE shop.orders (
  order_id BIGINT, customer_id BIGINT, email VARCHAR, order_date VARCHAR, total_revenue DOUBLE,
  currency VARCHAR, _dlt_load_id VARCHAR, _dlt_id VARCHAR
);
CREATE TABLE shop.order_items (
  order_id BIGINT, product_id BIGINT, sku VARCHAR, quantity BIGINT, price DOUBLE,
  _dlt_load_id VARCHAR, _dlt_id VARCHAR
);
CREATE TABLE shop.products (
  product_id BIGINT, product_name VARCHAR, taxonomy VARCHAR, _dlt_load_id VARCHAR, _dlt_id VARCHAR
);
CREATE TABLE shop.product_variants (
  product_id BIGINT, variant_id BIGINT, sku VARCHAR, name VARCHAR, original_price DOUBLE,
  currency VARCHAR, is_available VARCHAR, stock BIGINT, _dlt_load_id VARCHAR, _dlt_id VARCHAR
);
