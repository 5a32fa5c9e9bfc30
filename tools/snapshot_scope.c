/* --scope of a snapshot: where its digests vouch, in words. */
#include "tools/print.h"
#include "tools/snapshot_create.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const struct {
	const char *word;
	enum snapshot_scope scope;
} words[] = {
        {"image:", SCOPE_IMAGE},
        {"container:", SCOPE_CONTAINER},
        {"filesystem:", SCOPE_FILESYSTEM},
};

/* A container is scoped by its key; one that is not running may be named by it. */
static int find_key(const struct tool *tool, const char *name, struct snapshot_info *ret_info)
{
	_cleanup_(container_place_done) struct container_place place = {.root_fd = -1};
	int r;

	if (name[0] == '/') {
		ret_info->scope_value = text_format("%s", name);
		return 0;
	}
	r = container_find(tool, name, &place);
	if (r == 0)
		ret_info->scope_value = TAKE_PTR(place.key);
	return r;
}

int scope_parse(const struct tool *tool, const char *text, struct snapshot_info *ret_info)
{
	if (!strcmp(text, "none")) {
		ret_info->scope = SCOPE_NONE;
		return 0;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i].word);

		if (strncmp(text, words[i].word, n) != 0 || !text[n])
			continue;
		ret_info->scope = words[i].scope;
		if (ret_info->scope == SCOPE_CONTAINER)
			return find_key(tool, text + n, ret_info);
		ret_info->scope_value = text_format("%s", text + n);
		return 0;
	}
	fputs("execward: --scope: not image:REF, container:NAME, filesystem:UUID or none\n",
	        stderr);
	return EX_USAGE;
}
