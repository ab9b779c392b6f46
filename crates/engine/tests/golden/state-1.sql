-- A state file as schema 1 has it, with a row of every standing. Never changed:
-- whatever schema comes later must open it.
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE base (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, standing TEXT NOT NULL,
    l_size INTEGER, l_mtime INTEGER, l_change INTEGER, l_inode INTEGER, l_birth INTEGER, l_racy INTEGER,
    l_mode INTEGER, l_uid INTEGER, l_gid INTEGER, l_xattrs TEXT,
    r_etag TEXT, r_size INTEGER, r_modified INTEGER,
    r_meta INTEGER, r_mtime INTEGER, r_mode INTEGER, r_uid INTEGER, r_gid INTEGER, r_xattrs TEXT,
    digest BLOB, moved_to TEXT
) STRICT, WITHOUT ROWID;
INSERT INTO "base" VALUES('d/','dir','agreed',0,1795177100905857102,1795177100905857102,10674391,1795177100721857107,0,448,0,0,NULL,'b3-af1349b9f5f9a1a6a0404dea36dcc949',0,1795177100,1,1795177100721857107,448,0,0,NULL,NULL,NULL);
INSERT INTO "base" VALUES('empty/','dir','agreed',0,1795177100721857107,1795177100721857107,10674412,1795177100721857107,0,493,0,0,NULL,'b3-af1349b9f5f9a1a6a0404dea36dcc949',0,1795177100,1,1795177100721857107,493,0,0,NULL,NULL,NULL);
INSERT INTO "base" VALUES('known','file','known',4,1706933106789000000,1795177100905857102,10674417,1795177100721857107,0,420,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "base" VALUES('lapsed','file','lapsed',4,1706933106789000000,1795177100905857102,10674417,1795177100721857107,1,420,0,0,'{"user.a":[98]}','b3-e0e63aa4c8e1ed796cb104d8a074e553',4,1795177100,1,1706933106789000000,420,0,0,NULL,X'E0E63AA4C8E1ED796CB104D8A074E553C99FFF18D140E886667013EF2780AE23',NULL);
INSERT INTO "base" VALUES('link.rclonelink','link','agreed',1,1795177100721857107,1795177100721857107,10674452,1795177100721857107,0,511,0,0,NULL,'b3-17762fddd969a453925d65717ac3eea2',1,1795177100,1,1795177100721857107,511,0,0,NULL,X'17762FDDD969A453925D65717AC3EEA21320B66B54342FDE15128D6CAF21215F',NULL);
INSERT INTO "base" VALUES('moved','file','agreed',4,1706933106789000000,1795177100905857102,10674417,1795177100721857107,0,420,0,0,NULL,'b3-e0e63aa4c8e1ed796cb104d8a074e553',4,1795177100,1,1706933106789000000,420,0,0,NULL,X'E0E63AA4C8E1ED796CB104D8A074E553C99FFF18D140E886667013EF2780AE23',NULL);
INSERT INTO "base" VALUES('old','file','agreed',4,1706933106789000000,1795177100905857102,10674417,1795177100721857107,0,420,0,0,NULL,'b3-e0e63aa4c8e1ed796cb104d8a074e553',4,1795177100,1,1706933106789000000,420,0,0,NULL,X'E0E63AA4C8E1ED796CB104D8A074E553C99FFF18D140E886667013EF2780AE23','moved');
INSERT INTO "base" VALUES('pruned','file','pruned',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'b3-e0e63aa4c8e1ed796cb104d8a074e553',4,1795177100,1,1706933106789000000,420,0,0,NULL,X'E0E63AA4C8E1ED796CB104D8A074E553C99FFF18D140E886667013EF2780AE23',NULL);
CREATE TABLE deletion (at_ms INTEGER NOT NULL, count INTEGER NOT NULL) STRICT;
INSERT INTO "deletion" VALUES(1795177100973,1);
CREATE TABLE event (seq INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, json TEXT NOT NULL) STRICT;
INSERT INTO "event" VALUES(1,1,'{"event":"done","action":"upload","path":"a","bytes":4}');
INSERT INTO "event" VALUES(2,1,'{"event":"done","action":"upload","path":"d/","bytes":0}');
INSERT INTO "event" VALUES(3,1,'{"event":"done","action":"upload","path":"d/b","bytes":4}');
INSERT INTO "event" VALUES(4,1,'{"event":"done","action":"upload","path":"empty/","bytes":0}');
INSERT INTO "event" VALUES(5,1,'{"event":"done","action":"upload","path":"link.rclonelink","bytes":1}');
INSERT INTO "event" VALUES(6,2,'{"event":"done","action":"move","path":"moved","bytes":0,"from":"a"}');
INSERT INTO "event" VALUES(7,2,'{"event":"done","action":"delete-there","path":"d/b","bytes":0}');
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "fact" VALUES('mode','push');
INSERT INTO "fact" VALUES('root','{"filesystem":8449908038363464222,"dir":{"inode":10674295,"birth_ns":1795177100721857107}}');
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, command TEXT NOT NULL,
    started_ms INTEGER NOT NULL, ended_ms INTEGER, exit INTEGER, report TEXT
) STRICT;
INSERT INTO "run" VALUES(1,'46489f299e872ce2','sync',1795177100818,1795177100874,0,'{"planned":{"here":5,"there":0,"agreed":0,"unchanged":0,"uploads":5,"upload_bytes":9,"moves":0,"downloads":0,"download_bytes":0,"metas":0,"deletes_there":0,"deletes_here":0,"deletes_unvouched":0,"compares":0,"conflicts":0,"drift":0,"problems":0},"uploaded":5,"uploaded_bytes":9,"moved":0,"downloaded":0,"downloaded_bytes":0,"reused":0,"metas":0,"deleted_there":0,"deleted_here":0,"adopted":0,"conflicts":0,"kept_both":0,"drift":0,"stale":0,"problem_count":0,"problems":[],"passes":1,"duration_ms":55,"endings":[],"stopped":null}');
INSERT INTO "run" VALUES(2,'0c0a810488dd71e3','sync',1795177100923,1795177100981,0,'{"planned":{"here":4,"there":5,"agreed":5,"unchanged":3,"uploads":0,"upload_bytes":0,"moves":1,"downloads":0,"download_bytes":0,"metas":0,"deletes_there":1,"deletes_here":0,"deletes_unvouched":0,"compares":0,"conflicts":0,"drift":0,"problems":0},"uploaded":0,"uploaded_bytes":0,"moved":1,"downloaded":0,"downloaded_bytes":0,"reused":0,"metas":0,"deleted_there":1,"deleted_here":0,"adopted":0,"conflicts":0,"kept_both":0,"drift":0,"stale":0,"problem_count":0,"problems":[],"passes":1,"duration_ms":58,"endings":[],"stopped":null}');
INSERT INTO "run" VALUES(3,'8ffe487a9cf35d15','sync',1795177101035,1795177101053,0,'{"planned":{"here":4,"there":4,"agreed":0,"unchanged":0,"uploads":0,"upload_bytes":0,"moves":0,"downloads":0,"download_bytes":0,"metas":0,"deletes_there":0,"deletes_here":0,"deletes_unvouched":0,"compares":0,"conflicts":0,"drift":0,"problems":0},"uploaded":0,"uploaded_bytes":0,"moved":0,"downloaded":0,"downloaded_bytes":0,"reused":0,"metas":0,"deleted_there":0,"deleted_here":0,"adopted":4,"conflicts":0,"kept_both":0,"drift":0,"stale":0,"problem_count":0,"problems":[],"passes":1,"duration_ms":18,"endings":[],"stopped":null}');
CREATE TABLE upload (upload_id TEXT PRIMARY KEY, key TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "upload" VALUES('upload-1','big');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('run',3);
INSERT INTO "sqlite_sequence" VALUES('event',7);
COMMIT;
