-- Version 2: baselines. Documented in docs/schema.md.
-- Paths, targets and names are foreign: TEXT that may hold any byte but NUL.

CREATE TABLE snapshot (
  id            INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: locks and records name it
  kind          INTEGER NOT NULL,
  name          TEXT NOT NULL,      -- reference, container, file, directory, or a layer's diff id
  scope         INTEGER NOT NULL,   -- where its digests vouch
  scope_value   TEXT,               -- reference, container's key or filesystem's UUID
  image_id      TEXT,
  root          TEXT,               -- where to look again
  all_files     INTEGER NOT NULL CHECK (all_files IN (0, 1)),
  state         INTEGER NOT NULL DEFAULT 0, -- building, current, superseded, removed
  published     INTEGER NOT NULL DEFAULT 0, -- counts up: the order in which they became current
  created_ns    INTEGER NOT NULL,
  by_uid        INTEGER NOT NULL,
  entries       INTEGER NOT NULL DEFAULT 0,
  files         INTEGER NOT NULL DEFAULT 0,
  executables   INTEGER NOT NULL DEFAULT 0,
  bytes         INTEGER NOT NULL DEFAULT 0, -- of files whose digest is known
  hashed        INTEGER NOT NULL DEFAULT 0, -- files that were read for it
  hashed_bytes  INTEGER NOT NULL DEFAULT 0,
  unreadable    INTEGER NOT NULL DEFAULT 0,
  mutable_files INTEGER NOT NULL DEFAULT 0,
  sha256        BLOB CHECK (sha256 IS NULL OR length(sha256) = 32) -- of its entries
) STRICT;
CREATE INDEX snapshot_by_name ON snapshot (name);
CREATE UNIQUE INDEX snapshot_current ON snapshot (kind, name) WHERE state = 1;

-- The key sorts as trees are walked, '/' before every other byte, with functions that every SQLite
-- has. Bytes 1 and 2 of hostile names make way for it: '/' is 1, 1 is 2 1, 2 is 2 2.
CREATE TABLE entry (
  id          INTEGER PRIMARY KEY,
  snapshot    INTEGER NOT NULL REFERENCES snapshot (id),
  path        TEXT NOT NULL,
  type        INTEGER NOT NULL,
  mode        INTEGER NOT NULL,     -- permission bits with setuid, setgid, sticky
  uid         INTEGER NOT NULL,
  gid         INTEGER NOT NULL,
  size        INTEGER NOT NULL,
  rdev_major  INTEGER NOT NULL,
  rdev_minor  INTEGER NOT NULL,
  flags       INTEGER NOT NULL,     -- 1 executable, 2 opaque directory, 4 has a security.ima
  kind        INTEGER NOT NULL,
  content     INTEGER NOT NULL,
  sha256      BLOB CHECK (sha256 IS NULL OR length(sha256) = 32),
  target      TEXT,                 -- of a symbolic link
  caps        BLOB,                 -- security.capability
  package     TEXT,
  dev         INTEGER NOT NULL,     -- from here on: what tells that it has not changed since
  ino         INTEGER NOT NULL,
  btime_ns    INTEGER NOT NULL,
  ctime_ns    INTEGER NOT NULL,
  mtime_ns    INTEGER NOT NULL,
  handle      BLOB,
  handle_type INTEGER NOT NULL,
  settled     INTEGER NOT NULL,
  key         TEXT NOT NULL AS (replace(replace(replace(path, char(2), char(2, 2)),
                char(1), char(2, 1)), '/', char(1))) VIRTUAL
) STRICT;
CREATE UNIQUE INDEX entry_by_path ON entry (snapshot, key);

-- Executables of what is no layer, by digest. A table, not an index of entry: it is written in the
-- order of the digests, many at a time, where an index would be written in that of the paths.
CREATE TABLE executable (
  snapshot INTEGER NOT NULL REFERENCES snapshot (id),
  sha256   BLOB NOT NULL CHECK (length(sha256) = 32),
  entry    INTEGER NOT NULL,        -- entry.id
  PRIMARY KEY (snapshot, sha256, entry)
) STRICT, WITHOUT ROWID;

-- Layers that a snapshot of an image was merged from.
CREATE TABLE snapshot_layer (
  snapshot INTEGER NOT NULL REFERENCES snapshot (id) ON DELETE CASCADE,
  layer    INTEGER NOT NULL REFERENCES snapshot (id) ON DELETE CASCADE,
  PRIMARY KEY (snapshot, layer)
) STRICT, WITHOUT ROWID;
CREATE INDEX snapshot_layer_by_layer ON snapshot_layer (layer);

CREATE TABLE acceptance (
  id       INTEGER PRIMARY KEY,
  snapshot INTEGER NOT NULL,        -- no foreign key: retention may remove the snapshot first
  path     TEXT NOT NULL,
  change   TEXT NOT NULL,
  sha256   BLOB CHECK (sha256 IS NULL OR length(sha256) = 32),
  reason   TEXT NOT NULL,
  by_uid   INTEGER NOT NULL,
  time_ns  INTEGER NOT NULL
) STRICT;

CREATE TABLE provenance (
  id            INTEGER PRIMARY KEY,
  sha256        BLOB NOT NULL CHECK (length(sha256) = 32),
  scope         INTEGER NOT NULL,
  scope_value   TEXT NOT NULL,
  path          TEXT NOT NULL,
  writer        TEXT NOT NULL,
  writer_sha256 BLOB NOT NULL CHECK (length(writer_sha256) = 32),
  package       TEXT,
  created_ns    INTEGER NOT NULL,
  expires_ns    INTEGER NOT NULL,
  UNIQUE (sha256, scope, scope_value)
) STRICT;
CREATE INDEX provenance_by_expiry ON provenance (expires_ns);

CREATE VIEW baseline AS
  SELECT snapshot.id AS snapshot, snapshot.name, entry.path, word.name AS type,
         printf('%04o', entry.mode) AS mode, entry.uid, entry.gid, entry.size,
         lower(hex(entry.sha256)) AS sha256, entry.package
  FROM entry
  JOIN snapshot ON snapshot.id = entry.snapshot
  LEFT JOIN word ON word.kind = 'entry' AND word.value = entry.type
  WHERE snapshot.state = 1 AND snapshot.kind <> 7;
