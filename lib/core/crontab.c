/*
 * Lines of a crontab, and the words of a line for sh(1): enough of its quoting to find names, never
 * enough to execute anything.
 */
#include "core/crontab.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TIME_FIELDS 5u /* minute hour day month weekday */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static const char *skip_spaces(const char *at, const char *end)
{
	while (at < end && is_space(*at))
		at++;
	return at;
}

static const char *skip_field(const char *at, const char *end)
{
	while (at < end && !is_space(*at))
		at++;
	return skip_spaces(at, end);
}

/* Whether the line sets a variable: a name, then '='. @ret_value is behind it. */
static bool is_setting(
        const char *line, const char *end, const char **ret_name_end, const char **ret_value)
{
	const char *at = line, *name_end;

	while (at < end && !is_space(*at) && *at != '=')
		at++;
	name_end = at;
	at = skip_spaces(at, end);
	if (at == end || *at != '=' || name_end == line)
		return false;
	*ret_name_end = name_end;
	*ret_value = skip_spaces(at + 1, end);
	return true;
}

/* Copies a command up to its first unescaped %, and \% as %. */
static void copy_command(char *to, const char *at, const char *end)
{
	for (; at < end && *at != '%'; at++) {
		if (*at == '\\' && at + 1 < end && at[1] == '%')
			at++;
		if (*at)
			*to++ = *at;
	}
	*to = '\0';
}

static void copy_value(char *to, const char *at, const char *end)
{
	while (end > at && is_space(end[-1]))
		end--;
	if (end - at >= 2 && (*at == '"' || *at == '\'') && end[-1] == *at) {
		at++;
		end--;
	}
	for (; at < end; at++)
		if (*at)
			*to++ = *at;
	*to = '\0';
}

/* The command of an entry into @buffer. False: the line is none. */
static bool take_entry(const char *at, const char *end, bool has_user, char *buffer)
{
	if (*at == '@')
		at = skip_field(at, end);
	else
		for (unsigned int i = 0; i < TIME_FIELDS; i++)
			at = skip_field(at, end);
	if (has_user)
		at = skip_field(at, end);
	if (at == end)
		return false;
	copy_command(buffer, at, end);
	return *buffer != '\0';
}

int crontab_each(const char *text, size_t size, bool has_user,
        int (*fn)(const char *command, bool is_path, void *userdata), void *userdata)
{
	_cleanup_free_ char *buffer = malloc(CRONTAB_TEXT_MAX + 1);
	const char *end = text + (size < CRONTAB_TEXT_MAX ? size : CRONTAB_TEXT_MAX);
	int r = 0;

	if (!buffer)
		return -ENOMEM;
	while (r == 0 && text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text)) ?: end;
		const char *line = skip_spaces(text, newline), *name_end, *value;

		text = newline < end ? newline + 1 : end;
		if (line == newline || *line == '#')
			continue;
		if (is_setting(line, newline, &name_end, &value)) {
			if (name_end - line == 4 && !strncmp(line, "PATH", 4)) {
				copy_value(buffer, value, newline);
				r = fn(buffer, true, userdata);
			}
		} else if (take_entry(line, newline, has_user, buffer)) {
			r = fn(buffer, false, userdata);
		}
	}
	return r;
}

/*
 * Lines for a shell.
 */
static bool is_separator(char c)
{
	return c == ';' || c == '|' || c == '&' || c == '(' || c == ')' || c == '{' || c == '}' ||
	       c == '`' || c == '\n';
}

/* The next word, without its quotes. Returns where it ends. */
static const char *shell_word(const char *at, char word[SHELL_WORD_MAX])
{
	char quote = '\0';
	size_t n = 0;

	for (; *at; at++) {
		if (quote ? *at == quote : (*at == '"' || *at == '\'')) {
			quote = quote ? '\0' : *at;
			continue;
		}
		if (!quote && (is_space(*at) || is_separator(*at) || *at == '<' || *at == '>'))
			break;
		if (*at == '\\' && at[1] && quote != '\'')
			at++;
		if (n < SHELL_WORD_MAX)
			word[n++] = *at;
	}
	word[n < SHELL_WORD_MAX ? n : 0] = '\0';
	return at;
}

/* Words behind which the next one is a command again: sh(1), and programs that start others. */
static bool leads_on(const char *word)
{
	static const char *const words[] = {"if", "then", "else", "elif", "while", "until", "do",
	        "!", "exec", "eval", "command", "time", "nice", "ionice", "nohup", "env", "setsid",
	        "chronic"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(word, words[i]))
			return true;
	return strchr(word, '=') != NULL; /* NAME=value in front of a command */
}

#define SHELL_DEPTH_MAX 4u /* lines in quotes in lines */

static int line_each(const char *line, unsigned int depth,
        int (*fn)(const char *word, void *userdata), void *userdata)
{
	char word[SHELL_WORD_MAX];
	bool command = true;
	int r = 0;

	while (r == 0 && *line) {
		if (is_separator(*line)) {
			command = true;
			line++;
			continue;
		}
		if (is_space(*line) || *line == '<' || *line == '>') {
			line++;
			continue;
		}
		line = shell_word(line, word);
		if (*word && (command || *word == '/'))
			r = fn(word, userdata);
		/* What stands in quotes may be a line of its own: sh -c '/a; /b'. */
		if (r == 0 && depth < SHELL_DEPTH_MAX && strpbrk(word, " \t;|&"))
			r = line_each(word, depth + 1, fn, userdata);
		command = command && leads_on(word);
	}
	return r;
}

int shell_line_each(const char *line, int (*fn)(const char *word, void *userdata), void *userdata)
{
	return line_each(line, 0, fn, userdata);
}
