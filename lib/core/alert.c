/*
 * The alert is built as a jansson object, field by field from tables of functions, and the `output`
 * sentence from the same object: the text can say nothing that the fields do not.
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

/* "reg:5000/a/b:tag@sha256:..." : a ':' before the last '/' is a port. */
static struct image_parts split_image(const char *image)
{
	struct image_parts parts = {0};
	const char *slash, *colon, *at;
	size_t end;

	if (!image)
		return parts;
	at = strchr(image, '@');
	end = at ? (size_t)(at - image) : strlen(image);
	slash = memrchr(image, '/', end);
	colon = memrchr(image, ':', end);
	if (colon && slash && colon < slash)
		colon = NULL;
	parts.repository = strndup(image, colon ? (size_t)(colon - image) : end);
	if (colon)
		parts.tag = strndup(colon + 1, end - (size_t)(colon - image) - 1);
	return parts;
}

static void add_container(json_t *o, const struct exec_facts *f)
{
	static const struct container_info none;
	const struct container_info *c = f->has_container ? &f->container : &none;
	_cleanup_(image_parts_done) struct image_parts image = split_image(c->image);
	_cleanup_free_ char *id = prefix(c->id, SHORT_ID_LEN);

	set_text(o, "container.id", f->has_container ? (id ?: "unknown") : "host");
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
	set_int(o, "proc.exe_ino.ctime", f->identity.ctime_ns);
	set_int(o, "proc.exe_ino.mtime", f->identity.mtime_ns);
	set_known(o, "proc.exe_ino.ctime_duration_proc_start",
		p->start_ns > 0 && f->identity.ctime_ns > 0, p->start_ns - f->identity.ctime_ns);
	set_known(o, "user.uid", p->uid >= 0, p->uid);
	set_int(o, "user.loginuid", p->login_uid);
	set(o, "execward.caller",
		json_pack("{s:o, s:o, s:o, s:o}", "name", text_or_null(p->comm), "exe",
			text_or_null(p->exe), "exepath", text_or_null(p->exepath), "cmdline",
			text_or_null(p->cmdline)));
}

static void add_event(json_t *o, const struct alert_input *in)
{
	const struct exec_facts *f = in->facts;
	bool lower = f->origin == ORIGIN_IMAGE;

	set_int(o, "evt.time", f->time_ns);
	set_text(o, "evt.type", "execve");
	set_text(o, "evt.arg.flags",
		f->upper ? "EXE_WRITABLE|EXE_UPPER_LAYER" : lower ? "EXE_LOWER_LAYER" : NULL);
	set_text(o, "evt.res", in->decision->verdict == VERDICT_DENY ? "EPERM" : "SUCCESS");
	set_text(o, "user.name", in->user_name);
}

/*
 * Our own.
 */
static json_t *dropped_by(const struct drop_info *drop)
{
	char time[TIME_TEXT_SIZE];

	if (!drop || !drop->known)
		return json_null();
	time_to_rfc3339(drop->time_ns, time);
	return json_pack("{s:I, s:o, s:o, s:o, s:s, s:b}", "pid", (json_int_t)drop->pid, "exe",
		text_or_null(drop->exe), "cmdline", text_or_null(drop->cmdline), "uid",
		drop->uid >= 0 ? json_integer(drop->uid) : json_null(), "time", time, "writer_gone",
		drop->writer_gone);
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
	bool aged = in->drop && in->drop->known;

	set_text(o, "execward.verdict", verdict_name(d->verdict));
	set_text(o, "execward.reason", reason_name(d->reason));
	set_text(o, "execward.mode", mode_name(d->mode));
	set_text(o, "execward.rule_reason", d->rule ? d->rule->reason : NULL);
	set_text(o, "execward.origin", origin_name(f->origin));
	set_text(o, "execward.kind", exec_kind_name(f->kind));
	set_int(o, "execward.size", (int64_t)f->identity.size);
	set_text(o, "execward.copy_of", f->copy_of);
	set_text(o, "execward.host_path", f->host_path);
	set(o, "execward.dropped_by", dropped_by(in->drop));
	set_known(o, "execward.age_ms", aged,
		aged ? (f->time_ns - in->drop->time_ns) / NS_PER_MSEC : 0);
	set(o, "execward.baseline", json_null());
	set_text(o, "execward.event_id", in->event_id);
	set_int(o, "execward.count", (int64_t)in->count);
	set_text(o, "execward.fault", in->fault);
	add_digest(o, f);
}

/*
 * The sentence.
 */
struct rule_row {
	const char *rule, *sentence;
};

static struct rule_row rule_of(const struct alert_input *in)
{
	const struct exec_facts *f = in->facts;

	if (in->decision->reason == REASON_FAULT)
		return (struct rule_row){"Verdict could not be reached",
			"No verdict could be reached for an executable"};
	if (in->decision->reason == REASON_DENYLISTED)
		return (struct rule_row){
			"Execute denylisted program", "Executing a program that is denied everywhere"};
	switch (f->origin) {
	case ORIGIN_VOLUME:
		if (f->other_image)
			return (struct rule_row){"Execute program of another image in container",
				"Executing a program that belongs to another image"};
		return (struct rule_row){"Execute from volume in container",
			"Executing a program from a volume that is not part of base image"};
	case ORIGIN_HOST:
		return (struct rule_row){
			"Unknown program on guarded host", "Executing a program that nobody vouches for"};
	case ORIGIN_MUTABLE:
		return (struct rule_row){"Execute mutable file in container",
			"Executing a file that can still be written"};
	case ORIGIN_UNKNOWN:
		return (struct rule_row){"Execute program of unknown origin in container",
			"Executing a program whose origin could not be told"};
	default:
		/* Falco's own sentence for this rule. */
		return (struct rule_row){ALERT_RULE_DROP, "Executing binary not part of base image"};
	}
}

static const char *priority_of(const struct alert_input *in)
{
	if (in->decision->verdict == VERDICT_DENY || in->decision->verdict == VERDICT_WOULD_DENY)
		return "Critical";
	return in->decision->reason == REASON_FAULT ? "Error" : "Notice";
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
	int64_t local_s = in->facts->time_ns / NS_PER_SEC + in->utc_offset_s;
	unsigned int day_s = (unsigned int)(((local_s % 86400) + 86400) % 86400);
	char *out = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&out, &size);

	if (!stream)
		return NULL;
	fprintf(stream, "%02u:%02u:%02u.%09u: %s %s |", day_s / 3600, day_s / 60 % 60, day_s % 60,
		(unsigned int)(in->facts->time_ns % NS_PER_SEC), priority_of(in), sentence);
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

static json_t *tags_of(const struct rule_row *row)
{
	if (!strcmp(row->rule, ALERT_RULE_DROP))
		return json_pack("[s, s, s, s, s, s]", "PCI_DSS_11.5.1", "TA0003", "container",
			"maturity_stable", "mitre_persistence", "process");
	return json_pack("[s, s, s]", "container", "execward", "process");
}

json_t *alert_to_json(const struct alert_input *in)
{
	struct rule_row row = rule_of(in);
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
	output = sentence_of(in, row.sentence, fields);
	time_to_rfc3339(in->facts->time_ns, time);
	set_text(alert, "hostname", in->hostname);
	set_text(alert, "time", time);
	set_text(alert, "rule", row.rule);
	set_text(alert, "priority", priority_of(in));
	set_text(alert, "source", "syscall");
	set(alert, "tags", tags_of(&row));
	set_text(alert, "output", output);
	set(alert, "output_fields", fields);
	return alert;
}

char *alert_to_line(const json_t *alert)
{
	return json_dumps(alert, JSON_COMPACT | JSON_SORT_KEYS);
}
