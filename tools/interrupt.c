#include "tools/interrupt.h"

#include <stddef.h>

/* The only place that a handler may write to. */
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

const volatile sig_atomic_t *interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	/* sa_flags is int, and SA_RESETHAND its sign bit. */
	action.sa_flags |= (int)SA_RESETHAND;
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	return &stop;
}
