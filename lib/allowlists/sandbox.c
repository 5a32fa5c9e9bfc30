#include "allowlists/sandbox.h"

#include "base/cleanup.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Bytes of addresses: an envelope of 64 MiB, decoded beside it, and what grows by doubling. */
#define MEMORY_MAX (UINT64_C(512) << 20)

/* futex: locks of libcrypto; getpid, getrandom, clock_gettime: its generator, which blinds the
 * points of P-384. restart_syscall, rt_sigreturn: after a stop, or a signal. */
static const int calls[] = {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(munmap), SCMP_SYS(mremap),
        SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(clock_gettime),
        SCMP_SYS(getpid), SCMP_SYS(getrandom), SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),
        SCMP_SYS(exit), SCMP_SYS(exit_group)};

static const int sanitizer_calls[] = {SCMP_SYS(mprotect), SCMP_SYS(sigaltstack),
        SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(gettid), SCMP_SYS(sched_yield),
        SCMP_SYS(prctl), SCMP_SYS(close)};

static inline void filter_donep(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

static int allow(scmp_filter_ctx filter, const int *numbers, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, numbers[i], 0);
	return r;
}

/* Memory of no file, and never to be run. */
static int allow_memory(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
	        SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
	        SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
}

static int filter_calls(void)
{
	_cleanup_(filter_donep) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!filter)
		return -ENOMEM;
	r = allow(filter, calls, sizeof(calls) / sizeof(calls[0]));
	if (r == 0)
		r = allow_memory(filter);
	if (r == 0 && SANDBOX_SANITIZED)
		r = allow(filter, sanitizer_calls,
		        sizeof(sanitizer_calls) / sizeof(sanitizer_calls[0]));
	return r == 0 ? seccomp_load(filter) : r;
}

/* The kernel clears the capabilities of a root that becomes another; what is left goes after it. */
static int give_up_user(void)
{
	if (geteuid() == 0) {
		if (setgroups(0, NULL) < 0)
			return -errno;
		if (setresgid(SANDBOX_USER, SANDBOX_USER, SANDBOX_USER) < 0)
			return -errno;
		if (setresuid(SANDBOX_USER, SANDBOX_USER, SANDBOX_USER) < 0)
			return -errno;
	}
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0 || capng_get_caps_process() != 0)
		return -EPERM;
	return capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE ? 0 : -EPERM;
}

static int give_up_resources(void)
{
	static const struct rlimit none = {0, 0};
	static const struct rlimit memory = {MEMORY_MAX, MEMORY_MAX};
	static const unsigned int limits[] = {
	        RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_CORE, RLIMIT_FSIZE};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (setrlimit(limits[i], &none) < 0)
			return -errno;
	/* The sanitizers' shadow takes terabytes of addresses. */
	return !SANDBOX_SANITIZED && setrlimit(RLIMIT_AS, &memory) < 0 ? -errno : 0;
}

int sandbox_enter(void)
{
	int r = give_up_user();

	/* A change of user forgets it (prctl(2)): so it stands here. */
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		r = -errno;
	if (r == 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		r = -errno;
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	if (r == 0)
		r = give_up_resources();
	return r == 0 ? filter_calls() : r;
}
