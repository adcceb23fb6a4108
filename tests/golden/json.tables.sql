-- A shop whose API answers with whole orders, loaded with max_table_nesting=0.
CREATE TABLE shop.orders (
  number VARCHAR, mail VARCHAR, placed_on DATE, amount DOUBLE, currency VARCHAR, positions JSON,
  _dlt_load_id VARCHAR, _dlt_id VARCHAR
);
