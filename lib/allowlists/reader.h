/*
 * A process that reads an envelope: it loads the trusted keys, gives up its user, its capabilities
 * and all system calls but read, write, memory and exit, verifies, and only then parses; what it
 * says comes back through a pipe and is checked like any foreign byte. So a fault in a parser is
 * one in a process that can do nothing, and 64 MiB of envelope are never in the daemon.
 */
#pragma once

#include "base/cleanup.h"

#define READER_SECONDS 60u /* for one envelope; the largest takes 2 s */

/*
 * The daemon's: forked before its first thread, and after key_setup(), it forks a reader for each
 * envelope. Whoever asks it may be any thread.
 */
struct reader_helper;
/*
 * 0 or -errno. The helper dies with the caller's main thread (PR_SET_PDEATHSIG), and ends when the
 * caller closes its end.
 */
int reader_helper_start(struct reader_helper **ret_helper);
void reader_helper_stop(struct reader_helper *helper);
DEFINE_FREEP(reader_helper, reader_helper_stop)
