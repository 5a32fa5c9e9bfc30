/*
 * The text of /proc/PID/cgroup. An id that comes out is 64 digits of the text, a pod's uid is whole
 * or empty, and what is no container leaves the answer alone.
 */
#include "core/cgroup.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cgroup_container c, untouched;
	enum cgroup_result result;

	memset(&c, 0x55, sizeof(c));
	untouched = c;
	result = cgroup_parse((const char *)data, size, &c);
	if (result != CGROUP_CONTAINER) {
		require(result == CGROUP_HOST || result == CGROUP_INVALID);
		require(!memcmp(&c, &untouched, sizeof(c)));
		return 0;
	}
	require(strspn(c.id, "0123456789abcdef") == CONTAINER_ID_LEN && !c.id[CONTAINER_ID_LEN]);
	require(memmem(data, size, c.id, CONTAINER_ID_LEN) != NULL);
	require(!c.pod_uid[0] || strspn(c.pod_uid, "0123456789abcdef-") == POD_UID_LEN);
	require(strlen(cgroup_runtime_name(c.runtime)) > 0);
	return 0;
}
