/*
 * What else the kernel executes when it executes a file: the interpreter of its `#!` line, and the
 * dynamic loader that an ELF file names (PT_INTERP). By the first bytes of the file, which are
 * foreign.
 */
#pragma once

#include "core/types.h"

#include <stddef.h>
#include <stdint.h>

#define INTERPRETER_HEAD_SIZE 65536u /* bytes of a file that are looked at */
#define INTERPRETER_PATH_MAX  4096u  /* bytes with the NUL; PATH_MAX */

struct interpreter {
	char path[INTERPRETER_PATH_MAX];
	/* Behind `#! /usr/bin/env`: the name that env looks for; "" otherwise. */
	char name[INTERPRETER_PATH_MAX];
};

/* What the head of a file names; false when it names none. */
bool interpreter_of(const uint8_t *head, size_t size, struct interpreter *ret_interpreter);
