/* What the package managers share. */
#pragma once

#include "crypto/md5.h"
#include "snapshot/packages.h"

/* What one manager gets; the report is filled with what it found. 0 or -ENOMEM. */
struct packages_query {
	int root_fd;                     /* borrowed */
	struct difference **differences; /* sorted by path, byte by byte */
	size_t n;
	struct packages_report *report;
};

int packages_dpkg(struct packages_query *query);
int packages_rpm(struct packages_query *query);

/* The difference at an entry path, or NULL. */
struct difference *packages_find(const struct packages_query *query, const char *path);

/*
 * What a package says about a difference: @format with @text into its remark, "name version" into
 * its package. What accounts for it stands against what another package says. 0 or -ENOMEM.
 */
int packages_say(
        struct difference *difference, const char *package, const char *remark, bool accounted);

/*
 * Reads the file at the path of @entry once more. True with its MD5 when its SHA-256 is still the
 * one of @entry.
 */
bool packages_md5(int root_fd, const struct entry *entry, uint8_t ret_md5[MD5_SIZE]);

/* Of what changed, the bits that nothing but content could account for. 0: content alone. */
unsigned int packages_beyond_content(const struct difference *difference);

/* What each manager gets for packages_files(). */
struct packages_listing {
	int root_fd;      /* borrowed */
	const char *name; /* of the package */
	int (*each)(const char *path, void *userdata);
	void *userdata;
	uint64_t found; /* packages of that name */
};

/* What the database is; *ret_r becomes what went wrong else, 0 before. */
enum packages_result packages_dpkg_files(struct packages_listing *listing, int *ret_r);
enum packages_result packages_rpm_files(struct packages_listing *listing, int *ret_r);
