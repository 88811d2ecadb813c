-- What a trade earned beside its document, so that figures over many trades need not read thousands of documents.
-- NULL on rows from before; those count as unknown.

ALTER TABLE trades ADD COLUMN settle TEXT;
ALTER TABLE trades ADD COLUMN net TEXT;
CREATE INDEX trades_by_environment ON trades (workspace_id, environment, at);
CREATE INDEX equity_by_time ON equity (workspace_id, at);
