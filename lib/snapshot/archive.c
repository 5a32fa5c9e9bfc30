/*
 * An image in an archive: all of it is read and staged, then looked at as a whole, and only when
 * every digest is what it should be are its layers published and merged. Until then nobody sees a
 * row of it; whatever is not used goes.
 */
#include "snapshot/sources.h"

#include "base/cleanup.h"
#include "snapshot/archive_choice.h"
#include "snapshot/archive_read.h"
#include "snapshot/image_compose.h"
#include "store/baselines_name.h"

#include <errno.h>
#include <string.h>

struct unpacking {
	const struct source_request *request;
	struct members members;
	struct archive_choice choice;
	struct image_stack stack;
};

/* What cannot be removed now is swept by the next one. */
static void unpacking_done(struct unpacking *unpacking)
{
	for (size_t i = 0; i < unpacking->members.n; i++) {
		const struct member *member = &unpacking->members.items[i];

		if (member->snapshot != 0 && !member->shared && !member->published)
			(void)store_snapshot_remove(unpacking->request->store, member->snapshot);
	}
	archive_choice_done(&unpacking->choice);
	members_done(&unpacking->members);
	image_stack_done(&unpacking->stack);
}

/*
 * Layers.
 */
static int publish(struct store *store, const char *name, struct member *member)
{
	struct snapshot_info info = {
	        .id = member->snapshot,
	        .entries = member->entries,
	        .files = member->files,
	        .executables = member->executables,
	        .bytes = member->bytes,
	        .hashed = member->hashed,
	        .hashed_bytes = member->hashed_bytes,
	        .has_digest = true,
	};
	int r = store_snapshot_rename(store, info.id, name);

	if (r == 0)
		r = snapshot_digest(store, info.id, &info.digest);
	if (r == 0)
		r = store_snapshot_publish(store, &info);
	member->published = r == 0;
	return r;
}

/* By another member, or since this one was begun. */
static int find_layer(struct unpacking *unpacking, size_t at, const char *name, int64_t *ret_id)
{
	const struct archive_choice *choice = &unpacking->choice;

	for (size_t i = 0; i < at; i++)
		if (digest_equal(&choice->layers[i]->diff, &choice->layers[at]->diff)) {
			*ret_id = unpacking->stack.ids[i];
			return 0;
		}
	if (unpacking->request->rehash)
		return STORE_E_NOTFOUND;
	return store_snapshot_layer(
	        unpacking->request->store, name, unpacking->request->all_files, ret_id);
}

/* A layer of which something was left out serves this image only. */
static int take_layer(struct unpacking *unpacking, size_t at)
{
	struct member *member = unpacking->choice.layers[at];
	struct image_stack *stack = &unpacking->stack;
	char name[DIGEST_HEX_SIZE];
	int64_t id = member->snapshot;
	int r = 0;

	digest_to_hex(&member->diff, name);
	if (!member->shared)
		r = find_layer(unpacking, at, name, &id);
	if (member->shared || r == 0) {
		stack->stats.layers_shared++;
		return image_stack_add(stack, id);
	}
	if (r != STORE_E_NOTFOUND)
		return r;
	stack->stats.layers_hashed++;
	stack->stats.too_long += member->too_long;
	stack->totals.hashed += member->hashed;
	stack->totals.hashed_bytes += member->hashed_bytes;
	r = member->too_long > 0 ? 0 : publish(unpacking->request->store, name, member);
	return r == 0 ? image_stack_add(stack, member->snapshot) : r;
}

static int take_layers(struct unpacking *unpacking)
{
	const struct source_request *request = unpacking->request;
	int r = 0;

	unpacking->stack.stats.layers = (uint32_t)unpacking->choice.n_layers;
	for (size_t i = 0; i < unpacking->choice.n_layers && r == 0; i++)
		r = request->stop && *request->stop ? -ECANCELED : take_layer(unpacking, i);
	return r;
}

/*
 * The image.
 */
static int compose(struct unpacking *unpacking, const char *name, struct snapshot_info *ret_info)
{
	const struct archive_choice *choice = &unpacking->choice;
	const struct image_identity identity = {
	        .kind = SNAPSHOT_ARCHIVE,
	        .name = choice->reference ? choice->reference : name,
	        .reference = choice->reference,
	        .id = choice->id,
	};
	_cleanup_free_ bool *published = calloc(choice->n_layers, sizeof(*published));

	if (!published)
		return -ENOMEM;
	for (size_t i = 0; i < choice->n_layers; i++)
		published[i] = choice->layers[i]->too_long == 0;
	return image_compose(&unpacking->stack, &identity, published, ret_info);
}

int snapshot_archive(const struct source_request *request, int fd, const char *name,
        struct snapshot_info *ret_info, struct source_stats *ret_stats, char **reterr_message)
{
	_cleanup_(image_fault_done) struct image_fault fault = {0};
	_cleanup_(unpacking_done) struct unpacking unpacking = {
	        .request = request, .stack = {.request = request}};
	int r = archive_read_members(request, fd, name, &unpacking.members, &fault);

	if (r == 0)
		r = archive_choose(
		        &unpacking.members, request->reference, &unpacking.choice, &fault);
	if (r == 0)
		r = take_layers(&unpacking);
	if (r == 0)
		r = compose(&unpacking, name, ret_info);
	if (r == 0)
		*ret_stats = unpacking.stack.stats;
	if (r >= SOURCE_E_NOTFOUND)
		*reterr_message = TAKE_PTR(fault.message);
	return r;
}
