/*
 * Image references as people and runtimes write them.
 */
#pragma once

#include <stdbool.h>

/*
 * True when the reference @scope (what an operator typed) names the image @ref (what the runtime
 * calls it). A scope without a registry matches the two that runtimes add by themselves
 * (`localhost/`, and `docker.io/library/` or `docker.io/`), a scope without tag or digest matches
 * `:latest`. Either may be NULL: never a match.
 */
bool image_ref_matches(const char *scope, const char *ref);

/*
 * @ref as a registry has it: docker and Kubernetes show `web` as it was typed, and mean
 * `docker.io/library/web:latest`. The caller frees; NULL for an image's id, which has no such name,
 * and when memory is short.
 */
char *image_ref_qualify(const char *ref);
