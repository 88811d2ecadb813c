-- Work in the background: backtests and candles being fetched, with what backtests brought.

CREATE TABLE jobs (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  -- The order in which jobs are begun, over all workspaces.
  number BIGINT NOT NULL,
  started_by TEXT,
  request TEXT NOT NULL,
  state TEXT NOT NULL,
  code TEXT,
  detail TEXT,
  summary TEXT,
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT,
  PRIMARY KEY (workspace_id, id)
);
CREATE INDEX jobs_by_time ON jobs (workspace_id, kind, created_at);
CREATE INDEX jobs_by_state ON jobs (kind, state, number);

CREATE TABLE backtest_results (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  job_id TEXT NOT NULL,
  -- Everything but the trades.
  report TEXT NOT NULL,
  -- The same with charts, as one HTML page.
  page TEXT NOT NULL,
  PRIMARY KEY (workspace_id, job_id),
  FOREIGN KEY (workspace_id, job_id) REFERENCES jobs (workspace_id, id) ON DELETE CASCADE
);

-- Trades in parts of a fixed number, so that a page of them is one row or two.
CREATE TABLE backtest_trades (
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  job_id TEXT NOT NULL,
  part BIGINT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (workspace_id, job_id, part),
  FOREIGN KEY (workspace_id, job_id) REFERENCES jobs (workspace_id, id) ON DELETE CASCADE
);
