/*
 * Messages of the daemon on stderr, one line each, with a priority prefix when systemd reads them
 * (sd-daemon(3)). Logged once, where the daemon goes on or stops; never from a deciding thread.
 */
#pragma once

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO };

__attribute__((format(printf, 2, 3))) void log_message(
        enum log_level level, const char *format, ...);

#define log_error(...)   log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_message(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_message(LOG_LEVEL_INFO, __VA_ARGS__)
