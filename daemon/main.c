/*
 * execwardd: checks that it can do its work at all, creates the fanotify groups, starts the engine,
 * says READY, and waits for signals. It stays in the foreground and logs to stderr.
 *
 * Exit codes (sysexits): 0 ended by SIGTERM, 64 usage, 69 another daemon runs or the kernel lacks
 * what is needed, 70 internal, 73 cannot create, 74 database, 77 permission, 78 configuration.
 */
#include "base/cleanup.h"
#include "allowlists/reader.h"
#include "config/config.h"
#include "crypto/key.h"
#include "daemon/control.h"
#include "daemon/engine.h"
#include "daemon/hashing.h"
#include "daemon/kernel_abi.h"
#include "daemon/log.h"

#include <cap-ng.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

#define DEFAULT_CONFIG "/etc/execward/execward.yaml"

struct options {
	const char *config;
	bool check;
};

static const char usage[] =
        "usage: execwardd [--config FILE] [--check-config]\n"
        "\n"
        "Guards the executables of containers. Stays in the foreground, logs to stderr.\n"
        "  --config FILE    configuration (default /etc/execward/execward.yaml, or built-in "
        "defaults)\n"
        "  --check-config   read the configuration, report faults, exit 0 or 78\n"
        "  --version        print the version\n"
        "  --help           this text\n";

/* -1: go on; else the exit code. */
static int parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option table[] = {
	        {"config", required_argument, NULL, 'c'},
	        {"check-config", no_argument, NULL, 'k'},
	        {"version", no_argument, NULL, 'v'},
	        {"help", no_argument, NULL, 'h'},
	        {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", table, NULL)) >= 0) {
		switch (c) {
		case 'c':
			ret->config = optarg;
			break;
		case 'k':
			ret->check = true;
			break;
		case 'v':
			printf("execwardd %s\n", EXECWARD_VERSION);
			return EX_OK;
		case 'h':
			fputs(usage, stdout);
			return EX_OK;
		default:
			fputs(usage, stderr);
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (!ret->config && access(DEFAULT_CONFIG, F_OK) == 0)
		ret->config = DEFAULT_CONFIG;
	return -1;
}

static int load_config(const char *path, struct config **ret_config)
{
	_cleanup_(config_error_done) struct config_error error = {0};
	int r = config_load(path, ret_config, &error);

	if (r == 0)
		return 0;
	if (error.line > 0)
		log_error("%s:%u:%u: %s", error.file, error.line, error.column, error.message);
	else
		log_error("%s: %s", path,
		        error.message ? error.message : strerror(r < 0 ? -r : EINVAL));
	return EX_CONFIG;
}

/* Keys that the file may have and this release does not act upon: said, never passed over. */
static void warn_unserved(const struct config *config)
{
	if (config->guard_libraries)
		log_warning("guard.libraries: not in force in this release");
}

/*
 * In a pid namespace of its own the daemon would see pid 0 for every task outside: it could tell
 * nobody who ran what. The variable is for tests that boot a system in a namespace of its own.
 */
static int check_namespaces(void)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) < 0) {
		log_error("/proc is not mounted: %s", strerror(errno));
		return EX_UNAVAILABLE;
	}
	if (st.st_ino != ABI_PID_INIT_INO && !getenv("EXECWARD_TEST_PID_NAMESPACE")) {
		log_error("running in a pid namespace of its own: tasks outside it would have no "
		          "pid; "
		          "start it in the host's (docker run --pid=host)");
		return EX_NOPERM;
	}
	return 0;
}

static int check_privileges(void)
{
	if (geteuid() != 0 || capng_get_caps_process() < 0 ||
	        !capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN)) {
		log_error("needs root with CAP_SYS_ADMIN: fanotify permission events are refused "
		          "else");
		return EX_NOPERM;
	}
	return 0;
}

/* Every event that is read is a descriptor: as many as we may have. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/*
 * The kernel would execute a program to take our core dump (core_pattern), from a filesystem that
 * we guard, and wait for it, and it for us: with us every exec of the host.
 */
static void leave_no_core(void)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		log_warning("core dumps cannot be switched off: %s", strerror(errno));
}

/* Before there are threads, and before what it must not inherit. Without it the directory of lists
 * is not watched, which is no reason to guard nothing. */
static void start_reader(struct engine_parts *parts)
{
	int r = reader_helper_start(&parts->reader);

	if (r == 0)
		return;
	parts->reader = NULL;
	log_error("trust.allowlists_dir: not watched: the process that reads lists cannot be "
	          "started: %s",
	        strerror(-r));
}

/* The refuser first: its process must not inherit the groups that the daemon answers. */
static int open_groups(struct engine_parts *parts)
{
	int r;

	if (parts->kernel.present[KERNEL_PERMISSION_EVENTS] == KERNEL_ABSENT) {
		log_error("this kernel has no FAN_OPEN_EXEC_PERM (Linux 5.0 with "
		          "CONFIG_FANOTIFY_ACCESS_PERMISSIONS): nothing could be denied");
		return EX_UNAVAILABLE;
	}
	r = refuser_start(&parts->refuser);
	if (r == 0)
		r = fan_groups_open(&parts->groups);
	if (r < 0) {
		log_error("cannot create the fanotify groups: %s%s", strerror(-r),
		        r == -EMFILE ? " (fs.fanotify.max_user_groups)" : "");
		return r == -EPERM ? EX_NOPERM : EX_UNAVAILABLE;
	}
	return 0;
}

/* Without them no exec in an overlay would be seen at all: not what somebody asked for by name. */
static int check_marks(const struct config *config, const struct kernel_features *kernel)
{
	if (config->marks != MARK_KIND_BACKING ||
	        kernel->present[KERNEL_BACKING_EVENTS] != KERNEL_ABSENT)
		return 0;
	log_error("guard.marks: backing needs Linux 6.5: before, an exec in an overlay raises no "
	          "event on the filesystem of its layers");
	return EX_UNAVAILABLE;
}

static void reload(struct engine *engine)
{
	_cleanup_(config_error_done) struct config_error error = {0};

	sd_notify(0, "RELOADING=1");
	if (engine_reload(engine, &error) == 0)
		log_notice("configuration reloaded");
	else if (error.line > 0)
		log_error("%s:%u:%u: %s; the configuration before stays in force",
		        error.file ? error.file : "configuration", error.line, error.column,
		        error.message ? error.message : "could not be loaded");
	else
		log_error("%s%s%s; the configuration before stays in force", error.file ?: "",
		        error.file ? ": " : "", error.message ?: "it could not be loaded");
	sd_notify(0, "READY=1");
}

/* Half the watchdog's interval in milliseconds, or -1. */
static int watchdog_interval(void)
{
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return -1;
	return (int)(usec / 2000);
}

static void run(struct engine *engine, int signals)
{
	int interval = watchdog_interval();

	for (;;) {
		struct pollfd fd = {.fd = signals, .events = POLLIN};
		struct signalfd_siginfo info;
		int n = poll(&fd, 1, interval);

		if (n == 0)
			sd_notify(0, "WATCHDOG=1");
		if (n <= 0 || read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
			continue;
		if (info.ssi_signo != SIGHUP)
			return;
		reload(engine);
	}
}

/* Signals are read, never delivered: a lease that breaks must not kill (SIGIO). */
static int block_signals(void)
{
	sigset_t wanted, blocked;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGHUP);
	blocked = wanted;
	sigaddset(&blocked, SIGIO);
	sigaddset(&blocked, LEASE_SIGNAL);
	sigaddset(&blocked, SIGPIPE);
	if (sigprocmask(SIG_BLOCK, &blocked, NULL) < 0)
		return -errno;
	return signalfd(-1, &wanted, SFD_CLOEXEC);
}

static int exit_code(int r)
{
	switch (r) {
	case 0:
		return EX_OK;
	case ENGINE_E_INVALID:
		return EX_CONFIG;
	case ENGINE_E_STORE:
		return EX_IOERR;
	case ENGINE_E_UNSAFE:
	case -EPERM:
	case -EACCES:
		return EX_NOPERM;
	case -EADDRINUSE:
		return EX_UNAVAILABLE;
	case -ENOENT:
	case -ENAMETOOLONG:
		return EX_CANTCREAT;
	default:
		return EX_SOFTWARE;
	}
}

static void control_freep(struct control **control)
{
	control_free(*control);
}

static int serve(const char *path, struct config *config)
{
	_cleanup_(control_freep) struct control *control = NULL;
	_cleanup_close_ int signals = -1;
	struct engine_parts parts = {.refuser = REFUSER_NONE, .groups = FAN_GROUPS_NONE};
	struct engine *engine = NULL;
	int r;

	kernel_probe(&parts.kernel);
	start_reader(&parts);
	r = check_marks(config, &parts.kernel);
	if (r == 0)
		r = open_groups(&parts);
	if (r == 0)
		r = exit_code(control_new(config->runtime_dir, &control));
	if (r != 0) {
		reader_helper_stop(parts.reader);
		refuser_stop(&parts.refuser);
		fan_groups_close(&parts.groups);
		config_free(config);
		return r;
	}
	signals = block_signals();
	r = engine_start(path, config, &parts, &engine);
	if (r == 0) {
		r = control_start(control, engine);
		if (r < 0)
			log_error("control socket: %s", strerror(-r));
	}
	if (r == 0) {
		sd_notify(0, "READY=1");
		log_notice("ready");
		run(engine, signals);
		sd_notify(0, "STOPPING=1");
	}
	control_stop(control);
	if (!engine_stop(engine)) {
		control_free(TAKE_PTR(control));
		_exit(exit_code(r));
	}
	return exit_code(r);
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct config *config = NULL;
	int r = parse_options(argc, argv, &options);

	if (r >= 0)
		return r;
	r = load_config(options.config, &config);
	if (r != 0)
		return r;
	if (options.check) {
		config_free(config);
		return EX_OK;
	}
	warn_unserved(config);
	r = check_namespaces();
	if (r == 0)
		r = check_privileges();
	if (r != 0) {
		config_free(config);
		return r;
	}
	/* Before the first digest: no file and no variable loads an engine into this process. */
	if (key_setup() < 0) {
		log_error("OpenSSL cannot be set up: reinstall libssl3");
		config_free(config);
		return EX_SOFTWARE;
	}
	raise_limits();
	if (config->n_paths > 0)
		leave_no_core();
	return serve(options.config, config);
}
