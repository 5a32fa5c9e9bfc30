/*
 * What dpkg keeps that is in no package's list: the maintainer scripts of installed packages, and
 * configuration files of packages that were removed and not purged.
 *
 * For files that are known to come from dpkg by other means (what a trusted writer wrote): of a
 * script the database has no sum, only its name tells whose it is.
 */
#pragma once

#include "snapshot/compare.h"

/*
 * Fills package, remark and accounted of those that no package accounts for. 0 or -ENOMEM; what
 * cannot be read accounts for nothing.
 */
int packages_scripts(int root_fd, struct comparison *comparison);
