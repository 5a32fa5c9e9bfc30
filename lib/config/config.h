/*
 * /etc/execward/execward.yaml as an immutable value: every key has a default, unknown keys, wrong
 * types and bad globs are errors with line and column. Loading opens the file and nothing else;
 * whether directories exist is the daemon's business.
 *
 * Keys and defaults: config/execward.yaml, which a test loads, and DESIGN's first shape.
 */
#pragma once

#include "core/policy.h"
#include "core/types.h"

#include <stddef.h>
#include <stdint.h>

#define CONFIG_SIZE_MAX        (1024u * 1024u) /* bytes of a configuration file */
#define CONFIG_LIST_MAX        1024u           /* entries of storage, paths, writers, outputs */
#define CONFIG_FETCH_MAX       64u             /* entries of trust.fetch */
#define CONFIG_DEADLINE_MIN_MS 10u
#define CONFIG_DEADLINE_MAX_MS 60000u /* a task that waits longer looks like a hung host */

enum output_type {
	OUTPUT_UNSET = 0,
	OUTPUT_STDOUT,
	OUTPUT_FILE, /* path */
	OUTPUT_JOURNALD,
	OUTPUT_SYSLOG,
	OUTPUT_HTTP, /* url */
	_OUTPUT_MAX,
};

const char *output_type_name(enum output_type type);

struct config_output {
	enum output_type type;
	char *path; /* absolute; OUTPUT_FILE only, required there */
	char *url;  /* http:// or https://; OUTPUT_HTTP only, required there */
};

/* Where `execward allowlist fetch` gets a list. */
struct config_fetch {
	char *url;    /* https:// */
	char *series; /* the only one that is taken from there; NULL: any that the keys allow */
};

struct config_path {
	char *path;     /* absolute */
	enum mode mode; /* UNSET: the global one */
};

struct config {
	struct policy_settings policy; /* mode, copies, on_failure, rules */
	uint32_t deadline_ms;          /* 5000 */
	char *state_dir;               /* /var/lib/execward */
	char *runtime_dir;             /* /run/execward */

	enum mark_kind marks; /* AUTO */
	char **storage;       /* absolute; empty: the runtimes' defaults that exist */
	size_t n_storage;
	bool guard_containers; /* true */
	bool guard_volumes;    /* true */
	bool guard_loaders;    /* false: asked about until the kernel remembers them */
	bool guard_libraries;  /* false */
	struct config_path *paths;
	size_t n_paths;

	char *keys_dir;          /* /etc/execward/keys.d */
	char *allowlists_dir;    /* /etc/execward/allowlists.d */
	uint32_t threshold;      /* 1 or more */
	uint32_t skew_s;         /* trust.skew: how far clocks may differ, 5m; 0s..24h */
	uint32_t max_validity_s; /* trust.max_validity: of a list, 400d; 1h..3650d */
	uint32_t grace_s;        /* trust.grace: how long an expired list goes on, 0s; 0s..365d */
	char **labels;           /* trust.labels: of this host, for the scope of lists */
	size_t n_labels;
	bool ima;       /* false */
	char **writers; /* absolute paths of package managers */
	size_t n_writers;
	uint32_t writers_keep_ms; /* trust.keep: what they wrote is vouched for, 30d; 1h..1000h */

	struct config_fetch *fetch; /* trust.fetch */
	size_t n_fetch;

	struct config_output *outputs; /* default: journald */
	size_t n_outputs;

	/* limits: every queue and pool has a bound with a name here */
	uint32_t hash_threads; /* limits.hash_threads, 0: one per core; 0..64 */
	uint32_t pending_max;  /* limits.pending: verdicts under way, 4096; 16..1000000 */
	uint32_t leases_max; /* limits.leases: remembered verdicts on upper files, 1024; 0..65536 */
	uint32_t alert_window_ms; /* limits.alert_window, 60s; 1s..1h */
	uint32_t events_max;      /* retention.events, 100000 rows; 100..10000000 */
	uint32_t drops_max;       /* retention.drops, 200000 rows; 100..10000000 */
	uint32_t retention_days;  /* retention.days, 30; 1..3650 */

	/* runtime metadata: where the files of each runtime live; a test points them elsewhere */
	char *docker_dir;     /* runtimes.docker, /var/lib/docker */
	char *podman_dir;     /* runtimes.podman, /var/lib/containers/storage */
	char *podman_run_dir; /* runtimes.podman_run, /run/containers/storage (cri-o's userdata too)
	                       */
	char *containerd_dir; /* runtimes.containerd, /var/lib/containerd */
	char **containerd_run_dirs; /* runtimes.containerd_run, /run/containerd and
	                               /run/k3s/containerd */
	size_t n_containerd_run_dirs;
};

struct config_error {
	char *file;          /* as given */
	unsigned int line;   /* 1-based; 0 when the fault has no place (file missing) */
	unsigned int column; /* 1-based */
	char *message;       /* what is wrong and how to mend it; printable */
};

void config_error_done(struct config_error *error);

enum {
	CONFIG_E_INVALID = 1, /* @reterr_error says where and why */
};

/*
 * Loads @path; NULL loads the defaults. 0, CONFIG_E_INVALID, or a negative errno when the file
 * cannot be read (then @reterr_error is filled too). The caller frees with config_free().
 */
int config_load(const char *path, struct config **ret_config, struct config_error *reterr_error);

/* The same from memory; @name stands for the file in errors. Used by tests and the fuzzer. */
int config_parse(const char *text, size_t size, const char *name, struct config **ret_config,
        struct config_error *reterr_error);

void config_free(struct config *config);

/*
 * `5s`, `500ms`, `10m`, `24h`, `180d`: an unsigned integer and a unit, no sign, no space, no
 * fraction. 0, -EINVAL, or -ERANGE past 100 years.
 */
int duration_parse(const char *text, int64_t *ret_ns);
