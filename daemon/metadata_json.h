/* The JSON half of metadata.h: what the parsers of the runtimes' files have besides it. */
#pragma once

#include "daemon/metadata.h"

#define METADATA_DEPTH_MAX 16u    /* nesting; an OCI bundle's config.json has 7 levels */
#define METADATA_TEXT_MAX  4096u  /* bytes of a name */
#define METADATA_INNER_MAX 65536u /* bytes of containers/storage's metadata, JSON in a string */

/* 64 lowercase hexadecimal digits. */
bool metadata_is_id(const char *text);

/* Moves *source to *target where that is NULL; what stays in *source is the caller's. */
void metadata_fill(char **target, char **source);

/*
 * The first name of the image @id in containers/storage's images.json, or in Docker's
 * repositories.json the one that sorts first. NULL when there is none; the caller frees.
 */
char *metadata_podman_image(const char *text, size_t size, const char *id);
char *metadata_docker_image(const char *text, size_t size, const char *id);
