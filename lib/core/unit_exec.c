/*
 * A unit file by its lines: continued by a backslash at the end, comments between continued lines
 * left out, words quoted and escaped as systemd.syntax(7) has it.
 */
#include "core/unit_exec.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct walk {
	unit_word_fn fn;
	void *userdata;
	bool executes; /* within a section whose Exec*= lines are executed */
	bool installs;
	char *line; /* of UNIT_TEXT_MAX bytes: a logical line */
	size_t n;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_section_that_executes(const char *name, size_t n)
{
	static const char *const sections[] = {"Service", "Socket", "Mount", "Swap"};

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if (strlen(sections[i]) == n && !strncmp(name, sections[i], n))
			return true;
	return false;
}

static unsigned int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;
	return 16;
}

/* What stands behind a backslash; *at is moved behind it. 0 for a NUL, which is left out. */
static char unescape(const char **at, const char *end)
{
	static const char from[] = "abfnrtvs\\\"'", to[] = "\a\b\f\n\r\t\v \\\"'";
	char c = *(*at)++;
	const char *known;

	if (c == 'x' && end - *at >= 2 && hex_digit((*at)[0]) < 16 && hex_digit((*at)[1]) < 16) {
		unsigned int value = hex_digit((*at)[0]) * 16 + hex_digit((*at)[1]);

		*at += 2;
		return (char)value;
	}
	known = c ? strchr(from, c) : NULL;
	return known ? to[known - from] : c;
}

/*
 * The next word of @at..@end into @word. False at the end. A word that is too long becomes empty.
 */
static bool next_word(const char **at, const char *end, char word[UNIT_WORD_MAX])
{
	const char *p = *at;
	char quote = '\0';
	size_t n = 0;

	while (p < end && is_space(*p))
		p++;
	if (p == end)
		return false;
	while (p < end && (quote || !is_space(*p))) {
		char c = *p++;

		if (quote ? c == quote : (c == '"' || c == '\'')) {
			quote = quote ? '\0' : c;
			continue;
		}
		if (c == '\\' && p < end)
			c = unescape(&p, end);
		else if (c == '%' && p < end && *p == '%')
			p++;
		if (c && n < UNIT_WORD_MAX)
			word[n++] = c;
	}
	*at = p;
	word[n < UNIT_WORD_MAX ? n : 0] = '\0';
	return true;
}

/* systemd.service(5), "special executable prefixes". */
static const char *skip_prefixes(const char *word)
{
	return word + strspn(word, "@-:+!|");
}

static int take_command(struct walk *w, const char *value, size_t size)
{
	const char *at = value, *end = value + size;
	enum unit_word_kind next = UNIT_WORD_PROGRAM;
	char word[UNIT_WORD_MAX];
	bool renamed = false; /* '@': the second word is its argv[0] */
	int r = 0;

	while (r == 0 && next_word(&at, end, word)) {
		enum unit_word_kind kind = next;
		const char *text = word;

		if (!strcmp(word, ";")) { /* the next command */
			next = UNIT_WORD_PROGRAM;
			continue;
		}
		next = !strcmp(word, "-c") ? UNIT_WORD_SCRIPT : UNIT_WORD_ARGUMENT;
		if (kind == UNIT_WORD_PROGRAM) {
			text = skip_prefixes(word);
			renamed = memchr(word, '@', (size_t)(text - word)) != NULL;
		} else if (renamed) {
			renamed = false;
			continue;
		}
		if (*text)
			r = w->fn(kind, text, w->userdata);
	}
	return r;
}

/* A logical line, of w->line. */
static int take_line(struct walk *w)
{
	const char *line = w->line, *end = line + w->n, *equals;

	while (line < end && is_space(*line))
		line++;
	if (line == end)
		return 0;
	if (*line == '[') {
		const char *close = memchr(line, ']', (size_t)(end - line));
		size_t n = close ? (size_t)(close - line) - 1 : 0;

		w->executes = close && is_section_that_executes(line + 1, n);
		if (n == strlen("Install") && !strncmp(line + 1, "Install", n))
			w->installs = true;
		return 0;
	}
	equals = memchr(line, '=', (size_t)(end - line));
	if (!w->executes || !equals || end - line < 4 || strncmp(line, "Exec", 4))
		return 0;
	return take_command(w, equals + 1, (size_t)(end - equals) - 1);
}

/* One line of the file. True: the next one goes on. */
static bool add_line(struct walk *w, const char *line, size_t n)
{
	bool goes_on = n > 0 && line[n - 1] == '\\';

	if (goes_on)
		n--;
	memcpy(w->line + w->n, line, n); /* no longer than the text, which fits */
	w->n += n;
	if (goes_on)
		w->line[w->n++] = ' ';
	return goes_on;
}

static bool is_comment(const char *line, size_t n)
{
	size_t i = 0;

	while (i < n && is_space(line[i]))
		i++;
	return i < n && (line[i] == '#' || line[i] == ';');
}

int unit_exec_each(
        const char *text, size_t size, unit_word_fn fn, void *userdata, bool *ret_installs)
{
	_cleanup_free_ char *line = malloc(UNIT_TEXT_MAX);
	struct walk w = {.fn = fn, .userdata = userdata, .line = line};
	const char *end;
	int r = 0;

	if (!line)
		return -ENOMEM;
	end = text + (size < UNIT_TEXT_MAX ? size : UNIT_TEXT_MAX);
	while (r == 0 && text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text)) ?: end;
		size_t n = (size_t)(newline - text);

		if (!is_comment(text, n) && !add_line(&w, text, n)) {
			r = take_line(&w);
			w.n = 0;
		}
		text = newline < end ? newline + 1 : end;
	}
	if (r == 0)
		r = take_line(&w); /* the last line goes on, and nothing comes */
	if (r == 0)
		*ret_installs = w.installs;
	return r;
}
