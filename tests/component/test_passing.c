/* Who may be in the middle of an exec (daemon/passing.h), with real tasks. */
#include "daemon/passing.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TRIES 2000u /* of 5 ms: what is waited for comes on a busy machine, too */

static void spin(void)
{
	for (;;)
		(void)getppid();
}

static void wait_for_word(void)
{
	(void)pause();
}

static pid_t start(void (*run)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static char state_of(pid_t pid)
{
	char path[64], text[512] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	return strrchr(text, ')')[2];
}

static void wait_for_state(pid_t pid, char state)
{
	for (unsigned int i = 0; i < TRIES; i++) {
		if (state_of(pid) == state)
			return;
		usleep(5000);
	}
	fail_msg("%d never got into state %c", (int)pid, state);
}

static bool settles(struct passing *passing)
{
	for (unsigned int i = 0; i < TRIES; i++) {
		if (passing_left(passing) == 0)
			return true;
		usleep(5000);
	}
	return false;
}

static void test_who_sleeps_or_is_stopped_is_not_in_between(void **state)
{
	struct passing passing;
	pid_t pid = start(wait_for_word);

	(void)state;
	wait_for_state(pid, 'S');
	assert_int_equal(passing_look(pid, &passing), 0);
	assert_int_equal(passing.n, 0);
	passing_done(&passing);
	kill(pid, SIGSTOP);
	wait_for_state(pid, 'T');
	assert_int_equal(passing_look(pid, &passing), 0);
	assert_int_equal(passing.n, 0);
	passing_done(&passing);
	end(pid);
	assert_int_equal(passing_look(pid, &passing), 0);
	assert_int_equal(passing.n, 0);
	passing_done(&passing);
}

static void test_who_runs_has_passed_when_it_has_run_for_a_while(void **state)
{
	struct passing passing;
	pid_t pid = start(spin);

	(void)state;
	wait_for_state(pid, 'R');
	assert_int_equal(passing_look(pid, &passing), 0);
	assert_int_equal(passing.n, 1);
	assert_true(settles(&passing));
	passing_done(&passing);
	end(pid);
}

static void test_who_does_not_get_to_run_has_not_passed(void **state)
{
	const struct sched_param none = {0}, first = {.sched_priority = 1};
	struct passing passing;
	cpu_set_t set;
	pid_t starved, hog;

	(void)state;
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	starved = start(spin);
	hog = start(spin);
	assert_int_equal(sched_setaffinity(starved, sizeof(set), &set), 0);
	assert_int_equal(sched_setaffinity(hog, sizeof(set), &set), 0);
	assert_int_equal(sched_setscheduler(starved, SCHED_IDLE, &none), 0);
	if (sched_setscheduler(hog, SCHED_FIFO, &first) < 0)
		fail_msg("needs CAP_SYS_NICE");
	/* The kernel keeps 5 % from real time (sched_rt_runtime_us): 50 ms of each second. */
	assert_int_equal(passing_look(starved, &passing), 0);
	assert_int_equal(passing.n, 1);
	assert_int_equal(passing_left(&passing), 1);
	end(hog);
	assert_true(settles(&passing));
	passing_done(&passing);
	end(starved);
}

static void test_who_goes_or_is_another_has_passed(void **state)
{
	struct passing passing;
	pid_t pid = start(spin);

	(void)state;
	wait_for_state(pid, 'R');
	assert_int_equal(passing_look(pid, &passing), 0);
	assert_int_equal(passing.n, 1);
	end(pid);
	assert_int_equal(passing_left(&passing), 0);
	passing_done(&passing);
}

static void test_all_tasks(void **state)
{
	struct passing passing;
	pid_t pid = start(spin);

	(void)state;
	wait_for_state(pid, 'R');
	assert_int_equal(passing_look(0, &passing), 0);
	assert_true(passing.n >= 1);
	assert_true(settles(&passing));
	passing_done(&passing);
	end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_who_sleeps_or_is_stopped_is_not_in_between),
	        cmocka_unit_test(test_who_runs_has_passed_when_it_has_run_for_a_while),
	        cmocka_unit_test(test_who_does_not_get_to_run_has_not_passed),
	        cmocka_unit_test(test_who_goes_or_is_another_has_passed),
	        cmocka_unit_test(test_all_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
