/* Exception rules of the configuration; for config.c. */
#pragma once

#include "config/yaml_tree.h"

/* 0 or CONFIG_E_INVALID. @ret_rule is zeroed by the caller and freed with policy_rule_done(). */
int config_load_rule(
	struct yaml_tree *tree, const yaml_node_t *node, struct policy_rule *ret_rule);
