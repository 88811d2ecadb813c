-- At which of its exchange's sites a key's account was opened. There was only the one for everybody before.

ALTER TABLE key_intents ADD COLUMN site TEXT NOT NULL DEFAULT 'global';
ALTER TABLE api_keys ADD COLUMN site TEXT NOT NULL DEFAULT 'global';
