#include "tools/passphrase.h"

#include "base/cleanup.h"
#include "tools/print.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

static int say(const struct call *call, int code, const char *text)
{
	fprintf(stderr, "execward %s: %s\n", call->verb->name, text);
	return code;
}

/* The number behind "fd:", or -1. */
static int fd_of(const char *text)
{
	char *end;
	long fd;

	errno = 0;
	fd = strtol(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && errno == 0 && fd <= INT_MAX ? (int)fd : -1;
}

int passphrase_check(const struct call *call, bool reads_stdin)
{
	const char *source = call->values[OPTION_PASSIN];

	if (!source)
		return 0;
	if (!strcmp(source, "stdin") || !strcmp(source, "fd:0"))
		return reads_stdin
		               ? say(call, EX_USAGE,
		                         "--passin: stdin is the input already; use env:, file: "
		                         "or fd:")
		               : 0;
	if ((!strncmp(source, "env:", 4) && source[4]) ||
	        (!strncmp(source, "file:", 5) && source[5]))
		return 0;
	if (!strncmp(source, "fd:", 3) && fd_of(source + 3) >= 0)
		return 0;
	if (!strncmp(source, "pass:", 5))
		return say(call, EX_USAGE,
		        "--passin: every user of this host can read a passphrase on the command "
		        "line; "
		        "use env:, file:, fd: or stdin");
	return say(call, EX_USAGE, "--passin: env:NAME, file:PATH, fd:N or stdin");
}

/* The first line; a byte at a time, so that what follows is left to others. */
static int read_line(int fd, struct secret *ret_secret)
{
	struct secret line = {.data = calloc(1, KEY_PASSPHRASE_MAX + 1)};
	ssize_t n = 0;
	char c;

	if (!line.data)
		return -ENOMEM;
	while (line.size < KEY_PASSPHRASE_MAX) {
		n = read(fd, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || c == '\n')
			break;
		line.data[line.size++] = c;
	}
	if (n < 0 || line.size == KEY_PASSPHRASE_MAX) {
		int r = n < 0 ? -errno : -E2BIG;

		secret_done(&line);
		return r;
	}
	if (line.size > 0 && line.data[line.size - 1] == '\r')
		line.data[--line.size] = '\0';
	*ret_secret = line;
	return 0;
}

static int from_environment(const struct call *call, const char *name, struct secret *ret_secret)
{
	const char *value = getenv(name);

	if (!value)
		return say(call, EX_NOINPUT, "--passin: no such variable in the environment");
	ret_secret->data = strdup(value);
	if (!ret_secret->data)
		return say(call, EX_SOFTWARE, "out of memory");
	ret_secret->size = strlen(value);
	return 0;
}

static int from_fd(const struct call *call, int fd, struct secret *ret_secret)
{
	int r = read_line(fd, ret_secret);

	if (r == 0)
		return 0;
	fprintf(stderr, "execward %s: --passin: %s\n", call->verb->name,
	        r == -E2BIG ? "longer than 1023 bytes" : strerror(-r));
	return EX_NOINPUT;
}

static int from_source(const struct call *call, const char *source, struct secret *ret_secret)
{
	_cleanup_close_ int fd = -1;

	if (!strncmp(source, "env:", 4))
		return from_environment(call, source + 4, ret_secret);
	if (!strncmp(source, "fd:", 3))
		return from_fd(call, fd_of(source + 3), ret_secret);
	if (!strcmp(source, "stdin"))
		return from_fd(call, STDIN_FILENO, ret_secret);
	fd = open(source + 5, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		fprintf(stderr, "execward %s: --passin: %s\n", call->verb->name, strerror(errno));
		return errno == EACCES ? EX_NOPERM : EX_NOINPUT;
	}
	return from_fd(call, fd, ret_secret);
}

/* One question without an echo. What was typed ahead is thrown away. */
static int ask_once(int tty, const char *question, struct secret *ret_secret)
{
	struct termios before, silent;
	int r;

	if (tcgetattr(tty, &before) < 0)
		return -errno;
	silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	silent.c_lflag |= ICANON | ISIG;
	if (tcsetattr(tty, TCSAFLUSH, &silent) < 0)
		return -errno;
	dprintf(tty, "%s: ", question);
	r = read_line(tty, ret_secret);
	dprintf(tty, "\n");
	(void)tcsetattr(tty, TCSAFLUSH, &before);
	return r;
}

static int ask(const struct call *call, const char *what, bool twice, struct secret *ret_secret)
{
	_cleanup_close_ int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	_cleanup_free_ char *name = text_safe(what);
	_cleanup_free_ char *question = text_format("Passphrase for %s", name);
	_cleanup_(secret_done) struct secret again = {0};
	int r;

	if (tty < 0)
		return say(call, EX_NOINPUT,
		        "a passphrase is needed, and there is no terminal to ask: use --passin "
		        "env:NAME, file:PATH, fd:N or stdin");
	r = ask_once(tty, question, ret_secret);
	if (r == 0 && twice)
		r = ask_once(tty, "Again", &again);
	if (r < 0)
		return say(call, EX_NOINPUT, strerror(-r));
	if (twice && again.data &&
	        (again.size != ret_secret->size ||
	                memcmp(again.data, ret_secret->data, again.size) != 0)) {
		secret_done(ret_secret);
		return say(call, EX_NOINPUT, "the two are not the same");
	}
	return 0;
}

int passphrase_get(const struct call *call, const char *what, bool twice, struct secret *ret_secret)
{
	const char *source = call->values[OPTION_PASSIN];
	struct secret secret = {0};
	int r = source ? from_source(call, source, &secret) : ask(call, what, twice, &secret);

	if (r == 0 && secret.size == 0) {
		secret_done(&secret);
		return say(call, EX_NOINPUT, "the passphrase is empty");
	}
	if (r == 0 && secret.size >= KEY_PASSPHRASE_MAX) {
		secret_done(&secret);
		return say(call, EX_NOINPUT, "the passphrase is longer than 1023 bytes");
	}
	if (r == 0)
		*ret_secret = secret;
	return r;
}
