/*
 * What a crontab starts, crontab(5); and what a line for a shell names. The text is foreign: users
 * write their own tables.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CRONTAB_TEXT_MAX (256u * 1024u) /* bytes of a table that are read */
#define SHELL_WORD_MAX   4096u          /* bytes of a word, PATH_MAX; a longer one is left out */

/*
 * Calls @fn with the command of each entry (borrowed, with a NUL; without what stands behind an
 * unescaped %, which is its input), and with the value of PATH where the table sets it (@is_path).
 * @has_user: entries name a user in front of the command, as in /etc/crontab. 0, -ENOMEM, or the
 * first non-zero that @fn returned, which ends the walk.
 */
int crontab_each(const char *text, size_t size, bool has_user,
        int (*fn)(const char *command, bool is_path, void *userdata), void *userdata);

/*
 * Calls @fn with what may be programs in a line for sh(1): names where a command stands, and
 * absolute paths wherever they stand. Not a shell: what a variable or a substitution makes is not
 * seen, and a word too many does no harm. A non-zero return of @fn ends the walk and is returned.
 */
int shell_line_each(const char *line, int (*fn)(const char *word, void *userdata), void *userdata);
