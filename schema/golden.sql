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
CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE word (
  kind  TEXT NOT NULL,
  value INTEGER NOT NULL,
  name  TEXT NOT NULL,
  PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;
