/*
 * Who interrupts a long run is heard: it ends soon, and tidily. A second signal ends the process at
 * once.
 */
#pragma once

#include <signal.h>

/* From here on SIGINT and SIGTERM set what is returned. */
const volatile sig_atomic_t *interrupt_catch(void);
