/* passwd(5) of a container as text: hostile, and only good for showing a name. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PASSWD_NAME_MAX 256u /* bytes of a user's name; LOGIN_NAME_MAX of Linux */

/* The name of @uid by its first entry; the caller frees. NULL when there is none, or no memory. */
char *passwd_find(const char *text, size_t size, int64_t uid);
