/*
 * Files that a software bill of materials lists, with their SHA-256: CycloneDX JSON (components of
 * type file) and SPDX 2 JSON (files). Nothing else of it is looked at. Pure.
 *
 * It is foreign: bounded in size and depth, no key twice in one object. A digest that is none, or
 * two that contradict each other, refuse all of it.
 */
#pragma once

#include "core/types.h"

#include <stddef.h>
#include <stdint.h>

#define SBOM_SIZE_MAX  (64u << 20) /* bytes of the text */
#define SBOM_DEPTH_MAX 16u         /* components within components */
#define SBOM_FILES_MAX 1000000u    /* as many as a list may have */

enum {
	SBOM_E_INVALID = 1, /* *reterr_error says where and why */
	SBOM_E_UNKNOWN,     /* JSON, but neither of the two */
};

/* Why a file cannot be in a list. */
enum sbom_lack {
	SBOM_LACK_NONE = 0, /* it can: the digest is there */
	SBOM_LACK_DIGEST,   /* no digest at all */
	SBOM_LACK_WEAK,     /* MD5, SHA-1 and their like alone: anybody can make two such files */
	SBOM_LACK_OTHER,    /* SHA-384, SHA-512 and others: strong, and not what a list has */
	_SBOM_LACK_MAX,
};

struct sbom_file {
	const char *name; /* as it stands there; borrowed */
	enum sbom_lack lack;
	struct digest digest; /* with SBOM_LACK_NONE */
};

struct sbom_error {
	char message[256]; /* printable, but for foreign text in it */
};

/*
 * @each for every file in their order; another return than 0 ends it with that. 0; SBOM_E_X with
 * *reterr_error; -ENOMEM; what @each said. Files may have been told before a fault is found.
 */
int sbom_read(const char *text, size_t size,
        int (*each)(const struct sbom_file *file, void *userdata), void *userdata,
        struct sbom_error *reterr_error);
