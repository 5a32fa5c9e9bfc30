/*
 * Break-glass: the word execward.off on the kernel's command line, or a file named `disabled`
 * beside the configuration. With either, nothing is denied anywhere, whatever the configuration,
 * its rules and the operator's mode say: for a host that does not come up otherwise.
 */
#pragma once

#include "config/config.h"

#define DISABLED_WORD "execward.off"

/*
 * Why enforcement is switched off, and how to switch it on again: text for people; NULL when it is
 * not. @config_path: NULL for the default's directory. The caller frees.
 */
char *disabled_reason(const char *config_path);

/* Makes @config one that only reports. */
void disabled_apply(struct config *config);
