-- The record migration: places move from the legacy table to `places`, stage by stage.

-- The legacy system's table, as it is: empty text where nothing is known, numbers as text, and both
-- coordinates in one column, as in '42.57952,1.65362' (latitude, longitude).
CREATE TABLE legacy_places (
  city_id INTEGER PRIMARY KEY CHECK (city_id > 0),
  name TEXT NOT NULL,
  alt_name TEXT NOT NULL,
  country TEXT NOT NULL,
  feature_code TEXT NOT NULL,
  admin_code TEXT NOT NULL,
  muni TEXT NOT NULL,
  muni_sub TEXT NOT NULL,
  population INTEGER NOT NULL,
  coordinates TEXT NOT NULL
);

-- ActivityOne copies the legacy columns unchanged; ActivityTwo fills the rest from them.
CREATE TABLE places (
  city_id INTEGER PRIMARY KEY CHECK (city_id > 0),
  name TEXT NOT NULL,
  alt_name TEXT NOT NULL,
  country TEXT NOT NULL,
  feature_code TEXT NOT NULL,
  admin_code TEXT NOT NULL,
  muni TEXT NOT NULL,
  muni_sub TEXT NOT NULL,
  population INTEGER NOT NULL,
  coordinates TEXT NOT NULL,
  display_name TEXT,
  search_name TEXT,
  country_name TEXT,
  population_band TEXT,
  latitude REAL,
  longitude REAL,
  geohash TEXT
);

-- One row per page that ActivityThree has compared, so that a run that was interrupted need not
-- compare it again to know the checksum of the whole.
CREATE TABLE reconciled_pages (
  run_key TEXT NOT NULL,
  through_id INTEGER NOT NULL,
  records INTEGER NOT NULL,
  checksum TEXT NOT NULL,
  PRIMARY KEY (run_key, through_id)
) WITHOUT ROWID;

-- ActivityThree's report: one row per run, under the step's idempotency key.
CREATE TABLE migration_reports (
  run_key TEXT PRIMARY KEY,
  instance_id TEXT NOT NULL,
  execution_id TEXT NOT NULL,
  pages INTEGER NOT NULL,
  records INTEGER NOT NULL,
  checksum TEXT NOT NULL,
  source_count INTEGER NOT NULL,
  target_count INTEGER NOT NULL,
  reported_at TEXT NOT NULL
) WITHOUT ROWID;
