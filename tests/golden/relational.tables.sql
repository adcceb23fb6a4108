-- The tables of a plain shop, as dlt's sql_database source loads them.
CREATE TABLE shop.customers (
  id BIGINT, email VARCHAR, first_name VARCHAR, last_name VARCHAR, phone VARCHAR, language VARCHAR,
  email_opt_in BOOLEAN, sms_opt_in BOOLEAN, _dlt_load_id VARCHAR, _dlt_id VARCHAR
);
CREATE TABLE shop.orders (
  id BIGINT, customer_id BIGINT, created_at TIMESTAMP, total DECIMAL(38, 9), currency VARCHAR,
  status VARCHAR, _dlt_load_id VARCHAR, _dlt_id VARCHAR
);
CREATE TABLE shop.order_items (
  id BIGINT, order_id BIGINT, variant_id BIGINT, quantity BIGINT, unit_price DECIMAL(38, 9),
  _dlt_load_id VARCHAR, _dlt_id VARCHAR
);
CREATE TABLE shop.products (
  id BIGINT, name VARCHAR, category VARCHAR, brand VARCHAR, _dlt_load_id VARCHAR, _dlt_id VARCHAR
);
CREATE TABLE shop.product_variants (
  id BIGINT, product_id BIGINT, sku VARCHAR, name VARCHAR, price DECIMAL(38, 9),
  sale_price DECIMAL(38, 9), currency VARCHAR, active BOOLEAN, image_url VARCHAR, size VARCHAR,
  color VARCHAR, stock BIGINT, _dlt_load_id VARCHAR, _dlt_id VARCHAR
);
