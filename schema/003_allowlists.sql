-- Version 3: signed allowlists. Documented in docs/schema.md.

CREATE TABLE allowlist (
  id           INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again; at most 2^43 - 1
  series       TEXT NOT NULL UNIQUE, -- one in force of each
  version      INTEGER NOT NULL,
  payload      BLOB NOT NULL CHECK (length(payload) = 32), -- SHA-256 of the body
  issued_ns    INTEGER NOT NULL,
  expires_ns   INTEGER NOT NULL,
  bind         INTEGER NOT NULL,
  subjects     INTEGER NOT NULL DEFAULT 0,
  keys         INTEGER NOT NULL DEFAULT 0, -- different ones
  installed_ns INTEGER NOT NULL,
  by_uid       INTEGER NOT NULL,
  source       TEXT NOT NULL
) STRICT;

CREATE TABLE allowlist_signer (
  allowlist INTEGER NOT NULL REFERENCES allowlist (id) ON DELETE CASCADE,
  key_id    BLOB NOT NULL CHECK (length(key_id) = 32),
  PRIMARY KEY (allowlist, key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE allowlist_scope (
  allowlist INTEGER NOT NULL REFERENCES allowlist (id) ON DELETE CASCADE,
  kind      INTEGER NOT NULL,
  place     INTEGER NOT NULL,
  pattern   TEXT NOT NULL,
  PRIMARY KEY (allowlist, kind, place)
) STRICT, WITHOUT ROWID;

-- Subjects in the order of the list. An id is the list's times 2^20 and the place in it, so that rows
-- are only ever added at the end of the table and no index is written beside it.
CREATE TABLE allowlist_subject (
  id        INTEGER PRIMARY KEY,
  allowlist INTEGER NOT NULL AS (id >> 20) VIRTUAL,
  name      TEXT NOT NULL,
  sha256    BLOB NOT NULL CHECK (length(sha256) = 32)
) STRICT;

-- What subjects are looked up by, sorted, 1024 of 32 bytes a row; ids as above.
CREATE TABLE allowlist_keys (
  id        INTEGER PRIMARY KEY,
  allowlist INTEGER NOT NULL AS (id >> 20) VIRTUAL,
  keys      BLOB NOT NULL CHECK (length(keys) % 32 = 0)
) STRICT;

-- What is remembered of a series, also when no list of it is installed any more.
CREATE TABLE allowlist_memory (
  series     TEXT PRIMARY KEY,
  version    INTEGER NOT NULL,
  payload    BLOB NOT NULL CHECK (length(payload) = 32),
  changed_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What operators made this host forget or took away, and why.
CREATE TABLE allowlist_act (
  id      INTEGER PRIMARY KEY,
  act     TEXT NOT NULL,
  series  TEXT,              -- NULL: all
  version INTEGER,
  reason  TEXT NOT NULL,
  by_uid  INTEGER NOT NULL,
  time_ns INTEGER NOT NULL
) STRICT;
