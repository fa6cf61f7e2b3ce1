CREATE TABLE attempts (
  attempt_id VARCHAR(32) NOT NULL,
  name VARCHAR(64) NOT NULL,
  peer VARCHAR(64) NOT NULL,
  at FLOAT NOT NULL,
  PRIMARY KEY (attempt_id)
);
CREATE INDEX attempts_by_time ON attempts (at);
CREATE TABLE audit (
  sequence BIGINT NOT NULL,
  text TEXT NOT NULL,
  previous_sha256 VARCHAR(64) NOT NULL,
  sha256 VARCHAR(64) NOT NULL,
  PRIMARY KEY (sequence),
  UNIQUE (sha256)
);
CREATE TABLE links (
  digest VARCHAR(64) NOT NULL,
  name VARCHAR(64) NOT NULL,
  made_at FLOAT NOT NULL,
  PRIMARY KEY (digest)
);
CREATE TABLE messages (
  sender VARCHAR(256) NOT NULL,
  control_id VARCHAR(199) NOT NULL,
  sha256 VARCHAR(64) NOT NULL,
  answer TEXT NOT NULL,
  received_at FLOAT NOT NULL,
  PRIMARY KEY (sender, control_id)
);
CREATE TABLE orders (
  accession_number VARCHAR(64) NOT NULL,
  study_instance_uid VARCHAR(64) NOT NULL,
  priority VARCHAR(8) NOT NULL,
  body TEXT NOT NULL,
  updated_at FLOAT NOT NULL,
  PRIMARY KEY (accession_number)
);
CREATE INDEX orders_by_study ON orders (study_instance_uid);
CREATE TABLE patients (
  patient_id VARCHAR(64) NOT NULL,
  issuer VARCHAR(256) NOT NULL,
  body TEXT NOT NULL,
  merged_into_id VARCHAR(64),
  merged_into_issuer VARCHAR(256),
  updated_at FLOAT NOT NULL,
  PRIMARY KEY (patient_id, issuer)
);
CREATE TABLE people (
  name VARCHAR(64) NOT NULL,
  display VARCHAR(128) NOT NULL,
  roles TEXT NOT NULL,
  sites TEXT NOT NULL,
  password VARCHAR(256),
  is_disabled INTEGER NOT NULL,
  made_at FLOAT NOT NULL,
  PRIMARY KEY (name)
);
CREATE TABLE radiolucent_schema (
  version INTEGER NOT NULL,
  PRIMARY KEY (version)
);
CREATE TABLE studies (
  study_key VARCHAR(32) NOT NULL,
  study_instance_uid VARCHAR(64) NOT NULL,
  state VARCHAR(16) NOT NULL,
  status VARCHAR(16),
  code VARCHAR(64),
  revision INTEGER NOT NULL,
  priority VARCHAR(8) NOT NULL,
  rule VARCHAR(64),
  attempts INTEGER NOT NULL,
  claimed_by VARCHAR(96),
  first_received_at FLOAT NOT NULL,
  last_received_at FLOAT NOT NULL,
  due_at FLOAT,
  expected_count INTEGER,
  done_at FLOAT,
  accession_number VARCHAR(64) NOT NULL,
  patient_id VARCHAR(64) NOT NULL,
  issuer VARCHAR(256) NOT NULL,
  header TEXT NOT NULL,
  PRIMARY KEY (study_key),
  UNIQUE (study_instance_uid)
);
CREATE INDEX studies_by_accession ON studies (accession_number);
CREATE INDEX studies_by_patient ON studies (patient_id);
CREATE INDEX studies_by_state ON studies (state, due_at);
CREATE TABLE workers (
  worker_id VARCHAR(128) NOT NULL,
  seen_at FLOAT NOT NULL,
  started_at FLOAT NOT NULL,
  PRIMARY KEY (worker_id)
);
CREATE TABLE decisions (
  decision_id VARCHAR(32) NOT NULL,
  study_key VARCHAR(32) NOT NULL,
  idempotency_key VARCHAR(64) NOT NULL,
  report_id VARCHAR(64) NOT NULL,
  revision INTEGER NOT NULL,
  reader VARCHAR(128) NOT NULL,
  signed_at FLOAT NOT NULL,
  is_final BOOLEAN NOT NULL,
  outcome VARCHAR(16) NOT NULL,
  supersedes VARCHAR(32),
  body TEXT NOT NULL,
  PRIMARY KEY (decision_id),
  FOREIGN KEY(study_key) REFERENCES studies (study_key),
  UNIQUE (idempotency_key),
  UNIQUE (supersedes)
);
CREATE INDEX decisions_by_study ON decisions (study_key, signed_at);
CREATE INDEX decisions_by_time ON decisions (signed_at);
CREATE TABLE deliveries (
  delivery_id VARCHAR(64) NOT NULL,
  study_key VARCHAR(32) NOT NULL,
  revision INTEGER NOT NULL,
  destination VARCHAR(64) NOT NULL,
  purpose VARCHAR(12) NOT NULL,
  state VARCHAR(12) NOT NULL,
  priority VARCHAR(8) NOT NULL,
  attempts INTEGER NOT NULL,
  retried_at INTEGER NOT NULL,
  next_at FLOAT NOT NULL,
  created_at FLOAT NOT NULL,
  sent_at FLOAT,
  code VARCHAR(64),
  done TEXT NOT NULL,
  PRIMARY KEY (delivery_id),
  FOREIGN KEY(study_key) REFERENCES studies (study_key)
);
CREATE INDEX deliveries_by_state ON deliveries (state, next_at);
CREATE INDEX deliveries_by_study ON deliveries (study_key);
CREATE TABLE instances (
  sop_instance_uid VARCHAR(64) NOT NULL,
  study_key VARCHAR(32) NOT NULL,
  series_instance_uid VARCHAR(64) NOT NULL,
  sop_class_uid VARCHAR(64) NOT NULL,
  transfer_syntax_uid VARCHAR(64) NOT NULL,
  role VARCHAR(8) NOT NULL,
  kind VARCHAR(24),
  source_uid VARCHAR(64),
  revision INTEGER NOT NULL,
  sha256 VARCHAR(64) NOT NULL,
  bytes BIGINT NOT NULL,
  path VARCHAR(512) NOT NULL,
  received_at FLOAT NOT NULL,
  calling_ae VARCHAR(16) NOT NULL,
  header TEXT NOT NULL,
  PRIMARY KEY (sop_instance_uid),
  FOREIGN KEY(study_key) REFERENCES studies (study_key)
);
CREATE INDEX instances_by_series ON instances (series_instance_uid);
CREATE INDEX instances_by_study ON instances (study_key, role);
CREATE TABLE leases (
  study_key VARCHAR(32) NOT NULL,
  holder VARCHAR(128) NOT NULL,
  until FLOAT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (study_key),
  FOREIGN KEY(study_key) REFERENCES studies (study_key)
);
CREATE TABLE opinions (
  study_key VARCHAR(32) NOT NULL,
  report_id VARCHAR(64) NOT NULL,
  reader VARCHAR(128) NOT NULL,
  at FLOAT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (study_key, report_id, reader),
  FOREIGN KEY(study_key) REFERENCES studies (study_key)
);
CREATE TABLE results (
  study_key VARCHAR(32) NOT NULL,
  revision INTEGER NOT NULL,
  status VARCHAR(16) NOT NULL,
  state VARCHAR(16) NOT NULL,
  report TEXT NOT NULL,
  produced_at FLOAT NOT NULL,
  PRIMARY KEY (study_key, revision),
  FOREIGN KEY(study_key) REFERENCES studies (study_key)
);
CREATE TABLE sessions (
  digest VARCHAR(64) NOT NULL,
  name VARCHAR(64) NOT NULL,
  csrf VARCHAR(64) NOT NULL,
  begun_at FLOAT NOT NULL,
  seen_at FLOAT NOT NULL,
  PRIMARY KEY (digest),
  FOREIGN KEY(name) REFERENCES people (name)
);
CREATE INDEX sessions_by_name ON sessions (name);
