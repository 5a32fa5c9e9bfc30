#include "core/facts.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int64_t statx_ns(const struct statx_timestamp *t)
{
	return t->tv_sec * NS_PER_SEC + t->tv_nsec;
}

struct file_identity file_identity_from(const struct statx *sx)
{
	return (struct file_identity){
	        .dev = makedev(sx->stx_dev_major, sx->stx_dev_minor),
	        .ino = sx->stx_ino,
	        .btime_ns = sx->stx_mask & STATX_BTIME ? statx_ns(&sx->stx_btime) : 0,
	        .ctime_ns = statx_ns(&sx->stx_ctime),
	        .mtime_ns = statx_ns(&sx->stx_mtime),
	        .size = sx->stx_size,
	};
}

bool file_identity_same_inode(const struct file_identity *a, const struct file_identity *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->btime_ns == b->btime_ns;
}

bool file_identity_equal(const struct file_identity *a, const struct file_identity *b)
{
	return file_identity_same_inode(a, b) && a->ctime_ns == b->ctime_ns &&
	       a->mtime_ns == b->mtime_ns && a->size == b->size;
}

void container_info_done(struct container_info *info)
{
	free(info->key);
	free(info->runtime);
	free(info->id);
	free(info->name);
	free(info->image);
	free(info->image_id);
	free(info->ns);
	free(info->pod);
	memset(info, 0, sizeof(*info));
}

static int copy_text(const char *text, char **ret_text)
{
	if (!text)
		return 0;
	*ret_text = strdup(text);
	return *ret_text ? 0 : -ENOMEM;
}

int container_info_copy(const struct container_info *info, struct container_info *ret_copy)
{
	struct container_info copy = {.start_ns = info->start_ns};

	if (copy_text(info->key, &copy.key) || copy_text(info->runtime, &copy.runtime) ||
	        copy_text(info->id, &copy.id) || copy_text(info->name, &copy.name) ||
	        copy_text(info->image, &copy.image) || copy_text(info->image_id, &copy.image_id) ||
	        copy_text(info->ns, &copy.ns) || copy_text(info->pod, &copy.pod)) {
		container_info_done(&copy);
		return -ENOMEM;
	}
	*ret_copy = copy;
	return 0;
}

void process_info_done(struct process_info *process)
{
	free(process->comm);
	free(process->exe);
	free(process->exepath);
	free(process->cmdline);
	free(process->cwd);
	for (size_t i = 0; i < ANCESTOR_MAX; i++)
		free(process->parents[i]);
	free(process->session_leader);
	free(process->parent_exepath);
	free(process->user);
	memset(process, 0, sizeof(*process));
}

void drop_info_done(struct drop_info *drop)
{
	free(drop->exe);
	free(drop->cmdline);
	memset(drop, 0, sizeof(*drop));
}

void exec_facts_done(struct exec_facts *facts)
{
	free(facts->path);
	free(facts->host_path);
	free(facts->filesystem);
	free(facts->copy_of);
	free(facts->exec_argv0);
	free(facts->exec_argv);
	container_info_done(&facts->container);
	process_info_done(&facts->process);
	memset(facts, 0, sizeof(*facts));
}
