BEGIN TRANSACTION;
CREATE TABLE autotune_alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT autotune_alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "autotune_alembic_version" VALUES('0001');
CREATE TABLE machines (
	id INTEGER NOT NULL, 
	fingerprint VARCHAR NOT NULL, 
	description VARCHAR NOT NULL, 
	CONSTRAINT pk_machines PRIMARY KEY (id), 
	CONSTRAINT uq_machines_fingerprint UNIQUE (fingerprint)
);
INSERT INTO "machines" VALUES(1,'e63168d68a16','{"architecture":"x86_64","caches":[{"level":1,"shared_by":1,"size":32768},{"level":2,"shared_by":1,"size":524288}],"cores":2,"cpu":"Example 9","isa":"avx2","llvm_cpu":"znver3","revision":"","vector_bytes":32,"vector_registers":16}');
CREATE TABLE measurements (
	id INTEGER NOT NULL, 
	workload_id INTEGER NOT NULL, 
	machine_id INTEGER NOT NULL, 
	config VARCHAR NOT NULL, 
	config_digest VARCHAR NOT NULL, 
	status VARCHAR NOT NULL, 
	samples VARCHAR NOT NULL, 
	seconds DOUBLE, 
	error VARCHAR NOT NULL, 
	source VARCHAR NOT NULL, 
	versions VARCHAR NOT NULL, 
	build_seconds DOUBLE NOT NULL, 
	stopped_early BOOLEAN NOT NULL, 
	load DOUBLE NOT NULL, 
	started VARCHAR NOT NULL, 
	run VARCHAR, 
	digest VARCHAR NOT NULL, 
	CONSTRAINT pk_measurements PRIMARY KEY (id), 
	CONSTRAINT uq_measurements_digest UNIQUE (digest), 
	CONSTRAINT fk_measurements_workload_id FOREIGN KEY(workload_id) REFERENCES workloads (id), 
	CONSTRAINT fk_measurements_machine_id FOREIGN KEY(machine_id) REFERENCES machines (id)
);
INSERT INTO "measurements" VALUES(1,1,1,'{"order":"mnk","pack":true,"rows":6,"share":0.5,"unroll":0}','635dd25c150fde5bfaa9713c837b9912','ok','[0.25,0.125,0.5]',0.25,'','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','{"autotune":"0.1.0","numba":"0.68.1"}',1.5,0,0.99,'2026-01-31T12:00:00.000000+00:00','study','65e5df56975ccc0ddc2c0eba3db956f9');
INSERT INTO "measurements" VALUES(2,1,1,'{"order":"mnk","pack":true,"rows":6,"share":0.5,"unroll":1}','aa6836ae24625c5dbb6622f28aadb19f','ok','[0.25,0.125,1.5]',0.25,'','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','{"autotune":"0.1.0","numba":"0.68.1"}',1.5,0,0.99,'2026-01-31T12:00:00.000001+00:00','study','1d6bad4c4cfa6359f62d810e57a65f4c');
CREATE TABLE winners (
	id INTEGER NOT NULL, 
	workload_id INTEGER NOT NULL, 
	machine_id INTEGER NOT NULL, 
	config VARCHAR NOT NULL, 
	config_digest VARCHAR NOT NULL, 
	source VARCHAR NOT NULL, 
	samples VARCHAR NOT NULL, 
	seconds DOUBLE NOT NULL, 
	default_samples VARCHAR NOT NULL, 
	default_seconds DOUBLE NOT NULL, 
	ratio_low DOUBLE NOT NULL, 
	ratio_high DOUBLE NOT NULL, 
	versions VARCHAR NOT NULL, 
	proven VARCHAR NOT NULL, 
	digest VARCHAR NOT NULL, 
	CONSTRAINT pk_winners PRIMARY KEY (id), 
	CONSTRAINT uq_winners_digest UNIQUE (digest), 
	CONSTRAINT fk_winners_workload_id FOREIGN KEY(workload_id) REFERENCES workloads (id), 
	CONSTRAINT fk_winners_machine_id FOREIGN KEY(machine_id) REFERENCES machines (id)
);
INSERT INTO "winners" VALUES(1,1,1,'{"pack":true,"rows":6,"unroll":0}','dcf2b35a2266130f9dbdea3e2e991103','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','[0.1,0.2,0.3]',0.2,'[0.4,0.5]',0.45,1.75,2.5,'{"autotune":"0.1.0"}','2026-01-31T12:00:00+00:00','ae5bf5b82d8d5cff8be72de2aa5e9993');
INSERT INTO "winners" VALUES(2,1,1,'{"pack":true,"rows":6,"unroll":1}','fa7ba6ded1eb953826cf9235686dd22f','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','[0.1,0.2,0.3]',0.2,'[0.4,0.5]',0.45,1.75,2.5,'{"autotune":"0.1.0"}','2026-01-31T12:00:01+00:00','ffb4766a218aa743501f57f8811a63b9');
CREATE TABLE workloads (
	id INTEGER NOT NULL, 
	"key" VARCHAR NOT NULL, 
	kernel VARCHAR NOT NULL, 
	definition VARCHAR NOT NULL, 
	direction VARCHAR NOT NULL, 
	extents VARCHAR NOT NULL, 
	dtype VARCHAR NOT NULL, 
	threads INTEGER NOT NULL, 
	CONSTRAINT pk_workloads PRIMARY KEY (id), 
	CONSTRAINT uq_workloads_key UNIQUE ("key")
);
INSERT INTO "workloads" VALUES(1,'{"definition":"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd","direction":"forward","dtype":"float32","extents":{"k":32,"m":16,"n":24},"kernel":"matmul","threads":1}','matmul','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','forward','{"k":32,"m":16,"n":24}','float32',1);
CREATE INDEX ix_workloads_parts ON workloads (kernel, definition, direction, dtype, threads);
CREATE INDEX ix_measurements_workload ON measurements (workload_id, id);
CREATE INDEX ix_measurements_summary ON measurements (workload_id, machine_id, status, started, seconds);
CREATE INDEX ix_measurements_started ON measurements (started);
CREATE INDEX ix_measurements_run ON measurements (run);
CREATE INDEX ix_winners_live ON winners (workload_id, machine_id, proven, digest);
COMMIT;
