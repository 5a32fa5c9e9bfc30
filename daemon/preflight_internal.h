/* What the parts of preflight share: preflight.c looks at a program, the others find them. */
#pragma once

#include "daemon/preflight.h"

#include <dirent.h>

#define PREFLIGHT_ENTRIES_MAX 65536u /* of one directory */
/* systemd's, for a name without a slash: `systemd-path search-binaries-default`. */
#define PREFLIGHT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct preflight;

/*
 * A program as a path within the root that is looked at (absolute or not), followed with its links,
 * never out of the root. What does not exist, is no executable file or lies on another filesystem
 * is passed over. @why is borrowed. All return 0 or -ENOMEM.
 */
int preflight_path(struct preflight *p, const char *path, const char *why);
/* The same for a name that is looked for along @search; one with a slash is a path. */
int preflight_name(struct preflight *p, const char *name, const char *search, const char *why);
/* Every executable in the directory. */
int preflight_dir(struct preflight *p, const char *dir, const char *why);
/* A descriptor that was opened elsewhere (borrowed, O_PATH); @pid: whose interpreter's path is
 * meant, 0: the root's. */
int preflight_fd(struct preflight *p, int fd, const char *path, pid_t pid, const char *why);

/* The first @max bytes of a regular file within the root. The caller frees. 0 or -errno. */
int preflight_read(
        struct preflight *p, const char *path, size_t max, char **ret_text, size_t *ret_size);
/* Calls @fn with the name of each entry of a directory within the root; NULL userdata is fine. */
int preflight_each(struct preflight *p, const char *dir,
        int (*fn)(struct preflight *p, const char *dir, const struct dirent *entry, void *userdata),
        void *userdata);
/* Something could not be looked at: no proof. */
void preflight_incomplete(struct preflight *p);
bool preflight_has(struct preflight *p, const char *path);
/* Where a link within the root leads, as it is written. The caller frees. 0 or -errno. */
int preflight_readlink(struct preflight *p, const char *path, char **ret_target);
/* Names that follow are (not) some user's: none may lead to a FUSE server. Off at first. */
void preflight_careful(struct preflight *p, bool careful);
dev_t preflight_dev(const struct preflight *p);

int preflight_running(struct preflight *p); /* preflight_proc.c; whatever the root is */
int preflight_units(struct preflight *p);   /* preflight_units.c */
int preflight_cron(struct preflight *p);    /* preflight_cron.c */
int preflight_login(struct preflight *p);
