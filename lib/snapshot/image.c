/*
 * An image of a runtime's storage: found by its reference, its layers walked that are not in the
 * store, and merged.
 *
 * A layer in which something could not be read, or was left out, serves this image only: it is
 * never published, so that the next image reads it again.
 */
#include "snapshot/sources.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "snapshot/build.h"
#include "snapshot/image_compose.h"
#include "snapshot/image_storage.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct reading {
	const struct source_request *request;
	const struct image_found *found;
	struct image_stack stack;
	struct image_fault *fault;
	int dirfd;                    /* the storage */
	struct build **unpublished;   /* by layer; NULL: published */
	struct build *build;          /* of the layer that is walked */
	bool vanished;                /* something did, while it was walked */
	size_t at;                    /* the layer of now */
	struct walk_progress before;  /* of the layers before it */
	struct walk_progress current; /* of it */
	int64_t start_ns;
};

static void reading_done(struct reading *reading)
{
	for (size_t i = 0; reading->unpublished && i < reading->found->n_layers; i++)
		build_free(reading->unpublished[i]);
	free(reading->unpublished);
	build_free(reading->build);
	image_stack_done(&reading->stack);
	if (reading->dirfd >= 0)
		close(reading->dirfd);
}

/*
 * One layer.
 */
static void on_problem(const char *path, enum walk_problem problem, int error, void *userdata)
{
	struct reading *reading = userdata;

	reading->vanished |= problem == WALK_VANISHED;
	if (reading->request->problem)
		reading->request->problem(path, problem, error, reading->request->userdata);
}

/* All layers so far as one walk. */
static void on_progress(const struct walk_progress *progress, void *userdata)
{
	struct reading *reading = userdata;
	const struct walk_progress *before = &reading->before;
	struct walk_progress sum = {
	        .entries = before->entries + progress->entries,
	        .files = before->files + progress->files,
	        .bytes = before->bytes + progress->bytes,
	        .files_total = before->files_total + progress->files_total,
	        .bytes_total = before->bytes_total + progress->bytes_total,
	        .complete = progress->complete && reading->at + 1 == reading->found->n_layers,
	        .elapsed_ns = clock_monotonic_ns() - reading->start_ns,
	};

	reading->current = *progress;
	if (reading->request->progress)
		reading->request->progress(&sum, reading->request->userdata);
}

static int on_entry(const struct entry *entry, void *userdata)
{
	const struct reading *reading = userdata;

	return build_add(entry, reading->build);
}

static int walk(struct reading *reading, int root_fd, struct walk_totals *ret_totals)
{
	const struct source_request *request = reading->request;
	struct walk_options options = {
	        .root_fd = root_fd,
	        .all_files = request->all_files,
	        .all_entries = true,
	        .layer = true,
	        .threads = request->threads,
	        .stop = request->stop,
	        .add = on_entry,
	        .problem = on_problem,
	        .progress = on_progress,
	        .userdata = reading,
	};

	reading->vanished = false;
	reading->current = (struct walk_progress){0};
	return walk_tree(&options, ret_totals);
}

static void add_up(struct reading *reading, const struct walk_totals *totals)
{
	reading->stack.totals.hashed += totals->hashed;
	reading->stack.totals.hashed_bytes += totals->hashed_bytes;
	reading->stack.stats.too_long += totals->too_long;
	reading->stack.stats.layers_hashed++;
	reading->before.entries += reading->current.entries;
	reading->before.files += reading->current.files;
	reading->before.bytes += reading->current.bytes;
	reading->before.files_total += reading->current.files_total;
	reading->before.bytes_total += reading->current.bytes_total;
}

/* Published when it is whole; else the image alone has it, until the end. */
static int keep(struct reading *reading, const struct walk_totals *totals)
{
	_cleanup_(snapshot_info_done) struct snapshot_info info = {0};
	int r = image_stack_add(&reading->stack, build_id(reading->build));

	if (r != 0)
		return r;
	if (totals->unreadable > 0 || totals->mutable_files > 0 || totals->too_long > 0 ||
	        reading->vanished) {
		reading->unpublished[reading->at] = TAKE_PTR(reading->build);
		return 0;
	}
	r = build_publish(reading->build, totals, &info);
	if (r == 0)
		build_free(TAKE_PTR(reading->build));
	return r;
}

static int read_layer(struct reading *reading, const struct image_layer *layer)
{
	struct snapshot_info info = image_layer_info(reading->request, layer->name);
	struct build_options options = {
	        .store = reading->request->store, .info = &info, .rehash = true};
	struct walk_totals totals = {0};
	_cleanup_close_ int fd = openat(
	        reading->dirfd, layer->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0)
		return errno == ENOENT ? image_fail(reading->fault, SOURCE_E_CORRUPT,
		                                 "the storage lacks %s of image %s", layer->path,
		                                 reading->found->id)
		                       : -errno;
	r = build_begin(&options, &reading->build);
	if (r == 0)
		r = walk(reading, fd, &totals);
	if (r != 0)
		return r;
	add_up(reading, &totals);
	return keep(reading, &totals);
}

/* The same layer further down: its snapshot; 0: none. */
static int64_t same_below(const struct reading *reading)
{
	const struct image_layer *layers = reading->found->layers;

	for (size_t i = 0; reading->stack.ids && i < reading->at; i++)
		if (!strcmp(layers[i].name, layers[reading->at].name))
			return reading->stack.ids[i];
	return 0;
}

static int take_layer(struct reading *reading)
{
	const struct image_layer *layer = &reading->found->layers[reading->at];
	int64_t id = same_below(reading);
	int r = id != 0 ? 0 : STORE_E_NOTFOUND;

	if (id == 0 && !reading->request->rehash)
		r = store_snapshot_layer(
		        reading->request->store, layer->name, reading->request->all_files, &id);
	if (r == STORE_E_NOTFOUND)
		return read_layer(reading, layer);
	if (r != 0)
		return r;
	reading->stack.stats.layers_shared++;
	return image_stack_add(&reading->stack, id);
}

/*
 * The image.
 */
static int compose(struct reading *reading, struct snapshot_info *ret_info)
{
	const struct image_found *found = reading->found;
	const struct image_identity identity = {
	        .kind = SNAPSHOT_IMAGE,
	        .name = found->reference ? found->reference : found->id,
	        .reference = found->reference,
	        .id = found->id,
	};
	bool published[IMAGE_LAYERS_MAX];

	for (size_t i = 0; i < found->n_layers; i++) {
		published[i] = true;
		for (size_t j = 0; j < found->n_layers; j++)
			if (reading->unpublished[j] &&
			        build_id(reading->unpublished[j]) == reading->stack.ids[i])
				published[i] = false;
	}
	return image_compose(&reading->stack, &identity, published, ret_info);
}

static int read_image(const struct source_request *request, const char *directory,
        const struct image_found *found, struct snapshot_info *ret_info,
        struct source_stats *ret_stats, struct image_fault *fault)
{
	_cleanup_(reading_done) struct reading reading = {
	        .request = request,
	        .found = found,
	        .stack = {.request = request},
	        .fault = fault,
	        .dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	        .start_ns = clock_monotonic_ns(),
	};
	int r = 0;

	if (reading.dirfd < 0)
		return -errno;
	if (found->n_layers == 0)
		return image_fail(fault, SOURCE_E_UNSUPPORTED,
		        "image %s has no layers: there is nothing in it", found->id);
	reading.unpublished = calloc(found->n_layers, sizeof(struct build *));
	if (!reading.unpublished)
		return -ENOMEM;
	reading.stack.stats.layers = (uint32_t)found->n_layers;
	for (; reading.at < found->n_layers && r == 0; reading.at++)
		r = take_layer(&reading);
	if (r == 0)
		r = compose(&reading, ret_info);
	if (r == 0)
		*ret_stats = reading.stack.stats;
	return r;
}

/* Hands on what is said about one storage. */
static int fail_as(struct image_fault *from, int outcome, struct image_fault *fault)
{
	fault->outcome = from->outcome;
	fault->message = TAKE_PTR(from->message);
	return outcome;
}

/*
 * Where it is: in one storage, or in both with the same content. What is wrong with the storage
 * that does not have it matters only when the other does not have it either.
 */
static int find(const struct source_request *request, const char *const directories[2],
        struct image_found *ret_found, const char **ret_directory, struct image_fault *fault)
{
	_cleanup_(image_found_done) struct image_found podman = {0}, docker = {0};
	_cleanup_(image_fault_done) struct image_fault podmans = {0}, dockers = {0};
	int in_podman = SOURCE_E_NOTFOUND, in_docker = SOURCE_E_NOTFOUND;

	if (directories[0])
		in_podman =
		        image_podman_find(directories[0], request->reference, &podman, &podmans);
	if (directories[1])
		in_docker =
		        image_docker_find(directories[1], request->reference, &docker, &dockers);
	if (in_podman == 0 && in_docker == 0 && strcmp(podman.id, docker.id) != 0)
		return image_fail(fault, SOURCE_E_AMBIGUOUS,
		        "%s is image %s in podman's storage and %s in Docker's: name it by its id",
		        request->reference, podman.id, docker.id);
	if (in_podman != 0 && in_docker != 0)
		return in_podman != SOURCE_E_NOTFOUND ? fail_as(&podmans, in_podman, fault)
		                                      : fail_as(&dockers, in_docker, fault);
	*ret_found = in_podman == 0 ? podman : docker;
	*ret_directory = directories[in_podman == 0 ? 0 : 1];
	memset(in_podman == 0 ? &podman : &docker, 0, sizeof(podman));
	return 0;
}

int snapshot_image(const struct source_request *request, const char *podman_dir,
        const char *docker_dir, struct snapshot_info *ret_info, struct source_stats *ret_stats,
        char **reterr_message)
{
	_cleanup_(image_fault_done) struct image_fault fault = {0};
	_cleanup_(image_found_done) struct image_found found = {0};
	const char *const directories[] = {podman_dir, docker_dir};
	const char *directory = NULL;
	int r = find(request, directories, &found, &directory, &fault);

	if (r == SOURCE_E_NOTFOUND)
		r = image_fail(&fault, r, "no image %s in %s%s%s", request->reference,
		        podman_dir ? podman_dir : "", podman_dir && docker_dir ? " or " : "",
		        docker_dir ? docker_dir : "");
	if (r == 0)
		r = directory ? read_image(request, directory, &found, ret_info, ret_stats, &fault)
		              : -EINVAL;
	if (r >= SOURCE_E_NOTFOUND)
		*reterr_message = TAKE_PTR(fault.message);
	return r;
}
