-- The first schema. One text for SQLite and PostgreSQL: BIGINT holds milliseconds, counts and flags (0 or 1), TEXT
-- holds ids (32 hexadecimal digits), decimals and JSON documents. On SQLite the tables are made STRICT.
-- Everything a user owns carries its workspace in the primary key and in every foreign key, so that a reference from
-- one workspace into another cannot be stored.

CREATE TABLE install (
  singleton BIGINT NOT NULL PRIMARY KEY CHECK (singleton = 1),
  id TEXT NOT NULL,
  fingerprint_key TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE users (
  id TEXT NOT NULL PRIMARY KEY,
  email TEXT NOT NULL,
  email_key TEXT NOT NULL UNIQUE,
  password_hash TEXT,
  admin BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE workspaces (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE memberships (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  role TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, user_id)
);

CREATE TABLE sessions (
  id TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  token_hash TEXT NOT NULL UNIQUE,
  method TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  address TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  reverified_until BIGINT
);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE passkeys (
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  credential_id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  document TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  last_used_at BIGINT,
  PRIMARY KEY (user_id, id)
);

-- A WebAuthn exchange in progress. Taken out when it is used, whatever the outcome.
CREATE TABLE ceremonies (
  id TEXT NOT NULL PRIMARY KEY,
  purpose TEXT NOT NULL,
  session_id TEXT REFERENCES sessions (id) ON DELETE CASCADE,
  state TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);

CREATE TABLE claim (
  singleton BIGINT NOT NULL PRIMARY KEY CHECK (singleton = 1),
  code_hash TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);

CREATE TABLE key_intents (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  key_id TEXT NOT NULL,
  exchange TEXT NOT NULL,
  environment TEXT NOT NULL,
  contract_type TEXT NOT NULL,
  version BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, key_id)
);

CREATE TABLE api_keys (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  label TEXT NOT NULL,
  exchange TEXT NOT NULL,
  environment TEXT NOT NULL,
  contract_type TEXT NOT NULL,
  hint TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  active BIGINT NOT NULL,
  verification TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (exchange, environment, fingerprint)
);

-- The sealed credential and its wrapped data key. Useless without the keeper's root key and shred slot.
CREATE TABLE key_records (
  workspace_id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  envelope TEXT NOT NULL,
  wrapped_data_key TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, key_id),
  FOREIGN KEY (workspace_id, key_id) REFERENCES api_keys (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE key_instruments (
  workspace_id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  symbol TEXT NOT NULL,
  slot BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, key_id, symbol),
  UNIQUE (workspace_id, key_id, slot),
  FOREIGN KEY (workspace_id, key_id) REFERENCES api_keys (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE templates (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  version BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, id)
);

CREATE TABLE template_versions (
  workspace_id TEXT NOT NULL,
  template_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  document TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, template_id, version),
  FOREIGN KEY (workspace_id, template_id) REFERENCES templates (workspace_id, id) ON DELETE CASCADE
);

-- A key serves at most one bot: the UNIQUE pair says so to every writer at once. (NULLs do not collide.)
CREATE TABLE bots (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  label TEXT NOT NULL,
  region TEXT NOT NULL,
  wish TEXT NOT NULL,
  key_id TEXT,
  template_id TEXT,
  settings TEXT NOT NULL,
  generation BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  deployment_id TEXT,
  failure_code TEXT,
  failure_text TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, key_id),
  FOREIGN KEY (workspace_id, key_id) REFERENCES api_keys (workspace_id, id),
  FOREIGN KEY (workspace_id, template_id) REFERENCES templates (workspace_id, id)
);

-- One run of a bot. `acknowledged` is the number of the last report stored: the cursor that makes each count once.
CREATE TABLE deployments (
  workspace_id TEXT NOT NULL,
  id TEXT NOT NULL UNIQUE,
  bot_id TEXT NOT NULL,
  epoch BIGINT NOT NULL,
  token_hash TEXT NOT NULL,
  acknowledged BIGINT NOT NULL,
  phase TEXT,
  isolation TEXT,
  program TEXT,
  requested_at BIGINT NOT NULL,
  online_at BIGINT,
  last_heartbeat_at BIGINT,
  stopped_at BIGINT,
  end_reason TEXT,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, bot_id) REFERENCES bots (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX deployments_by_bot ON deployments (workspace_id, bot_id, requested_at);

CREATE TABLE commands (
  workspace_id TEXT NOT NULL,
  id TEXT NOT NULL,
  bot_id TEXT NOT NULL,
  deployment_id TEXT,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  status TEXT NOT NULL,
  code TEXT,
  detail TEXT,
  created_at BIGINT NOT NULL,
  delivered_at BIGINT,
  finished_at BIGINT,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, bot_id) REFERENCES bots (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX commands_by_bot ON commands (workspace_id, bot_id, created_at);

CREATE TABLE decisions (
  workspace_id TEXT NOT NULL,
  bot_id TEXT NOT NULL,
  symbol TEXT NOT NULL,
  at BIGINT NOT NULL,
  code TEXT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (workspace_id, bot_id, symbol, at),
  FOREIGN KEY (workspace_id, bot_id) REFERENCES bots (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX decisions_by_time ON decisions (workspace_id, bot_id, at);

CREATE TABLE positions (
  workspace_id TEXT NOT NULL,
  bot_id TEXT NOT NULL,
  symbol TEXT NOT NULL,
  is_open BIGINT NOT NULL,
  document TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, bot_id, symbol),
  FOREIGN KEY (workspace_id, bot_id) REFERENCES bots (workspace_id, id) ON DELETE CASCADE
);

-- History below outlives its bot: a user deletes it apart. Hence no foreign key to bots.
CREATE TABLE orders (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  bot_id TEXT NOT NULL,
  id TEXT NOT NULL,
  symbol TEXT NOT NULL,
  at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (workspace_id, bot_id, id)
);
CREATE INDEX orders_by_time ON orders (workspace_id, bot_id, at);

CREATE TABLE fills (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  bot_id TEXT NOT NULL,
  id TEXT NOT NULL,
  symbol TEXT NOT NULL,
  at BIGINT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (workspace_id, bot_id, symbol, id)
);
CREATE INDEX fills_by_time ON fills (workspace_id, bot_id, at);

CREATE TABLE trades (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  bot_id TEXT NOT NULL,
  bot_label TEXT NOT NULL,
  environment TEXT NOT NULL,
  symbol TEXT NOT NULL,
  entered_at BIGINT NOT NULL,
  at BIGINT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (workspace_id, id)
);
CREATE INDEX trades_by_time ON trades (workspace_id, at);

CREATE TABLE equity (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  bot_id TEXT NOT NULL,
  asset TEXT NOT NULL,
  at BIGINT NOT NULL,
  environment TEXT NOT NULL,
  wallet TEXT NOT NULL,
  equity TEXT NOT NULL,
  PRIMARY KEY (workspace_id, bot_id, asset, at)
);

CREATE TABLE events (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  at BIGINT NOT NULL,
  severity TEXT NOT NULL,
  code TEXT NOT NULL,
  text TEXT NOT NULL,
  bot_id TEXT,
  key_id TEXT,
  symbol TEXT,
  PRIMARY KEY (workspace_id, id)
);
CREATE INDEX events_by_time ON events (workspace_id, at);

-- What venues list; the same for everybody.
CREATE TABLE instruments (
  exchange TEXT NOT NULL,
  environment TEXT NOT NULL,
  contract_type TEXT NOT NULL,
  symbol TEXT NOT NULL,
  document TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (exchange, environment, symbol)
);
