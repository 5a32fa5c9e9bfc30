/*
 * Where alerts go: stdout, a file, the journal, syslog. One line each; a sink that fails is counted
 * and tried again at the next alert.
 */
#pragma once

#include "config/config.h"
#include "daemon/faults.h"

struct sinks;

int sinks_new(const struct config *config, struct faults *faults, struct sinks **ret_sinks);
void sinks_free(struct sinks *sinks);
/* Opens files anew (log rotation) and takes over another configuration's outputs. */
int sinks_reload(struct sinks *sinks, const struct config *config);
/* @line without its newline; @critical sets the journal's and syslog's priority. */
void sinks_write(struct sinks *sinks, const char *line, bool critical);
