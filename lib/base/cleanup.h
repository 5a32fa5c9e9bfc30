/*
 * Scope-bound ownership. A variable that carries one of these attributes is released when it
 * leaves scope; TAKE_PTR and TAKE_FD hand the resource on and disarm the attribute.
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* Frees what *p points to; p itself is the address of the variable. */
static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}

/* Closes *fd when it is a descriptor; -1 means "none". */
static inline void cleanup_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cleanup_closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define _cleanup_free_     _cleanup_(cleanup_freep)
#define _cleanup_close_    _cleanup_(cleanup_closep)
#define _cleanup_fclose_   _cleanup_(cleanup_fclosep)
#define _cleanup_closedir_ _cleanup_(cleanup_closedirp)

#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) _taken = (p);                                                        \
		(p) = NULL;                                                                        \
		_taken;                                                                            \
	})

#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int _taken = (fd);                                                                 \
		(fd) = -1;                                                                         \
		_taken;                                                                            \
	})

/* Defines `void type_freep(struct type **p)` for use with _cleanup_. */
#define DEFINE_FREEP(type, fn)                                                                     \
	static inline void fn##p(struct type **p)                                                  \
	{                                                                                          \
		fn(*p);                                                                            \
	}
