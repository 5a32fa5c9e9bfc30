/* References as runtimes complete and compare them. Pure. */
#pragma once

#include "snapshot/image_json.h"

#include <stdbool.h>

#define IMAGE_ID_MIN 12u /* digits of an id that is not whole */

/* What a reference may be written with: letters, digits and "._/:@+-", at most IMAGE_TEXT_MAX. */
bool image_ref_valid(const char *ref);
/*
 * The whole reference: `debian` is docker.io/library/debian:latest, `localhost/x` is
 * localhost/x:latest; a digest makes a tag superfluous. NULL when it is none, or memory is short.
 * The caller frees.
 */
char *image_ref_normalize(const char *ref);
/* As normalize, with another registry for a reference that names none ("localhost"). */
char *image_ref_complete(const char *ref, const char *registry);
/* The whole id "<64 hex>" or "sha256:<64 hex>", or at least IMAGE_ID_MIN first digits of it. */
bool image_id_matches(const char *text, const char *id);
/* What follows '@', when that is a digest; NULL. Borrowed. */
const char *image_ref_digest(const char *ref);
/* The same repository: what is before tag and digest, both whole. */
bool image_ref_same_repository(const char *a, const char *b);
