#include "daemon/threads.h"

#include <pthread.h>
#include <sched.h>

void thread_hurry(void)
{
	struct sched_param param = {.sched_priority = sched_get_priority_min(SCHED_RR)};

	(void)pthread_setschedparam(pthread_self(), SCHED_RR, &param);
}
