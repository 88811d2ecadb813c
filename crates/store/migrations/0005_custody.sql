-- What a key's owner sees of its custody: that it was reported as leaked, and each time a process was let at it.

ALTER TABLE api_keys ADD COLUMN leaked_at BIGINT;
ALTER TABLE api_keys ADD COLUMN openings BIGINT NOT NULL DEFAULT 0;
CREATE INDEX api_keys_leaked ON api_keys (leaked_at);

-- The newest of them; how many there were in all stands beside the key.
CREATE TABLE key_openings (
  workspace_id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  purpose TEXT NOT NULL,
  bot_id TEXT,
  bot_label TEXT,
  PRIMARY KEY (workspace_id, key_id, number),
  FOREIGN KEY (workspace_id, key_id) REFERENCES api_keys (workspace_id, id) ON DELETE CASCADE
);
