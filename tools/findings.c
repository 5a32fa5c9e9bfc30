#include "tools/findings.h"

#include "base/cleanup.h"
#include "core/text.h"

#include <stdio.h>
#include <string.h>

#define INDENT 8 /* columns, to what belongs to a line */

static const struct {
	const char *name;
	enum colour colour;
} levels[] = {
        [LEVEL_OK] = {"ok", COLOUR_GOOD},
        [LEVEL_NOTE] = {"note", COLOUR_WARN},
        [LEVEL_WEAK] = {"weak", COLOUR_BAD},
};

void findings_init(struct findings *findings)
{
	*findings = (struct findings){.list = json_array(), .section = ""};
}

void findings_done(struct findings *findings)
{
	json_decref(findings->list);
}

static json_t *text(const char *value)
{
	_cleanup_free_ char *utf8 = text_to_utf8(value);

	return json_string(utf8 ?: "");
}

static json_t *rows_json(const uint8_t *rows)
{
	json_t *array = json_array();

	for (; *rows; rows++)
		json_array_append_new(array, json_integer(*rows));
	return array;
}

void findings_add(struct findings *findings, const char *check, const char *state,
        const struct advice *advice)
{
	static const struct advice nothing = {.level = LEVEL_OK, .weakens = "", .fix = ""};
	enum level level = advice->level;

	if (level == LEVEL_OK)
		advice = &nothing;
	findings->n_weak += level == LEVEL_WEAK;
	json_array_append_new(findings->list,
	        json_pack("{s:s, s:o, s:o, s:s, s:b, s:o, s:o, s:o}", "section", findings->section,
	                "check", text(check), "state", text(state), "level", levels[level].name,
	                "good", level != LEVEL_WEAK, "weakens", text(advice->weakens), "rows",
	                rows_json(advice->rows), "fix", text(advice->fix)));
}

void findings_ok(struct findings *findings, const char *check, const char *state)
{
	findings_add(findings, check, state, &(const struct advice){.level = LEVEL_OK});
}

static void print_level(const struct tool *tool, const char *name)
{
	enum colour colour = COLOUR_NONE;

	for (size_t i = LEVEL_OK; i <= LEVEL_WEAK; i++)
		if (!strcmp(levels[i].name, name))
			colour = levels[i].colour;
	print_word(tool, colour, name);
}

static void print_finding(const struct tool *tool, const json_t *f)
{
	const char *level = raw_of(f, "level") ?: "-";
	_cleanup_free_ char *check = text_of(f, "check"), *state = text_of(f, "state"),
	                    *weakens = text_of(f, "weakens"), *fix = text_of(f, "fix"),
	                    *rows = text_of_rows(json_object_get(f, "rows"));

	fputs("  ", stdout);
	print_level(tool, level);
	printf("%*s%-32s %s\n", INDENT - 2 - (int)strlen(level), "", check, state);
	if (raw_of(f, "weakens"))
		printf("%*s%s%s%s\n", INDENT, "", rows, *rows ? ": " : "", weakens);
	if (raw_of(f, "fix"))
		printf("%*sfix: %s\n", INDENT, "", fix);
}

void findings_print(const struct tool *tool, const struct findings *findings)
{
	const char *section = "";
	const json_t *f;
	size_t i;

	if (tool->json) {
		print_json(findings->list);
		return;
	}
	json_array_foreach(findings->list, i, f)
	{
		const char *name = raw_of(f, "section") ?: "";

		if (strcmp(name, section))
			printf("%s%s\n", i > 0 ? "\n" : "", name);
		section = name;
		print_finding(tool, f);
	}
	printf("\n%zu checks, %zu weak\n", json_array_size(findings->list), findings->n_weak);
}
