/*
 * Where passphrases come from, as openssl's --passin says it: env:NAME, file:PATH (its first line),
 * fd:N, stdin; without any, a question on the terminal. Never a hang: no terminal and no source is
 * an error. A passphrase on the command line (openssl's pass:) is refused: every user can read it
 * there.
 */
#pragma once

#include "crypto/key_private.h"
#include "tools/verbs.h"

/*
 * Checks what --passin says without reading it; @reads_stdin tells that the input comes from there.
 * 0, or EX_USAGE after saying what is wrong.
 */
int passphrase_check(const struct call *call, bool reads_stdin);

/*
 * The passphrase for @what ("key.pem"). On a terminal it is asked for, and with @twice once more.
 * The caller frees with secret_done(). 0, or an exit code after saying what is wrong.
 */
int passphrase_get(
        const struct call *call, const char *what, bool twice, struct secret *ret_secret);
