/* The image's snapshot stands or falls as one; layers that are published before it are complete by
 * themselves, and are there for the next image when this one fails. */
#include "snapshot/image_compose.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "snapshot/merge.h"

#include <errno.h>
#include <stdlib.h>

void image_stack_done(struct image_stack *stack)
{
	free(stack->ids);
	stack->ids = NULL;
	stack->n = 0;
}

int image_stack_add(struct image_stack *stack, int64_t id)
{
	int64_t *ids;

	if (stack->n == MERGE_LAYERS_MAX)
		return -E2BIG;
	ids = reallocarray(stack->ids, stack->n + 1, sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	stack->ids = ids;
	ids[stack->n++] = id;
	return 0;
}

/* Borrowed texts in a struct that owns its own: it is never given to snapshot_info_done(). */
static char *borrow(const char *text)
{
	return (char *)(uintptr_t)text;
}

struct snapshot_info image_layer_info(const struct source_request *request, const char *name)
{
	return (struct snapshot_info){
	        .kind = SNAPSHOT_LAYER,
	        .name = borrow(name),
	        .scope = SCOPE_NONE,
	        .all_files = request->all_files,
	        .created_ns = clock_realtime_ns(),
	        .by_uid = request->by_uid,
	};
}

/* The id beside another image's reference would say that it vouches for this one. */
static struct snapshot_info info_of(
        const struct source_request *request, const struct image_identity *identity)
{
	const bool other = request->scope_given && request->scope == SCOPE_IMAGE;
	struct snapshot_info info = {
	        .kind = identity->kind,
	        .name = borrow(request->name ? request->name : identity->name),
	        .scope = SCOPE_IMAGE,
	        .scope_value = borrow(identity->reference ? identity->reference : identity->id),
	        .image_id = borrow(other ? request->scope_image_id : identity->id),
	        .root = borrow(request->place),
	        .all_files = request->all_files,
	        .created_ns = clock_realtime_ns(),
	        .by_uid = request->by_uid,
	};

	if (request->scope_given) {
		info.scope = request->scope;
		info.scope_value = borrow(request->scope_value);
	}
	return info;
}

static int merge(
        const struct image_stack *stack, struct build *build, struct walk_totals *ret_totals)
{
	_cleanup_free_ int64_t *layers = calloc(stack->n ? stack->n : 1, sizeof(*layers));
	struct merge_options options = {
	        .store = stack->request->store,
	        .layers = layers,
	        .n_layers = stack->n,
	        .all_files = stack->request->all_files,
	        .stop = stack->request->stop,
	        .add = build_add,
	        .userdata = build,
	};

	if (!layers)
		return -ENOMEM;
	for (size_t i = 0; i < stack->n; i++)
		layers[i] = stack->ids[stack->n - 1 - i];
	return merge_layers(&options, ret_totals);
}

int image_compose(const struct image_stack *stack, const struct image_identity *identity,
        const bool *published, struct snapshot_info *ret_info)
{
	_cleanup_(build_freep) struct build *build = NULL;
	const struct source_request *request = stack->request;
	struct snapshot_info info = info_of(request, identity);
	struct walk_totals totals = {0};
	/* Nothing is asked of the snapshot before: the layers are what is unchanged. */
	int r = build_begin(
	        &(struct build_options){.store = request->store, .info = &info, .rehash = true},
	        &build);

	if (r == 0)
		r = merge(stack, build, &totals);
	totals.hashed = stack->totals.hashed;
	totals.hashed_bytes = stack->totals.hashed_bytes;
	for (size_t i = 0; i < stack->n && r == 0; i++)
		if (!published || published[i])
			r = store_snapshot_uses(request->store, build_id(build), stack->ids[i]);
	if (r == 0 && request->stop && *request->stop)
		r = -ECANCELED;
	return r == 0 ? build_publish(build, &totals, ret_info) : r;
}
