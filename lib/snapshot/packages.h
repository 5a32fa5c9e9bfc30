/*
 * Differences that the package database accounts for: a file that an upgrade has brought is content
 * which a package lists. The database is the one of the tree that is looked at.
 *
 * This explains, and vouches for nothing: the sums are MD5 in dpkg's database, and whoever can
 * change the tree can change the database in it. dpkg keeps no modes, owners, capabilities and link
 * targets either; a difference in those is accounted for only where dpkg-statoverride, or the rpm
 * database, says it.
 */
#pragma once

#include "snapshot/compare.h"

enum packages_result {
	PACKAGES_UNSET = 0,
	PACKAGES_READ,
	PACKAGES_NONE,       /* the tree has no database of that kind */
	PACKAGES_NO_LIBRARY, /* what reads it is not installed here */
	PACKAGES_FAILED, /* it is there, and could not be read: nothing is accounted for by it */
	_PACKAGES_RESULT_MAX,
};

#define PACKAGES_MANAGERS 2u
#define PACKAGES_FILE_MAX (64u << 20) /* bytes of one file of the database */

struct packages_report {
	const char *manager; /* "dpkg", "rpm" */
	enum packages_result result;
	int error;          /* errno of FAILED, 0 when the text is at fault */
	uint64_t installed; /* packages */
	uint64_t accounted; /* differences */
};

const char *packages_result_name(enum packages_result result);

/*
 * Asks each manager for each difference, fills package, remark and accounted, and sorts again. The
 * files in question are read once more; a file that is not any more what was compared is not
 * accounted for. 0 or -ENOMEM.
 */
int packages_explain(int root_fd, struct comparison *comparison,
        struct packages_report ret_reports[PACKAGES_MANAGERS]);

enum {
	PACKAGES_E_NOTFOUND = 1, /* no database has that package installed */
	PACKAGES_E_NO_DATABASE,  /* neither dpkg's nor rpm's is there, or can be read here */
};

/*
 * The paths that the installed package @name lists, as they are on the disk below @root_fd: files
 * and directories, whether they are there or not. With dpkg NAME:ARCH names one architecture of it.
 * 0; PACKAGES_E_X; -errno; what @each said.
 */
int packages_files(int root_fd, const char *name, int (*each)(const char *path, void *userdata),
        void *userdata);
