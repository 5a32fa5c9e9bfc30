/*
 * One write(2) a message, so that lines of several threads never mix. What a message quotes from
 * outside (a path of a mount, a name) is made printable first: a journal is read on a terminal.
 */
#include "daemon/log.h"

#include "base/cleanup.h"
#include "core/alert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Journal priorities of syslog(3): err, warning, notice, info. */
static const char *const prefixes[] = {"<3>", "<4>", "<5>", "<6>"};
static const char *const words[] = {"error: ", "warning: ", "", ""};

void log_message(enum log_level level, const char *format, ...)
{
	_cleanup_free_ char *text = NULL, *printable = NULL, *line = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		text = NULL;
		return;
	}
	printable = text_for_terminal(text);
	n = asprintf(&line, "%sexecwardd: %s%s\n", getenv("JOURNAL_STREAM") ? prefixes[level] : "",
	        words[level], printable ? printable : "(out of memory)");
	if (n < 0) {
		line = NULL;
		return;
	}
	while (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		n = 0; /* nobody reads stderr: there is no place left to say so */
}
