/* security.capability in words. */
#pragma once

#include "core/entry.h"

#define CAPS_TEXT_SIZE 1280u /* bytes with the NUL; all 41 names twice do not fit, and are cut */

/*
 * As getcap(8) would: "cap_net_raw=ep", "cap_net_raw=p cap_chown=i [rootid=1000]"; "none", or
 * "invalid (24 bytes)" for what the kernel would refuse. @ret_text has room.
 */
void caps_text(const uint8_t *caps, uint32_t size, char ret_text[CAPS_TEXT_SIZE]);

/* True when @now has a permitted or inheritable capability, or effectiveness, that @before lacks;
 * what is invalid has none. */
bool caps_gained(const struct entry *before, const struct entry *now);
