/* The JSON half of metadata.h: parsers of the runtimes' files. */
#pragma once

#include "daemon/metadata.h"

#define METADATA_DEPTH_MAX 32u   /* nesting; Docker's config.v2.json has 6 levels */
#define METADATA_TEXT_MAX  4096u /* bytes of a name */

/* 64 lowercase hexadecimal digits. */
bool metadata_is_id(const char *text);
/* Moves *source to *target where that is NULL; what stays in *source is the caller's. */
void metadata_fill(char **target, char **source);
/* The first name of the image @id in containers/storage's images.json; the caller frees. */
char *metadata_image_name(const char *text, size_t size, const char *id);
