/* The migrations of schema/, in order: the n-th makes version n. Generated. */
#pragma once

extern const char *const migrations[];
extern const unsigned int n_migrations;
