/*
 * poolbench THREADS FILE...: hashes the files as the daemon does for a verdict, each under a lease
 * in steps on the pool, and prints the nanoseconds from the first submission to the last digest.
 */
#include "base/clock.h"
#include "daemon/backing.h"
#include "daemon/hashing.h"
#include "daemon/pool.h"

#include <fcntl.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct job {
	struct pool_job job; /* first: the pool hands it back */
	struct hashing hashing;
	int fd;
	bool done;
	sem_t *ended;
};

static enum pool_step step(struct pool_job *pool_job)
{
	struct job *job = (struct job *)pool_job;
	struct digest digest;
	enum hash_state state = hashing_step(&job->hashing, &digest);

	if (state == HASH_AGAIN)
		return POOL_AGAIN;
	job->done = state == HASH_DONE;
	hashing_done(&job->hashing);
	close(job->fd);
	sem_post(job->ended);
	return POOL_DONE;
}

static bool prepare(struct job *job, struct hash_cache *cache, const char *path, sem_t *ended)
{
	struct file_identity identity;
	mode_t mode;

	job->job = (struct pool_job){.step = step, .priority = POOL_VERDICT};
	job->ended = ended;
	job->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (job->fd < 0 || file_identity_of(job->fd, &identity, &mode) < 0)
		return false;
	hashing_init(&job->hashing, cache, job->fd, &identity, true);
	return true;
}

static int run(struct pool *pool, struct job *jobs, size_t n, sem_t *ended)
{
	int64_t began_ns = clock_monotonic_ns();

	for (size_t i = 0; i < n; i++)
		if (!pool_submit(pool, &jobs[i].job))
			return 1;
	for (size_t i = 0; i < n; i++)
		sem_wait(ended);
	printf("%" PRId64 "\n", clock_monotonic_ns() - began_ns);
	for (size_t i = 0; i < n; i++)
		if (!jobs[i].done)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	const struct kernel_features kernel = {0};
	size_t n = argc > 2 ? (size_t)argc - 2 : 0;
	const size_t limits[_POOL_PRIORITIES] = {[POOL_VERDICT] = n, [POOL_DROP] = n};
	struct job *jobs = calloc(n ? n : 1, sizeof(*jobs));
	struct hash_cache *cache;
	struct pool *pool;
	sem_t ended;
	int r = 0;

	if (n == 0 || !jobs)
		return 64;
	sem_init(&ended, 0, 0);
	if (hash_cache_new(&kernel, &cache) < 0 ||
	        pool_new((unsigned int)strtoul(argv[1], NULL, 10), limits, &pool) < 0)
		return 1;
	for (size_t i = 0; i < n && r == 0; i++)
		r = !prepare(&jobs[i], cache, argv[i + 2], &ended);
	if (r == 0)
		r = run(pool, jobs, n, &ended);
	pool_free(pool);
	hash_cache_free(cache);
	free(jobs);
	return r;
}
