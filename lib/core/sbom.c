#include "core/sbom.h"

#include "core/statement.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* How the two formats name the same things. */
struct format {
	const char *digests, *algorithm, *value; /* of a file */
};

static const struct format cyclonedx = {"hashes", "alg", "content"};
static const struct format spdx = {"checksums", "algorithm", "checksumValue"};

struct reader {
	int (*each)(const struct sbom_file *file, void *userdata);
	void *userdata;
	struct sbom_error *error;
	size_t files;
};

__attribute__((format(printf, 3, 4))) static int refuse(
        struct reader *reader, int outcome, const char *format, ...)
{
	va_list args;

	if (!reader->error)
		return outcome;
	va_start(args, format);
	(void)vsnprintf(reader->error->message, sizeof(reader->error->message), format, args);
	va_end(args);
	return outcome;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/*
 * Digests. "SHA-256" of CycloneDX is "SHA256" of SPDX.
 */
static bool is_algorithm(const char *name, const char *wanted)
{
	for (; *name; name++) {
		if (*name == '-' || *name == '_')
			continue;
		if (!*wanted || strncasecmp(name, wanted, 1) != 0)
			return false;
		wanted++;
	}
	return !*wanted;
}

static bool is_weak(const char *algorithm)
{
	static const char *const weak[] = {"MD2", "MD4", "MD5", "MD6", "SHA1", "SHA224", "ADLER32"};

	for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++)
		if (is_algorithm(algorithm, weak[i]))
			return true;
	return false;
}

static int take_sha256(struct reader *reader, const char *value, struct sbom_file *file)
{
	struct digest digest;

	if (!value || strlen(value) != DIGEST_HEX_SIZE - 1 ||
	        value[strspn(value, "0123456789abcdefABCDEF")] ||
	        digest_from_hex(value, &digest) < 0)
		return refuse(reader, SBOM_E_INVALID, "%.100s: a SHA-256 that is none", file->name);
	if (file->lack == SBOM_LACK_NONE && !digest_equal(&digest, &file->digest))
		return refuse(reader, SBOM_E_INVALID, "%.100s: two different SHA-256", file->name);
	file->digest = digest;
	file->lack = SBOM_LACK_NONE;
	return 0;
}

/* The first that can be used; else the best that is told of. */
static int take_digests(struct reader *reader, const struct format *format, const json_t *object,
        struct sbom_file *file)
{
	const json_t *list = json_object_get(object, format->digests), *entry;
	size_t i;

	file->lack = SBOM_LACK_DIGEST;
	if (list && !json_is_array(list))
		return refuse(reader, SBOM_E_INVALID, "%.100s: %s is no array", file->name,
		        format->digests);
	json_array_foreach(list, i, entry)
	{
		const char *algorithm = text_of(entry, format->algorithm);
		int r = 0;

		if (!algorithm)
			return refuse(reader, SBOM_E_INVALID, "%.100s: a digest without %s",
			        file->name, format->algorithm);
		if (is_algorithm(algorithm, "SHA256"))
			r = take_sha256(reader, text_of(entry, format->value), file);
		else if (file->lack == SBOM_LACK_DIGEST && is_weak(algorithm))
			file->lack = SBOM_LACK_WEAK;
		else if (file->lack != SBOM_LACK_NONE && !is_weak(algorithm))
			file->lack = SBOM_LACK_OTHER;
		if (r != 0)
			return r;
	}
	return 0;
}

static int take_file(
        struct reader *reader, const struct format *format, const json_t *object, const char *name)
{
	struct sbom_file file = {.name = name};
	int r;

	if (!name || !*name || strlen(name) > STATEMENT_TEXT_MAX)
		return refuse(reader, SBOM_E_INVALID, "file %zu: its name is missing or too long",
		        reader->files + 1);
	if (++reader->files > SBOM_FILES_MAX)
		return refuse(reader, SBOM_E_INVALID, "more than %u files", SBOM_FILES_MAX);
	r = take_digests(reader, format, object, &file);
	return r == 0 ? reader->each(&file, reader->userdata) : r;
}

/*
 * CycloneDX. The depth is bounded.
 */
static int read_components( // NOLINT(misc-no-recursion)
        struct reader *reader, const json_t *parent, unsigned int depth)
{
	const json_t *list = json_object_get(parent, "components"), *component;
	size_t i;
	int r = 0;

	if (!list)
		return 0;
	if (!json_is_array(list))
		return refuse(reader, SBOM_E_INVALID, "components is no array");
	if (depth == SBOM_DEPTH_MAX)
		return refuse(reader, SBOM_E_INVALID, "more than %u components within each other",
		        SBOM_DEPTH_MAX);
	json_array_foreach(list, i, component)
	{
		const char *type = text_of(component, "type");

		if (!json_is_object(component))
			return refuse(reader, SBOM_E_INVALID, "a component is no object");
		if (type && !strcmp(type, "file"))
			r = take_file(reader, &cyclonedx, component, text_of(component, "name"));
		if (r == 0)
			r = read_components(reader, component, depth + 1);
		if (r != 0)
			return r;
	}
	return 0;
}

static int read_spdx(struct reader *reader, const json_t *document)
{
	const json_t *list = json_object_get(document, "files"), *file;
	size_t i;

	if (list && !json_is_array(list))
		return refuse(reader, SBOM_E_INVALID, "files is no array");
	json_array_foreach(list, i, file)
	{
		int r;

		if (!json_is_object(file))
			return refuse(reader, SBOM_E_INVALID, "a file is no object");
		r = take_file(reader, &spdx, file, text_of(file, "fileName"));
		if (r != 0)
			return r;
	}
	return 0;
}

static int read_document(struct reader *reader, const json_t *document)
{
	const char *format = text_of(document, "bomFormat");
	const char *version = text_of(document, "spdxVersion");

	if (format && !strcmp(format, "CycloneDX"))
		return read_components(reader, document, 0);
	if (version && !strncmp(version, "SPDX-2.", strlen("SPDX-2.")))
		return read_spdx(reader, document);
	if (json_object_get(document, "@graph"))
		return refuse(reader, SBOM_E_UNKNOWN,
		        "SPDX 3 is not supported: have it written as SPDX 2.3 or CycloneDX JSON");
	return refuse(reader, SBOM_E_UNKNOWN, "neither CycloneDX nor SPDX 2, in JSON");
}

int sbom_read(const char *text, size_t size,
        int (*each)(const struct sbom_file *file, void *userdata), void *userdata,
        struct sbom_error *reterr_error)
{
	struct reader reader = {.each = each, .userdata = userdata, .error = reterr_error};
	json_error_t error;
	json_t *document;
	int r;

	if (size > SBOM_SIZE_MAX)
		return refuse(&reader, SBOM_E_INVALID, "longer than %u bytes", SBOM_SIZE_MAX);
	document = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	if (!document && json_error_code(&error) == json_error_out_of_memory)
		return -ENOMEM;
	if (!document)
		return refuse(&reader, SBOM_E_INVALID, "line %d: %s", error.line, error.text);
	r = read_document(&reader, document);
	json_decref(document);
	return r;
}
