/*
 * The answer to `status` (docs/control.md).
 */
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "core/alert.h"
#include "daemon/engine_internal.h"
#include "daemon/engine_lists.h"

#include <fcntl.h>
#include <stdio.h>

static json_t *text(const char *value)
{
	_cleanup_free_ char *utf8 = text_to_utf8(value);

	return utf8 ? json_string(utf8) : json_null();
}

static void add_guarded(const char *fstype, enum mark_kind kind, const char *path, void *userdata)
{
	json_array_append_new(userdata, json_pack("{s:o, s:s, s:o}", "fs", text(fstype), "kind",
	                                        mark_kind_name(kind), "path", text(path)));
}

static void add_volume(enum volume_kind kind, const char *fstype, const char *path, void *userdata)
{
	json_array_append_new(userdata, json_pack("{s:o, s:s, s:o}", "fs", text(fstype), "kind",
	                                        kind == VOLUME_FUSE     ? "fuse"
	                                        : kind == VOLUME_SERVED ? "served"
	                                                                : "volume",
	                                        "path", text(path)));
}

static void add_container(const struct overlay *overlay, void *userdata)
{
	const struct container_info *info = &overlay->info; /* the registry's lock is held */

	json_array_append_new(
	        userdata, json_pack("{s:o, s:o, s:o, s:o, s:o, s:s}", "id", text(info->id), "name",
	                          text(info->name), "image", text(info->image), "runtime",
	                          text(info->runtime), "overlay", text(info->key), "mounter",
	                          mounter_name(overlay->mounter)));
}

static json_t *faults_json(const struct faults *faults)
{
	json_t *object = json_object();

	for (int i = FAULT_NONE + 1; i < _FAULT_MAX; i++)
		json_object_set_new(object, fault_name((enum fault)i),
		        json_integer((json_int_t)faults_get(faults, (enum fault)i)));
	return object;
}

static json_t *rows_json(const uint8_t *rows)
{
	json_t *array = json_array();

	for (; *rows; rows++)
		json_array_append_new(array, json_integer(*rows));
	return array;
}

/* What a feature costs when it is missing is said of those that are: readers add up `rows`. */
static json_t *feature_json(const struct kernel_feature_row *row, enum kernel_presence presence)
{
	static const char *const words[] = {
	        [KERNEL_UNPROBED] = "unprobed",
	        [KERNEL_ABSENT] = "absent",
	        [KERNEL_PRESENT] = "present",
	};
	static const uint8_t none[] = {0};
	bool present = presence == KERNEL_PRESENT;

	return json_pack("{s:s, s:b, s:s, s:s, s:s, s:o, s:s}", "feature", row->name, "present",
	        present, "state", words[presence], "since", row->since, "detail",
	        present ? "" : row->without, "rows", rows_json(present ? none : row->rows), "fix",
	        present ? "" : row->fix);
}

static json_t *kernel_json(const struct kernel_features *kernel)
{
	json_t *array = json_array();

	for (int i = 0; i < _KERNEL_FEATURE_MAX; i++)
		json_array_append_new(
		        array, feature_json(kernel_feature_row((enum kernel_feature)i),
		                       kernel->present[i]));
	return array;
}

/* Resident pages of /proc/self/statm, proc(5). */
static json_int_t rss_bytes(void)
{
	_cleanup_free_ char *statm = NULL;
	unsigned long total, resident;
	size_t size;

	if (file_read_at(AT_FDCWD, "/proc/self/statm", 4096, &statm, &size) < 0 ||
	        sscanf(statm, "%lu %lu", &total, &resident) != 2)
		return 0;
	return (json_int_t)resident * (json_int_t)sysconf(_SC_PAGESIZE);
}

static void add_mode(json_t *status, const struct ruling *ruling)
{
	int64_t now_ns = clock_realtime_ns();
	const struct mode_override *override = ruling_override(ruling);
	bool overridden = override->mode != MODE_UNSET &&
	                  (override->until_ns == 0 || now_ns < override->until_ns);

	json_object_set_new(status, "mode", json_string(mode_name(ruling_mode(ruling, now_ns))));
	json_object_set_new(status, "mode_source", json_string(overridden ? "operator" : "config"));
	json_object_set_new(
	        status, "mode_until_ns", json_integer(overridden ? override->until_ns : 0));
}

static void add_counters(json_t *status, struct engine *e)
{
	struct verdicts_counters counters;

	verdicts_counters(e->verdicts, &counters);
	json_object_set_new(status, "events_total", json_integer((json_int_t)counters.events));
	json_object_set_new(
	        status, "creations_total", json_integer((json_int_t)creations_count(e->creations)));
	json_object_set_new(
	        status, "alerts_total", json_integer((json_int_t)recorder_alerts(e->recorder)));
	json_object_set_new(status, "pending", json_integer((json_int_t)counters.pending));
	json_object_set_new(status, "leases", json_integer((json_int_t)held_count(e->held)));
	json_object_set_new(status, "verdicts",
	        json_pack("{s:I, s:I, s:I}", "allow", (json_int_t)counters.allow, "deny",
	                (json_int_t)counters.deny, "would_deny", (json_int_t)counters.would_deny));
}

static json_t *baselines_json(const struct engine *e, const struct ruling *ruling)
{
	struct baselines_totals totals;

	baselines_totals(ruling_baselines(ruling), &totals);
	return json_pack("{s:I, s:I, s:I, s:o, s:{s:I, s:I, s:I}}", "snapshots",
	        (json_int_t)totals.snapshots, "digests", (json_int_t)totals.digests, "generation",
	        (json_int_t)totals.generation, "error", text(engine_baselines_error(e)), "scopes",
	        "image", (json_int_t)totals.by_scope[SCOPE_IMAGE], "container",
	        (json_int_t)totals.by_scope[SCOPE_CONTAINER], "filesystem",
	        (json_int_t)totals.by_scope[SCOPE_FILESYSTEM]);
}

json_t *engine_status(struct engine *e)
{
	json_t *status = json_object(), *guarded = json_array(), *containers = json_array();
	_cleanup_free_ char *disabled = engine_disabled(e);
	struct ruling *ruling = rulings_get(e->rulings);

	guard_each(e->guard, add_guarded, guarded);
	if (e->volumes)
		volumes_each(e->volumes, add_volume, guarded);
	overlays_each(e->overlays, add_container, containers);
	json_object_set_new(status, "ready", json_boolean(e->ready));
	json_object_set_new(status, "version", json_string(EXECWARD_VERSION));
	json_object_set_new(status, "pid", json_integer(getpid()));
	add_mode(status, ruling);
	json_object_set_new(status, "marks", json_string(mark_kind_name(guard_kind(e->guard))));
	json_object_set_new(status, "config", text(e->config_path));
	json_object_set_new(status, "guard", json_pack("{s:o}", "paths", engine_hosts_json(e)));
	json_object_set_new(status, "disabled", text(disabled));
	json_object_set_new(status, "guarded", guarded);
	json_object_set_new(status, "containers", containers);
	add_counters(status, e);
	json_object_set_new(status, "baselines", baselines_json(e, ruling));
	json_object_set_new(status, "allowlists", engine_lists_json(e, ruling));
	json_object_set_new(status, "trust", engine_lists_trust_json(ruling));
	json_object_set_new(status, "faults", faults_json(e->faults));
	json_object_set_new(status, "uptime_s",
	        json_integer((clock_monotonic_ns() - e->started_ns) / NS_PER_SEC));
	json_object_set_new(status, "rss_bytes", json_integer(rss_bytes()));
	json_object_set_new(status, "kernel", kernel_json(&e->kernel));
	ruling_unref(ruling);
	return status;
}
