/* Offsets and sizes of an ELF file are anybody's: each is compared with what was read. */
#include "core/interpreter.h"

#include <elf.h>
#include <string.h>

#define SHEBANG_MAX 256u /* bytes of a `#!` line that the kernel reads; BINPRM_BUF_SIZE */

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of @at..@end; false when there is none. */
static bool take_word(const uint8_t **at, const uint8_t *end, char word[INTERPRETER_PATH_MAX])
{
	size_t n = 0;

	while (*at < end && is_space(**at))
		(*at)++;
	while (*at < end && !is_space(**at) && **at && n < INTERPRETER_PATH_MAX - 1)
		word[n++] = (char)*(*at)++;
	word[n] = '\0';
	return n > 0;
}

static bool by_shebang(const uint8_t *head, size_t size, struct interpreter *ret)
{
	size_t n = size < SHEBANG_MAX ? size : SHEBANG_MAX;
	const uint8_t *end = memchr(head, '\n', n) ?: head + n, *at = head + 2;
	const char *base;

	if (!take_word(&at, end, ret->path))
		return false;
	ret->name[0] = '\0';
	base = strrchr(ret->path, '/');
	if (!base || strcmp(base, "/env"))
		return true;
	/* env -S NAME: options and settings stand in front of the name. */
	while (take_word(&at, end, ret->name) && (ret->name[0] == '-' || strchr(ret->name, '=')))
		;
	return true;
}

static bool copy_path(
        const uint8_t *head, size_t size, uint64_t offset, uint64_t length, struct interpreter *ret)
{
	if (length < 2 || length > sizeof(ret->path) || offset > size || length > size - offset)
		return false;
	memcpy(ret->path, head + offset, length);
	ret->path[length - 1] = '\0';
	ret->name[0] = '\0';
	return ret->path[0] != '\0';
}

/* Where entry @i of a table of @n entries of @entry_size bytes lies; NULL when it is not in it. */
static const uint8_t *entry_at(
        const uint8_t *head, size_t size, uint64_t offset, size_t i, size_t entry_size)
{
	uint64_t skip = (uint64_t)i * entry_size; /* 65535 entries of 65535 bytes at most */

	if (offset > size || skip > size - offset || entry_size > size - offset - skip)
		return NULL;
	return head + offset + skip;
}

static bool by_elf64(const uint8_t *head, size_t size, struct interpreter *ret)
{
	Elf64_Ehdr header;

	if (size < sizeof(header))
		return false;
	memcpy(&header, head, sizeof(header));
	for (size_t i = 0; i < header.e_phnum && header.e_phentsize == sizeof(Elf64_Phdr); i++) {
		const uint8_t *at = entry_at(head, size, header.e_phoff, i, sizeof(Elf64_Phdr));
		Elf64_Phdr entry;

		if (!at)
			return false;
		memcpy(&entry, at, sizeof(entry));
		if (entry.p_type == PT_INTERP)
			return copy_path(head, size, entry.p_offset, entry.p_filesz, ret);
	}
	return false;
}

static bool by_elf32(const uint8_t *head, size_t size, struct interpreter *ret)
{
	Elf32_Ehdr header;

	if (size < sizeof(header))
		return false;
	memcpy(&header, head, sizeof(header));
	for (size_t i = 0; i < header.e_phnum && header.e_phentsize == sizeof(Elf32_Phdr); i++) {
		const uint8_t *at = entry_at(head, size, header.e_phoff, i, sizeof(Elf32_Phdr));
		Elf32_Phdr entry;

		if (!at)
			return false;
		memcpy(&entry, at, sizeof(entry));
		if (entry.p_type == PT_INTERP)
			return copy_path(head, size, entry.p_offset, entry.p_filesz, ret);
	}
	return false;
}

bool interpreter_of(const uint8_t *head, size_t size, struct interpreter *ret)
{
	if (size >= 3 && head[0] == '#' && head[1] == '!')
		return by_shebang(head, size, ret);
	if (size < EI_NIDENT || memcmp(head, ELFMAG, SELFMAG) != 0)
		return false;
	return head[EI_CLASS] == ELFCLASS64 ? by_elf64(head, size, ret) : by_elf32(head, size, ret);
}
