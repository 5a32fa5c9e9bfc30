#include "tools/client.h"

#include "base/cleanup.h"
#include "core/alert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>

struct client {
	FILE *stream;
	char *line;
	size_t room;
};

int client_try(const struct tool *tool, struct client **ret_client)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct client *client;
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock",
		tool->config->runtime_dir);

	if (fd < 0 || n < 0 || (size_t)n >= sizeof(address.sun_path))
		return -1;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	client = calloc(1, sizeof(*client));
	if (!client)
		return -1;
	client->stream = fdopen(fd, "r+");
	if (!client->stream) {
		free(client);
		return -1;
	}
	(void)TAKE_FD(fd);
	*ret_client = client;
	return 0;
}

int client_open(const struct tool *tool, struct client **ret_client)
{
	if (client_try(tool, ret_client) == 0)
		return 0;
	if (errno == EACCES || errno == EPERM) {
		fprintf(stderr, "execward: %s/control.sock: only root may ask the daemon\n",
			tool->config->runtime_dir);
		return EX_NOPERM;
	}
	fprintf(stderr,
		"execward: no daemon answers at %s/control.sock: start it (systemctl start execwardd), "
		"or name its configuration with --config\n",
		tool->config->runtime_dir);
	return EX_UNAVAILABLE;
}

void client_close(struct client *client)
{
	if (!client)
		return;
	fclose(client->stream);
	free(client->line);
	free(client);
}

int client_fd(const struct client *client)
{
	return fileno(client->stream);
}

int client_send(struct client *client, json_t *request)
{
	int r = request ? json_dumpf(request, client->stream, JSON_COMPACT) : -1;

	json_decref(request);
	if (r < 0 || fputc('\n', client->stream) == EOF || fflush(client->stream) == EOF) {
		fputs("execward: the daemon closed the connection\n", stderr);
		return EX_UNAVAILABLE;
	}
	return 0;
}

json_t *client_receive(struct client *client, const char **ret_line)
{
	ssize_t n = getline(&client->line, &client->room, client->stream);

	if (n <= 0)
		return NULL;
	if (client->line[n - 1] == '\n')
		client->line[--n] = '\0';
	if (ret_line)
		*ret_line = client->line;
	return json_loadb(client->line, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
}

int client_failure(json_t *answer)
{
	const char *word = json_string_value(json_object_get(answer, "error"));
	_cleanup_free_ char *message =
		text_for_terminal(json_string_value(json_object_get(answer, "message")));

	if (!answer) {
		fputs("execward: the daemon gave no answer\n", stderr);
		return EX_UNAVAILABLE;
	}
	fprintf(stderr, "execward: %s\n", message ?: "refused");
	if (!word)
		return EX_SOFTWARE;
	if (!strcmp(word, "not_found") || !strcmp(word, "ambiguous"))
		return 1;
	if (!strcmp(word, "bad_request") || !strcmp(word, "unknown_request"))
		return EX_USAGE;
	if (!strcmp(word, "invalid_config"))
		return EX_CONFIG;
	return strcmp(word, "denied") ? EX_SOFTWARE : EX_NOPERM;
}

int client_each(const struct tool *tool, json_t *request, const char *key,
	int (*fn)(json_t *value, const char *line, void *userdata), void *userdata)
{
	struct client *client;
	const char *line;
	json_t *answer = NULL;
	int r = client_open(tool, &client);

	if (r != 0) {
		json_decref(request);
		return r;
	}
	r = client_send(client, request);
	while (r == 0) {
		answer = client_receive(client, &line);
		if (!answer || json_object_get(answer, "ok"))
			break;
		r = fn(json_object_get(answer, key), line, userdata);
		json_decref(answer);
		answer = NULL;
	}
	if (r == 0 && !json_is_true(json_object_get(answer, "ok")))
		r = client_failure(answer);
	json_decref(answer);
	client_close(client);
	return r;
}

int client_ask(const struct tool *tool, json_t *request, json_t **ret_answer)
{
	struct client *client;
	json_t *answer;
	int r = client_open(tool, &client);

	if (r != 0) {
		json_decref(request);
		return r;
	}
	r = client_send(client, request);
	answer = r == 0 ? client_receive(client, NULL) : NULL;
	if (r == 0 && !json_is_true(json_object_get(answer, "ok"))) {
		r = client_failure(answer);
		json_decref(answer);
	}
	client_close(client);
	if (r == 0)
		*ret_answer = answer;
	return r;
}
