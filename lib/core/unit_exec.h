/*
 * What a unit file of systemd starts: the words of its Exec*= lines, systemd.service(5). The text
 * is foreign: any bytes, any length of lines.
 *
 * Specifiers (%i, %h) and variables are not known here: `%%` becomes `%`, the rest stays as it is,
 * and a path that still holds one leads nowhere.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define UNIT_TEXT_MAX (256u * 1024u) /* bytes of a unit file that are read */
#define UNIT_WORD_MAX 4096u          /* bytes of a word, PATH_MAX; a longer one is left out */

enum unit_word_kind {
	UNIT_WORD_UNSET = 0,
	UNIT_WORD_PROGRAM,  /* what is executed: a path, or a name to look for */
	UNIT_WORD_ARGUMENT, /* what it is given */
	UNIT_WORD_SCRIPT,   /* the argument behind -c: text for a shell */
};

/* @word is borrowed. A non-zero return ends the walk and is returned. */
typedef int (*unit_word_fn)(enum unit_word_kind kind, const char *word, void *userdata);

/*
 * Calls @fn for the words of the Exec*= lines in [Service], [Socket], [Mount] and [Swap], in order.
 * An empty assignment does not take back what stood before: one word too many is looked at rather
 * than one too few.
 * @ret_installs: it has an [Install] section, and is started only where it is enabled. 0, -ENOMEM,
 * or what @fn returned.
 */
int unit_exec_each(
        const char *text, size_t size, unit_word_fn fn, void *userdata, bool *ret_installs);
