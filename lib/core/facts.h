/*
 * What is known about one exec when it is decided, and about the program that is to run. Filled
 * by the daemon's probe and completed by its digest pool; read by the policy, the alert and the
 * recorder. Nothing here knows which mark the event came from.
 *
 * Text is hostile: names, argv and paths come from processes in containers. It is bounded by
 * TEXT_MAX where it is read, may hold any byte but NUL, and is made printable only where it is
 * shown.
 */
#pragma once

#include "core/types.h"

#include <sys/types.h>

#define TEXT_MAX     8192u /* bytes of one text; a path is at most PATH_MAX (4096) */
#define ANCESTOR_MAX 4u    /* parents whose names are read: Falco's proc.aname goes as deep */

/* A file by identity: equal values mean the same inode with the same state. */
struct file_identity {
	uint64_t dev; /* st_dev of the real inode's filesystem, as makedev(3) packs it */
	uint64_t ino;
	int64_t btime_ns; /* 0 when the filesystem keeps none */
	int64_t ctime_ns;
	int64_t mtime_ns;
	uint64_t size; /* bytes */
};

struct statx;
/* Of what statx(2) has answered, asked for STATX_BASIC_STATS | STATX_BTIME at least. */
struct file_identity file_identity_from(const struct statx *sx);
bool file_identity_same_inode(const struct file_identity *a, const struct file_identity *b);
bool file_identity_equal(const struct file_identity *a, const struct file_identity *b);

/*
 * A container as the runtimes' own files name it; keyed by its overlay, never by what a process
 * claims. Immutable and shared by reference count once published (daemon/containers.h).
 * A NULL text is unknown.
 */
struct container_info {
	char *key; /* stable name of the overlay: the canonical host path of its upper directory */
	char *runtime;    /* docker, podman, containerd, cri-o */
	char *id;         /* 64 hex digits in all four runtimes */
	char *name;       /* without Docker's leading slash; CRI: the container's name in its pod */
	char *image;      /* reference as the runtime has it: docker.io/library/debian:12 */
	char *image_id;   /* hex digest of the image, without "sha256:" */
	char *ns;         /* Kubernetes namespace */
	char *pod;        /* Kubernetes pod name */
	int64_t start_ns; /* CLOCK_REALTIME; 0 when unknown */
};

void container_info_done(struct container_info *info);
/* Deep copy into @ret_copy (container_info_done). 0 or -ENOMEM. */
int container_info_copy(const struct container_info *info, struct container_info *ret_copy);

/* One process. Numbers are -1 and texts NULL when they could not be read. */
struct process_info {
	pid_t pid; /* in the host's pid namespace */
	pid_t ppid;
	char *comm;    /* at most 15 bytes */
	char *exe;     /* argv[0] */
	char *exepath; /* target of /proc/PID/exe */
	char *cmdline; /* arguments joined by one space */
	char *cwd;
	char *parents[ANCESTOR_MAX]; /* comm of parent, grandparent, ... */
	char *session_leader;        /* comm of the session leader */
	char *parent_exepath;
	int64_t uid;
	char *user;        /* its name in the container */
	int64_t login_uid; /* -1 when unset */
	int64_t tty;       /* device number; 0 when none */
	int64_t start_ns;  /* CLOCK_REALTIME; 0 when unknown */
};

void process_info_done(struct process_info *process);

/* Who wrote a file at runtime. */
struct drop_info {
	int64_t id;       /* row in the database, 0 when none */
	bool known;       /* false: no drop on record */
	bool writer_gone; /* the writer had exited before it could be read: fields below are NULL */
	pid_t pid;
	int64_t uid;
	char *exe;
	char *cmdline;
	int64_t time_ns; /* CLOCK_REALTIME */
};

void drop_info_done(struct drop_info *drop);

/* What a dynamic loader was opened for. */
enum exec_form {
	EXEC_FORM_UNKNOWN = 0, /* no loader, or it could not be told */
	EXEC_FORM_PROGRAM,     /* a program that has it as interpreter */
	EXEC_FORM_LOADER,      /* itself: ld.so PROGRAM */
	EXEC_FORM_MEMFD,       /* a program in a memfd */
};

/* One exec. */
struct exec_facts {
	int64_t time_ns; /* CLOCK_REALTIME, when the event was read */
	enum origin origin;
	bool other_image; /* with ORIGIN_VOLUME: a file of another container's image */
	bool upper;       /* its real inode lies in an upper layer */
	bool executable;  /* has an x bit, which is what lets it run */
	enum exec_kind kind;
	enum exec_form form;
	char *path;           /* in the container; describes only */
	char *host_path;      /* on the host; NULL in overlay mode */
	char *filesystem;     /* UUID of the guarded host filesystem; NULL elsewhere */
	enum mode guard_mode; /* of the guarded path; UNSET: the global one */
	struct file_identity identity;
	bool has_digest;
	struct digest digest;
	char *copy_of; /* path of the image's program of equal content */
	bool has_container;
	struct container_info container;
	struct process_info process; /* the task that asked for the exec */
	char *exec_argv0;            /* first argument of the new program */
	char *exec_argv;             /* the arguments of the new program, joined by one space */
};

void exec_facts_done(struct exec_facts *facts);
