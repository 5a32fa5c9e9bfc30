/* execward reload. */
#include "tools/client.h"
#include "tools/print.h"

#include <stdio.h>

int verb_reload(const struct tool *tool, const struct call *call)
{
	json_t *answer = NULL;
	int r = client_ask(tool, request_new("reload"), &answer);

	(void)call;
	if (r != 0)
		return r;
	if (tool->json)
		print_json(answer);
	else
		puts("reloaded");
	json_decref(answer);
	return 0;
}
