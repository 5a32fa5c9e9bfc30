/*
 * The alert is built as a jansson object, field by field, and the `output` sentence from the same
 * object: the text can say nothing that the fields do not. Every text passes text_to_utf8(), and
 * the sentence text_for_terminal(); a value that is unknown, or that cannot be computed without
 * overflow, is null. In the sentence a hostile name may still imitate " key=value": programs read
 * the fields.
 */
#include "core/alert.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_ID_LEN 12u /* hex digits of container.id, as Falco and docker ps show it */
#define COMM_LEN     15u /* bytes of proc.name: TASK_COMM_LEN - 1 */

static json_t *text_or_null(const char *text)
{
	_cleanup_free_ char *utf8 = text_to_utf8(text);

	return utf8 ? json_string(utf8) : json_null();
}

static void set(json_t *object, const char *key, json_t *value)
{
	/* A value that could not be made is missing, and missing is null. */
	(void)json_object_set_new(object, key, value ?: json_null());
}

static void set_text(json_t *object, const char *key, const char *text)
{
	set(object, key, text_or_null(text));
}

static void set_int(json_t *object, const char *key, int64_t value)
{
	set(object, key, json_integer(value));
}

static void set_known(json_t *object, const char *key, bool known, int64_t value)
{
	set(object, key, known ? json_integer(value) : json_null());
}

/* Times of inodes come from filesystems that the attacker may serve: any value, so no overflow. */
static void set_difference(json_t *object, const char *key, bool known, int64_t to, int64_t from)
{
	int64_t difference;

	known = known && !__builtin_sub_overflow(to, from, &difference);
	set_known(object, key, known, known ? difference : 0);
}

static char *prefix(const char *text, size_t max)
{
	return text ? strndup(text, max) : NULL;
}

/*
 * The container.
 */
struct image_parts {
	char *repository, *tag;
};

static void image_parts_done(struct image_parts *parts)
{
	free(parts->repository);
	free(parts->tag);
}

/*
 * `reg:5000/a/b:tag@sha256:...`: a ':' before the last '/' is a port. A bare `sha256:...`, which
 * Docker keeps for a container that was made by image id, names no repository.
 */
static struct image_parts split_image(const char *image)
{
	struct image_parts parts = {0};
	const char *slash, *colon, *at;
	size_t end;

	if (!image || !strncmp(image, "sha256:", strlen("sha256:")))
		return parts;
	at = strchr(image, '@');
	end = at ? (size_t)(at - image) : strlen(image);
	slash = memrchr(image, '/', end);
	colon = memrchr(image, ':', end);
	if (colon && slash && colon < slash)
		colon = NULL;
	parts.repository = strndup(image, colon ? (size_t)(colon - image) : end);
	if (colon && colon + 1 < image + end)
		parts.tag = strndup(colon + 1, end - (size_t)(colon - image) - 1);
	return parts;
}

static void add_container(json_t *o, const struct exec_facts *f)
{
	static const struct container_info none;
	const struct container_info *c = f->has_container ? &f->container : &none;
	_cleanup_(image_parts_done) struct image_parts image = split_image(c->image);
	_cleanup_free_ char *id = prefix(c->id, SHORT_ID_LEN);

	set_text(o, "container.id", f->has_container ? (id && *id ? id : "unknown") : "host");
	set_text(o, "container.name", f->has_container ? c->name : "host");
	set_text(o, "container.image.repository", image.repository);
	set_text(o, "container.image.tag", image.tag);
	set_known(o, "container.start_ts", c->start_ns > 0, c->start_ns);
	set_text(o, "k8s.ns.name", c->ns);
	set_text(o, "k8s.pod.name", c->pod);
	set_text(o, "execward.container_key", f->has_container ? c->key : NULL);
	set_text(o, "execward.container_id", c->id);
	set_text(o, "execward.image", c->image);
	set_text(o, "execward.runtime", c->runtime);
}

/*
 * The process, as Falco shows it once the exec has happened: the new program in the same task.
 */
static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

/* Who asked for the exec, which Falco cannot show any more: for it, the task is the new program. */
static json_t *caller_of(const struct process_info *p)
{
	json_t *o = json_object();

	set_text(o, "name", p->comm);
	set_text(o, "exe", p->exe);
	set_text(o, "exepath", p->exepath);
	set_text(o, "cmdline", p->cmdline);
	return o;
}

static void add_process(json_t *o, const struct exec_facts *f)
{
	const struct process_info *p = &f->process;
	_cleanup_free_ char *name = prefix(base_name(f->path), COMM_LEN);

	set_text(o, "proc.name", name);
	set_text(o, "proc.exe", f->exec_argv0 ?: p->exe);
	set_text(o, "proc.exepath", f->path);
	set_text(o, "proc.cmdline", f->exec_argv ?: p->cmdline);
	set_text(o, "proc.cwd", p->cwd);
	set_known(o, "proc.pid", p->pid > 0, p->pid);
	set_known(o, "proc.ppid", p->ppid > 0, p->ppid);
	set_text(o, "proc.pname", p->parents[0]);
	set_text(o, "proc.aname[2]", p->parents[1]);
	set_text(o, "proc.sname", p->session_leader);
	set_int(o, "proc.tty", p->tty);
	set_known(o, "proc.exe_ino.ctime", f->identity.ctime_ns != 0, f->identity.ctime_ns);
	set_known(o, "proc.exe_ino.mtime", f->identity.mtime_ns != 0, f->identity.mtime_ns);
	set_difference(o, "proc.exe_ino.ctime_duration_proc_start",
	        p->start_ns > 0 && f->identity.ctime_ns != 0, p->start_ns, f->identity.ctime_ns);
	set_known(o, "user.uid", p->uid >= 0, p->uid);
	set_int(o, "user.loginuid", p->login_uid);
	set(o, "execward.caller", caller_of(p));
}

static void add_event(json_t *o, const struct alert_input *in)
{
	const struct exec_facts *f = in->facts;
	bool lower = f->origin == ORIGIN_IMAGE;

	set_int(o, "evt.time", f->time_ns);
	set_text(o, "evt.type", "execve");
	set_text(o, "evt.arg.flags",
	        f->upper ? "EXE_WRITABLE|EXE_UPPER_LAYER"
	        : lower  ? "EXE_LOWER_LAYER"
	                 : NULL);
	set_text(o, "evt.res", in->decision->verdict == VERDICT_DENY ? "EPERM" : "SUCCESS");
	set_text(o, "user.name", in->user_name);
}

/*
 * Our own.
 */
static json_t *dropped_by(const struct drop_info *drop)
{
	json_t *o = drop && drop->known ? json_object() : NULL;
	char time[TIME_TEXT_SIZE];

	if (!o)
		return json_null();
	time_to_rfc3339(drop->time_ns, time);
	set_known(o, "pid", drop->pid > 0, drop->pid);
	set_text(o, "exe", drop->exe);
	set_text(o, "cmdline", drop->cmdline);
	set_known(o, "uid", drop->uid >= 0, drop->uid);
	set_text(o, "time", drop->time_ns > 0 ? time : NULL);
	set(o, "writer_gone", json_boolean(drop->writer_gone));
	return o;
}

/* Milliseconds from the drop to the exec; 0 when the clock went back between them. */
static void add_age(json_t *o, const struct alert_input *in)
{
	bool known = in->drop && in->drop->known && in->drop->time_ns > 0;
	int64_t age_ns = 0;

	if (known && __builtin_sub_overflow(in->facts->time_ns, in->drop->time_ns, &age_ns))
		known = false;
	set_known(o, "execward.age_ms", known, age_ns > 0 ? age_ns / NS_PER_MSEC : 0);
}

static void add_digest(json_t *o, const struct exec_facts *f)
{
	char hex[DIGEST_HEX_SIZE];

	if (f->has_digest)
		digest_to_hex(&f->digest, hex);
	set_text(o, "execward.sha256", f->has_digest ? hex : NULL);
}

static void add_own(json_t *o, const struct alert_input *in)
{
	const struct exec_facts *f = in->facts;
	const struct policy_decision *d = in->decision;

	set_text(o, "execward.verdict", verdict_name(d->verdict));
	set_text(o, "execward.reason", reason_name(d->reason));
	set_text(o, "execward.mode", mode_name(d->mode));
	set_text(o, "execward.rule_reason", d->rule ? d->rule->reason : NULL);
	set_text(o, "execward.origin", origin_name(f->origin));
	set_text(o, "execward.kind", exec_kind_name(f->kind));
	set_known(o, "execward.size", f->identity.size <= INT64_MAX, (int64_t)f->identity.size);
	set_text(o, "execward.copy_of", f->copy_of);
	set_text(o, "execward.host_path", f->host_path);
	set_text(o, "execward.filesystem", f->filesystem);
	set(o, "execward.dropped_by", dropped_by(in->drop));
	set(o, "execward.baseline", json_null());
	set_text(o, "execward.event_id", in->event_id);
	set_known(o, "execward.count", in->count <= INT64_MAX, (int64_t)in->count);
	set_text(o, "execward.fault", in->fault);
	add_age(o, in);
	add_digest(o, f);
}

/*
 * The sentence.
 */
struct rule_row {
	const char *rule, *sentence;
};

static const struct rule_row fault_row = {
        "Verdict could not be reached", "No verdict could be reached for a program"};
static const struct rule_row denylist_row = {
        "Execute denylisted program", "Executing a program that is on the denylist"};
static const struct rule_row other_image_row = {"Execute program of another image in container",
        "Executing a program that belongs to another image"};
static const struct rule_row loader_row = {"Execute program through dynamic loader in container",
        "Executing the image's dynamic loader as a program"};
/* The name is that of Falco's rule. */
static const struct rule_row memfd_row = {
        "Fileless execution via memfd_create", "Executing a program from memory"};
static const struct rule_row known_row = {
        "Execute known program", "Executing a program that is vouched for"};
static const struct rule_row origin_rows[_ORIGIN_MAX] = {
        [ORIGIN_UNKNOWN] = {"Execute program of unknown origin in container",
                "Executing a program whose origin could not be told"},
        /* The sentence is Falco's own for its rule, too. */
        [ORIGIN_DROPPED] = {ALERT_RULE_DROP, "Executing binary not part of base image"},
        [ORIGIN_MODIFIED] = {ALERT_RULE_DROP, "Executing binary not part of base image"},
        [ORIGIN_VOLUME] = {"Execute from volume in container",
                "Executing a program from a volume, not part of base image"},
        [ORIGIN_HOST] = {"Unknown program on guarded host",
                "Executing a program that is not in the host's baseline"},
        [ORIGIN_MUTABLE] = {"Execute mutable file in container",
                "Executing a file that can still be written"},
};

static const struct rule_row *rule_of(const struct alert_input *in)
{
	const struct exec_facts *f = in->facts;
	unsigned int origin = (unsigned int)f->origin;

	if (in->decision->reason == REASON_FAULT)
		return &fault_row;
	if (in->decision->reason == REASON_DENYLISTED)
		return &denylist_row;
	if (in->decision->reason == REASON_LOADER)
		return &loader_row;
	if (in->decision->reason == REASON_MEMFD)
		return &memfd_row;
	if (f->origin == ORIGIN_VOLUME && f->other_image)
		return &other_image_row;
	if (origin >= _ORIGIN_MAX)
		return &origin_rows[ORIGIN_UNKNOWN];
	return origin_rows[origin].rule ? &origin_rows[origin] : &known_row;
}

/* A fault is the operator's to repair, whatever became of the exec. */
static const char *priority_of(const struct alert_input *in)
{
	if (in->decision->reason == REASON_FAULT)
		return "Error";
	if (in->decision->reason == REASON_MEMFD)
		return "Critical";
	if (in->decision->reason == REASON_LOADER)
		return "Warning";
	return in->decision->verdict == VERDICT_ALLOW ? "Notice" : "Critical";
}

/* Keys of the text, in Falco's order and names. */
static const struct {
	const char *key, *field;
} sentence_fields[] = {
        {"proc_exe", "proc.exe"},
        {"proc_sname", "proc.sname"},
        {"gparent", "proc.aname[2]"},
        {"proc_exe_ino_ctime", "proc.exe_ino.ctime"},
        {"proc_exe_ino_mtime", "proc.exe_ino.mtime"},
        {"proc_exe_ino_ctime_duration_proc_start", "proc.exe_ino.ctime_duration_proc_start"},
        {"proc_cwd", "proc.cwd"},
        {"container_start_ts", "container.start_ts"},
        {"evt_type", "evt.type"},
        {"user", "user.name"},
        {"user_uid", "user.uid"},
        {"user_loginuid", "user.loginuid"},
        {"process", "proc.name"},
        {"proc_exepath", "proc.exepath"},
        {"parent", "proc.pname"},
        {"command", "proc.cmdline"},
        {"terminal", "proc.tty"},
        {"exe_flags", "evt.arg.flags"},
        {"container_id", "container.id"},
        {"container_name", "container.name"},
        {"container_image_repository", "container.image.repository"},
        {"container_image_tag", "container.image.tag"},
        {"k8s_pod_name", "k8s.pod.name"},
        {"k8s_ns_name", "k8s.ns.name"},
        {"verdict", "execward.verdict"},
        {"reason", "execward.reason"},
        {"origin", "execward.origin"},
        {"sha256", "execward.sha256"},
        {"copy_of", "execward.copy_of"},
};

static char *field_text(json_t *fields, const char *name)
{
	json_t *value = json_object_get(fields, name);
	char *text = NULL;

	if (json_is_string(value))
		return text_for_terminal(json_string_value(value));
	if (json_is_integer(value) &&
	        asprintf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) >= 0)
		return text;
	return strdup("<NA>");
}

static char *sentence_of(const struct alert_input *in, const char *sentence, json_t *fields)
{
	int64_t time_ns = in->facts->time_ns > 0 ? in->facts->time_ns : 0;
	int64_t local_s = time_ns / NS_PER_SEC + in->utc_offset_s;
	unsigned int day_s = (unsigned int)(((local_s % 86400) + 86400) % 86400);
	char *out = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&out, &size);

	if (!stream)
		return NULL;
	fprintf(stream, "%02u:%02u:%02u.%09u: %s %s |", day_s / 3600, day_s / 60 % 60, day_s % 60,
	        (unsigned int)(time_ns % NS_PER_SEC), priority_of(in), sentence);
	for (size_t i = 0; i < sizeof(sentence_fields) / sizeof(sentence_fields[0]); i++) {
		_cleanup_free_ char *text = field_text(fields, sentence_fields[i].field);

		fprintf(stream, " %s=%s", sentence_fields[i].key, text ?: "<NA>");
	}
	if (fclose(stream) != 0) {
		free(out);
		return NULL;
	}
	return out;
}

/* Sorted, as Falco prints them. */
static json_t *tags_of(const struct rule_row *row, bool in_container)
{
	if (!strcmp(row->rule, ALERT_RULE_DROP))
		return json_pack("[s, s, s, s, s, s]", "PCI_DSS_11.5.1", "TA0003", "container",
		        "maturity_stable", "mitre_persistence", "process");
	return in_container ? json_pack("[s, s, s]", "container", "execward", "process")
	                    : json_pack("[s, s, s]", "execward", "host", "process");
}

json_t *alert_to_json(const struct alert_input *in)
{
	const struct rule_row *row = rule_of(in);
	json_t *alert = json_object(), *fields = json_object();
	_cleanup_free_ char *output = NULL;
	char time[TIME_TEXT_SIZE];

	if (!alert || !fields) {
		json_decref(alert);
		json_decref(fields);
		return NULL;
	}
	add_container(fields, in->facts);
	add_process(fields, in->facts);
	add_event(fields, in);
	add_own(fields, in);
	output = sentence_of(in, row->sentence, fields);
	time_to_rfc3339(in->facts->time_ns, time);
	set_text(alert, "hostname", in->hostname ?: "");
	set_text(alert, "time", time);
	set_text(alert, "rule", row->rule);
	set_text(alert, "priority", priority_of(in));
	set_text(alert, "source", "syscall");
	set(alert, "tags", tags_of(row, in->facts->has_container));
	set_text(alert, "output", output ?: row->sentence); /* never null: sinks show it */
	set(alert, "output_fields", fields);
	return alert;
}

char *alert_to_line(const json_t *alert)
{
	return json_dumps(alert, JSON_COMPACT | JSON_SORT_KEYS);
}
