CREATE TABLE acceptance (
  id       INTEGER PRIMARY KEY,
  snapshot INTEGER NOT NULL,        
  path     TEXT NOT NULL,
  change   TEXT NOT NULL,
  sha256   BLOB CHECK (sha256 IS NULL OR length(sha256) = 32),
  reason   TEXT NOT NULL,
  by_uid   INTEGER NOT NULL,
  time_ns  INTEGER NOT NULL
) STRICT;
CREATE TABLE allowlist (
  id           INTEGER PRIMARY KEY AUTOINCREMENT, 
  series       TEXT NOT NULL UNIQUE, 
  version      INTEGER NOT NULL,
  payload      BLOB NOT NULL CHECK (length(payload) = 32), 
  issued_ns    INTEGER NOT NULL,
  expires_ns   INTEGER NOT NULL,
  bind         INTEGER NOT NULL,
  subjects     INTEGER NOT NULL DEFAULT 0,
  keys         INTEGER NOT NULL DEFAULT 0, 
  installed_ns INTEGER NOT NULL,
  by_uid       INTEGER NOT NULL,
  source       TEXT NOT NULL
) STRICT;
CREATE TABLE allowlist_act (
  id      INTEGER PRIMARY KEY,
  act     TEXT NOT NULL,
  series  TEXT,              
  version INTEGER,
  reason  TEXT NOT NULL,
  by_uid  INTEGER NOT NULL,
  time_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE allowlist_keys (
  id        INTEGER PRIMARY KEY,
  allowlist INTEGER NOT NULL AS (id >> 20) VIRTUAL,
  keys      BLOB NOT NULL CHECK (length(keys) % 32 = 0)
) STRICT;
CREATE TABLE allowlist_memory (
  series     TEXT PRIMARY KEY,
  version    INTEGER NOT NULL,
  payload    BLOB NOT NULL CHECK (length(payload) = 32),
  changed_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE allowlist_scope (
  allowlist INTEGER NOT NULL REFERENCES allowlist (id) ON DELETE CASCADE,
  kind      INTEGER NOT NULL,
  place     INTEGER NOT NULL,
  pattern   TEXT NOT NULL,
  PRIMARY KEY (allowlist, kind, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE allowlist_signer (
  allowlist INTEGER NOT NULL REFERENCES allowlist (id) ON DELETE CASCADE,
  key_id    BLOB NOT NULL CHECK (length(key_id) = 32),
  PRIMARY KEY (allowlist, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE allowlist_subject (
  id        INTEGER PRIMARY KEY,
  allowlist INTEGER NOT NULL AS (id >> 20) VIRTUAL,
  name      TEXT NOT NULL,
  sha256    BLOB NOT NULL CHECK (length(sha256) = 32)
) STRICT;
CREATE VIEW baseline AS
  SELECT snapshot.id AS snapshot, snapshot.name, entry.path, word.name AS type,
         printf('%04o', entry.mode) AS mode, entry.uid, entry.gid, entry.size,
         lower(hex(entry.sha256)) AS sha256, entry.package
  FROM entry
  JOIN snapshot ON snapshot.id = entry.snapshot
  LEFT JOIN word ON word.kind = 'entry' AND word.value = entry.type
  WHERE snapshot.state = 1 AND snapshot.kind <> 7;
CREATE TABLE container (
  id        INTEGER PRIMARY KEY,
  key       TEXT NOT NULL UNIQUE,   
  runtime   TEXT,
  cid       TEXT,                   
  name      TEXT,
  image     TEXT,
  image_id  TEXT,
  ns        TEXT,                   
  pod       TEXT,
  start_ns  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX container_by_cid ON container (cid);
CREATE INDEX container_by_name ON container (name);
CREATE VIEW denied AS
  SELECT event.uid, datetime(event.last_ns / 1000000000, 'unixepoch') AS last, word.name AS verdict,
         container.name AS container, container.image, event.path, lower(hex(event.sha256)) AS sha256,
         event.count, drop_.writer_exe AS dropped_by
  FROM event
  LEFT JOIN container ON container.id = event.container
  LEFT JOIN drop_ ON drop_.id = event.drop_id
  LEFT JOIN word ON word.kind = 'verdict' AND word.value = event.verdict
  WHERE event.verdict IN (2, 3);
CREATE TABLE drop_ (
  id            INTEGER PRIMARY KEY,
  dev           INTEGER NOT NULL,
  ino           INTEGER NOT NULL,
  btime_ns      INTEGER NOT NULL,
  ctime_ns      INTEGER NOT NULL,
  mtime_ns      INTEGER NOT NULL,
  size          INTEGER NOT NULL,
  container     INTEGER REFERENCES container (id),
  path          TEXT NOT NULL,
  host_path     TEXT,
  kind          INTEGER NOT NULL,
  sha256        BLOB CHECK (sha256 IS NULL OR length(sha256) = 32),
  mutable       INTEGER NOT NULL DEFAULT 0,
  writer_gone   INTEGER NOT NULL DEFAULT 0,
  writer_pid    INTEGER NOT NULL,
  writer_uid    INTEGER NOT NULL,
  writer_exe    TEXT,
  writer_cmdline TEXT,
  time_ns       INTEGER NOT NULL,
  UNIQUE (dev, ino, btime_ns)
) STRICT;
CREATE INDEX drop_by_container ON drop_ (container);
CREATE INDEX drop_by_path ON drop_ (path);
CREATE INDEX drop_by_sha256 ON drop_ (sha256);
CREATE INDEX drop_by_time ON drop_ (time_ns);
CREATE TABLE entry (
  id          INTEGER PRIMARY KEY,
  snapshot    INTEGER NOT NULL REFERENCES snapshot (id),
  path        TEXT NOT NULL,
  type        INTEGER NOT NULL,
  mode        INTEGER NOT NULL,     
  uid         INTEGER NOT NULL,
  gid         INTEGER NOT NULL,
  size        INTEGER NOT NULL,
  rdev_major  INTEGER NOT NULL,
  rdev_minor  INTEGER NOT NULL,
  flags       INTEGER NOT NULL,     
  kind        INTEGER NOT NULL,
  content     INTEGER NOT NULL,
  sha256      BLOB CHECK (sha256 IS NULL OR length(sha256) = 32),
  target      TEXT,                 
  caps        BLOB,                 
  package     TEXT,
  dev         INTEGER NOT NULL,     
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
CREATE TABLE event (
  id        INTEGER PRIMARY KEY,
  uid       TEXT NOT NULL UNIQUE,
  time_ns   INTEGER NOT NULL,
  last_ns   INTEGER NOT NULL,
  verdict   INTEGER NOT NULL,
  reason    INTEGER NOT NULL,
  origin    INTEGER NOT NULL,
  container INTEGER REFERENCES container (id),
  path      TEXT NOT NULL,
  sha256    BLOB CHECK (sha256 IS NULL OR length(sha256) = 32),
  drop_id   INTEGER,                
  count     INTEGER NOT NULL CHECK (count > 0),
  alert     TEXT NOT NULL           
) STRICT;
CREATE INDEX event_by_container ON event (container);
CREATE INDEX event_by_last ON event (last_ns);
CREATE INDEX event_by_path ON event (path);
CREATE INDEX event_by_sha256 ON event (sha256);
CREATE TABLE executable (
  snapshot INTEGER NOT NULL REFERENCES snapshot (id),
  sha256   BLOB NOT NULL CHECK (length(sha256) = 32),
  entry    INTEGER NOT NULL,        
  PRIMARY KEY (snapshot, sha256, entry)
) STRICT, WITHOUT ROWID;
CREATE TABLE grant_ (
  id         INTEGER PRIMARY KEY,
  kind       INTEGER NOT NULL,
  sha256     BLOB NOT NULL CHECK (length(sha256) = 32),
  image      TEXT NOT NULL,         
  path       TEXT,
  reason     TEXT,
  by_uid     INTEGER NOT NULL,
  created_ns INTEGER NOT NULL,
  expires_ns INTEGER NOT NULL DEFAULT 0,
  UNIQUE (kind, sha256, image)
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
CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE snapshot (
  id            INTEGER PRIMARY KEY AUTOINCREMENT, 
  kind          INTEGER NOT NULL,
  name          TEXT NOT NULL,      
  scope         INTEGER NOT NULL,   
  scope_value   TEXT,               
  image_id      TEXT,
  root          TEXT,               
  all_files     INTEGER NOT NULL CHECK (all_files IN (0, 1)),
  state         INTEGER NOT NULL DEFAULT 0, 
  published     INTEGER NOT NULL DEFAULT 0, 
  created_ns    INTEGER NOT NULL,
  by_uid        INTEGER NOT NULL,
  entries       INTEGER NOT NULL DEFAULT 0,
  files         INTEGER NOT NULL DEFAULT 0,
  executables   INTEGER NOT NULL DEFAULT 0,
  bytes         INTEGER NOT NULL DEFAULT 0, 
  hashed        INTEGER NOT NULL DEFAULT 0, 
  hashed_bytes  INTEGER NOT NULL DEFAULT 0,
  unreadable    INTEGER NOT NULL DEFAULT 0,
  mutable_files INTEGER NOT NULL DEFAULT 0,
  sha256        BLOB CHECK (sha256 IS NULL OR length(sha256) = 32) 
) STRICT;
CREATE INDEX snapshot_by_name ON snapshot (name);
CREATE UNIQUE INDEX snapshot_current ON snapshot (kind, name) WHERE state = 1;
CREATE TABLE snapshot_layer (
  snapshot INTEGER NOT NULL REFERENCES snapshot (id) ON DELETE CASCADE,
  layer    INTEGER NOT NULL REFERENCES snapshot (id) ON DELETE CASCADE,
  PRIMARY KEY (snapshot, layer)
) STRICT, WITHOUT ROWID;
CREATE INDEX snapshot_layer_by_layer ON snapshot_layer (layer);
CREATE TABLE word (
  kind  TEXT NOT NULL,
  value INTEGER NOT NULL,
  name  TEXT NOT NULL,
  PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;
