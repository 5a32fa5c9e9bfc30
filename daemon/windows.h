/*
 * Alert windows: which programs have been reported lately, and how often they were tried since. One
 * thread's business.
 */
#pragma once

#include "daemon/record.h"

#include <stdbool.h>
#include <stdint.h>

struct windows;

/* @max windows at a time: past it the oldest ends early. */
int windows_new(size_t max, struct windows **ret_windows);
void windows_free(struct windows *windows);

/* True when @record repeats one that is in its window: it is counted there. */
bool windows_count(struct windows *windows, const struct record *record, int64_t window_ns);
/* Opens a window for a record that was reported just now as @line. */
void windows_open(
        struct windows *windows, const struct record *record, const char *line, int64_t event_row);

struct window_state {
	const char *line;  /* the alert with its count brought up to date; borrowed */
	int64_t event_row; /* 0 when it could not be stored */
	uint64_t count;
	int64_t last_ns;
	enum verdict verdict;
	bool closing; /* the window is over and had repeats: report the final count */
};

/* Hands on what was counted since the last call, and closes what has ended by @now_ns. */
void windows_flush(struct windows *windows, int64_t now_ns,
        void (*fn)(const struct window_state *state, void *userdata), void *userdata);

bool windows_pending(const struct windows *windows);
bool windows_dirty(const struct windows *windows);
/* Nanoseconds until the first window ends; -1 when there is none. */
int64_t windows_next_end(const struct windows *windows, int64_t now_ns);
