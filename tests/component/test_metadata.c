/*
 * Names out of the runtimes' files: the laid-out trees of tests/golden/metadata, then trees and
 * paths of somebody who would like to have another container's name.
 */
#include "metadata_check.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define GOLDEN TEST_SOURCE_DIR "/tests/golden/metadata"
#define TASKS  "/io.containerd.runtime.v2.task/"

#define DOCKER_ID    "ab64feb561a770fa44dc81a970bf3fe20c9ef05e2122b3890be6a8ebfaa8f7e2"
#define DOCKER_LAYER "76347e831235385762be60bd76f6fe209cbae4cde32f4dda66c67b75829eb1ed"
#define DOCKER_IMAGE "b1e2c1d61a6d1f35edd0417a6b6a8965fdcb4d764ce32634e49d4f1c7977bdeb"
#define PODMAN_ID    "4028caf3a0e89d6a986cd143e894a65791e11047cc3bfce8b08ffb71113ae1ec"
#define PODMAN_LAYER "773ecfb0123ea9d2d039db493b06fa75e902bd94646774eb0943692afd704a95"
#define PODMAN_IMAGE "05a49d8016dd723dcc897664f10e2abe203b5482d4c14559ad7289ebd0db6ddf"

/* The golden trees as a host's directories, or those of a temporary one. */
struct fixture {
	struct config config;
	char *run_dirs[2];
	char *dir; /* of the test's own */
};

static char *path_of(const char *dir, const char *rest)
{
	char *path = NULL;

	assert_true(asprintf(&path, "%s%s", dir, rest) >= 0);
	return path;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char template[] = "/tmp/execward-metadata-XXXXXX";

	assert_non_null(f);
	assert_non_null(mkdtemp(template));
	f->dir = realpath(template, NULL);
	f->run_dirs[0] = path_of(GOLDEN, "/containerd");
	f->run_dirs[1] = path_of(GOLDEN, "/k3s");
	f->config = (struct config){
	        .docker_dir = path_of(GOLDEN, "/docker"),
	        .podman_dir = path_of(GOLDEN, "/podman/storage"),
	        .podman_run_dir = path_of(GOLDEN, "/podman/run"),
	        .containerd_run_dirs = f->run_dirs,
	        .n_containerd_run_dirs = 2,
	};
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f->dir);
	free(f->run_dirs[0]);
	free(f->run_dirs[1]);
	free(f->config.docker_dir);
	free(f->config.podman_dir);
	free(f->config.podman_run_dir);
	free(f);
	return 0;
}

static void point(char **dir, const char *root, const char *rest)
{
	free(*dir);
	*dir = path_of(root, rest);
}

/* A file below the test's directory, with the directories above it. */
static void put(const struct fixture *f, const char *name, const char *text)
{
	_cleanup_free_ char *path = path_of(f->dir, name);
	_cleanup_fclose_ FILE *file = NULL;

	for (char *p = strchr(path + strlen(f->dir) + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
		*p = '/';
	}
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

static enum metadata_result lookup(const struct fixture *f, const char *upper,
        const char *mountpoint, const char *cgroup_id, struct container_info *ret)
{
	struct cgroup_container claimed = {.runtime = CGROUP_RUNTIME_DOCKER};
	struct metadata_query query = {
	        .upper = upper,
	        .mountpoints = &mountpoint,
	        .n_mountpoints = mountpoint ? 1 : 0,
	        .cgroup = cgroup_id ? &claimed : NULL,
	};

	if (cgroup_id)
		snprintf(claimed.id, sizeof(claimed.id), "%s", cgroup_id);
	return metadata_lookup(&f->config, &query, ret);
}

struct row {
	const char *upper, *mountpoint; /* below GOLDEN */
	struct container_info wanted;
};

static const struct row rows[] = {
        {.upper = "/docker/overlay2/" DOCKER_LAYER "/diff",
                .wanted = {.runtime = T("docker"),
                        .id = T(DOCKER_ID),
                        .name = T("peaceful_mestorf"),
                        .image = T("images.example.org:5000/shop/web:1.4"),
                        .image_id = T(DOCKER_IMAGE),
                        .start_ns = INT64_C(1795520128689288372)}},
        /* created by the image's id, never started: a name from repositories.json, a creation time
         */
        {.upper = "/docker/overlay2/"
                  "e5095a9d76253da8c2ea5719d3292257bff5f3c23a69d00849f7ecca45619ef5/diff",
                .wanted = {.runtime = T("docker"),
                        .id = T("e516ef2fd9e23887a0bee60adc87d8ad18e94472b45067397bc71d41b6fe988e"),
                        .name = T("by_id"),
                        .image = T("images.example.org:5000/shop/web:1.4"),
                        .image_id = T(DOCKER_IMAGE),
                        .start_ns = INT64_C(1795520466055638847)}},
        {.upper = "/docker/overlay2/"
                  "0a85d3169be7987644e96da64fb12a72d9f66c0e9cf9fe00312727c124dd5889/diff",
                .wanted = {.runtime = T("docker"),
                        .id = T("9f1c0ea61296b4121b7cd6f695cf94db5987fbefd9bb4614abd19fe08fe0d46e"),
                        .name = T("web"),
                        .image = T("images.example.org:5000/shop/web:1.4"),
                        .image_id = T(DOCKER_IMAGE),
                        .ns = T("prod"),
                        .pod = T("shop-7d9f"),
                        .start_ns = INT64_C(1795520466227356305)}},
        {.upper = "/podman/storage/overlay/" PODMAN_LAYER "/diff",
                .wanted = {.runtime = T("podman"),
                        .id = T(PODMAN_ID),
                        .name = T("peaceful_mestorf"),
                        .image = T("localhost/web:1.4"),
                        .image_id = T(PODMAN_IMAGE),
                        .start_ns = INT64_C(1795520097849346450)}},
        {.upper = "/podman/storage/overlay/"
                  "cfc21e46053495d15ab93a7b09efe8269a8504b1af291e139a8c785b9d8b4cca/diff",
                .wanted = {.runtime = T("podman"),
                        .id = T("931436f6163532b0e081252d5c93a1adc0147231391f6a177e3b6bfa605b427c"),
                        .name = T("quirky_volatile"),
                        .image = T("localhost/web:1.4"),
                        .image_id = T(PODMAN_IMAGE),
                        .start_ns = INT64_C(1795520097917180898)}},
        {.mountpoint = "/containerd" TASKS "k8s.io/" X64("4") "/rootfs",
                .wanted = {.runtime = T("containerd"),
                        .id = T(X64("4")),
                        .name = T("web"),
                        .image = T("docker.io/library/nginx:1.25"),
                        .ns = T("prod"),
                        .pod = T("shop-7d9f")}},
        /* a pod's own container */
        {.mountpoint = "/containerd" TASKS "k8s.io/" X64("5") "/rootfs",
                .wanted = {.runtime = T("containerd"),
                        .id = T(X64("5")),
                        .ns = T("prod"),
                        .pod = T("shop-7d9f")}},
        {.mountpoint = "/containerd" TASKS "default/" X64("6") "/rootfs",
                .wanted = {.runtime = T("nerdctl"), .id = T(X64("6")), .name = T("web-1")}},
        {.mountpoint = "/containerd" TASKS "default/" X64("7") "/rootfs",
                .wanted = {.runtime = T("containerd"), .id = T(X64("7"))}},
        {.mountpoint = "/k3s" TASKS "k8s.io/" X64("8") "/rootfs",
                .wanted = {.runtime = T("containerd"),
                        .id = T(X64("8")),
                        .name = T("coredns"),
                        .image = T("docker.io/rancher/mirrored-coredns-coredns:1.10.1"),
                        .ns = T("kube-system"),
                        .pod = T("coredns-77ccd57875-4xqzj")}},
};

static void test_runtimes(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_free_ char *upper = rows[i].upper ? path_of(GOLDEN, rows[i].upper) : NULL;
		_cleanup_free_ char *mountpoint =
		        rows[i].mountpoint ? path_of(GOLDEN, rows[i].mountpoint) : NULL;
		_cleanup_(container_info_done) struct container_info info = {0};

		if (lookup(f, upper, mountpoint, NULL, &info) != METADATA_NAMED)
			fail_msg("no name: %s", upper ?: mountpoint);
		assert_info(&info, &rows[i].wanted);
	}
}

static const struct container_info crio_web = {.runtime = T("cri-o"),
        .id = T(X64("c")),
        .name = T("web"),
        .image = T("images.example.org/shop/web:1.4"),
        .image_id = T(X64("b")),
        .ns = T("prod"),
        .pod = T("shop-7d9f")};

static void test_crio(void **state)
{
	struct fixture *f = *state;
	_cleanup_(container_info_done) struct container_info web = {0}, pause = {0}, bare = {0};
	_cleanup_free_ char *upper = path_of(GOLDEN, "/crio/storage/overlay/" X64("a") "/diff");
	_cleanup_free_ char *pause_upper =
	        path_of(GOLDEN, "/crio/storage/overlay/" X64("f") "/diff");
	struct container_info wanted = crio_web;

	point(&f->config.podman_dir, GOLDEN, "/crio/storage");
	point(&f->config.podman_run_dir, GOLDEN, "/crio/run");
	assert_int_equal(lookup(f, upper, NULL, NULL, &web), METADATA_NAMED);
	wanted.start_ns =
	        INT64_C(1795520098500000000); /* the bundle's, with an offset of 8 hours */
	assert_info(&web, &wanted);
	assert_int_equal(lookup(f, pause_upper, NULL, NULL, &pause), METADATA_NAMED);
	assert_text("name", pause.name, "POD");
	assert_text("pod", pause.pod, "shop-7d9f");
	assert_text("ns", pause.ns, "prod");

	/* without the bundle, the storage tells as much */
	point(&f->config.podman_run_dir, f->dir, "/none");
	assert_int_equal(lookup(f, upper, NULL, NULL, &bare), METADATA_NAMED);
	wanted.start_ns = INT64_C(1795520097849346450);
	assert_info(&bare, &wanted);
}

/* The cgroup may be right, wrong or forged: the overlay's own container comes out. */
static void test_cgroup_is_a_hint(void **state)
{
	static const char *const claims[] = {DOCKER_ID,
	        "e516ef2fd9e23887a0bee60adc87d8ad18e94472b45067397bc71d41b6fe988e", X64("0"),
	        "../../../../etc", ""};
	struct fixture *f = *state;
	_cleanup_free_ char *upper = path_of(GOLDEN, "/docker/overlay2/" DOCKER_LAYER "/diff");

	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		_cleanup_(container_info_done) struct container_info info = {0};

		assert_int_equal(lookup(f, upper, NULL, claims[i], &info), METADATA_NAMED);
		assert_string_equal(info.id, DOCKER_ID);
	}
}

/*
 * Overlays that somebody else made and that look like a runtime's: a Docker inside of a container,
 * a rootless user's storage, a directory with the right name. They have what their cgroup claims.
 */
static void test_lookalikes(void **state)
{
	static const char *const uppers[] = {
	        "/docker/volumes/v/_data/overlay2/" DOCKER_LAYER "/diff",
	        "/docker/overlay2/other/diff/overlay2/" DOCKER_LAYER "/diff",
	        "/docker/overlay2/" DOCKER_LAYER "/diff/diff",
	        "/docker/overlay2/" DOCKER_LAYER "/work",
	        "/docker/overlay2/" DOCKER_LAYER "/diff/",
	        "/docker/overlay2//diff",
	        "/docker/overlay2/../diff",
	        "/docker2/overlay2/" DOCKER_LAYER "/diff",
	        "/docker",
	        "/podman/storage/overlay/l/" PODMAN_LAYER "/diff",
	        "/podman/storage2/overlay/" PODMAN_LAYER "/diff",
	        "/podman/storage/overlay/x/storage/overlay/" PODMAN_LAYER "/diff",
	        "/podman/storage/overlay/" X64("9") "/diff",
	        "/home/u/.local/share/containers/storage/overlay/" PODMAN_LAYER "/diff",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(uppers) / sizeof(uppers[0]); i++) {
		_cleanup_free_ char *upper = path_of(GOLDEN, uppers[i]);
		_cleanup_(container_info_done) struct container_info info = {0}, claimed = {0};

		if (lookup(f, upper, NULL, NULL, &info) != METADATA_NONE)
			fail_msg("%s has a name", uppers[i]);
		assert_info(&info, &(struct container_info){0});
		assert_int_equal(lookup(f, upper, NULL, X64("1"), &claimed), METADATA_PARTIAL);
		assert_info(&claimed,
		        &(struct container_info){.runtime = T("docker"), .id = T(X64("1"))});
	}
}

static void test_lookalike_mountpoints(void **state)
{
	static const char *const mountpoints[] = {
	        "/containerd" TASKS "k8s.io/" X64("4"),
	        "/containerd" TASKS "k8s.io/" X64("4") "/rootfs/rootfs",
	        "/containerd" TASKS "k8s.io/x/" X64("4") "/rootfs",
	        "/containerd" TASKS X64("4") "/rootfs",
	        "/containerd" TASKS "k8s.io/444444/rootfs",
	        "/containerd" TASKS "k8s.io/../rootfs",
	        "/containerd" TASKS,
	        "/containerd/io.containerd.runtime.v2.task",
	        "/containerd",
	        "/containerd/io.containerd.runtime.v2.tasks/k8s.io/" X64("4") "/rootfs",
	        "/elsewhere/containerd" TASKS "k8s.io/" X64("4") "/rootfs",
	        "/docker/rootfs/" DOCKER_ID,
	        "/docker/rootfs/overlayfs/x/" DOCKER_ID,
	        "/docker/overlay2/rootfs/overlayfs/" DOCKER_ID,
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(mountpoints) / sizeof(mountpoints[0]); i++) {
		_cleanup_free_ char *mountpoint = path_of(GOLDEN, mountpoints[i]);
		_cleanup_(container_info_done) struct container_info info = {0};

		if (lookup(f, NULL, mountpoint, NULL, &info) != METADATA_NONE)
			fail_msg("%s has a name", mountpoints[i]);
	}
}

/* A mount point of a foreign mount namespace: at that path of ours is something else, or nothing.
 */
static void test_foreign_mountpoint(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *bundle = path_of("/run/c" TASKS "k8s.io/", X64("4"));
	_cleanup_free_ char *config = path_of(bundle, "/config.json");
	_cleanup_free_ char *inside = path_of(bundle, "/rootfs/x");
	_cleanup_free_ char *rootfs = path_of(f->dir, "/run/c" TASKS "k8s.io/" X64("4") "/rootfs");
	const char *mountpoint = rootfs;
	struct metadata_query query = {.mountpoints = &mountpoint, .n_mountpoints = 1};
	_cleanup_(container_info_done) struct container_info own = {0}, other = {0}, gone = {0};
	struct stat st;

	point(&f->run_dirs[0], f->dir, "/run/c");
	put(f, config, "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"victim\"}}");
	query.dev = 1;
	assert_int_equal(metadata_lookup(&f->config, &query, &gone), METADATA_NONE);
	put(f, inside, "");
	assert_int_equal(stat(rootfs, &st), 0);
	query.dev = st.st_dev;
	assert_int_equal(metadata_lookup(&f->config, &query, &own), METADATA_NAMED);
	assert_text("name", own.name, "victim");
	query.dev = st.st_dev + 1;
	assert_int_equal(metadata_lookup(&f->config, &query, &other), METADATA_NONE);
}

/* userns-remap, the directory of which is a link, and containerd's image store. */
static void test_docker_layouts(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *remapped = path_of(f->dir, "/d/1000.1000/overlay2/" X64("a") "/diff");
	_cleanup_free_ char *stored = path_of(f->dir, "/d/rootfs/overlayfs/" X64("2"));
	_cleanup_free_ char *link = path_of(f->dir, "/link"), *target = path_of(f->dir, "/d");
	_cleanup_(container_info_done) struct container_info one = {0}, two = {0};

	put(f, "/d/1000.1000/image/overlay2/layerdb/mounts/" X64("1") "/mount-id", X64("a"));
	put(f, "/d/1000.1000/containers/" X64("1") "/config.v2.json",
	        DOCKER_FILE(X64("1"), "remapped", "\"Config\":{\"Image\":\"web:1\"}"));
	put(f, "/d/containers/" X64("2") "/config.v2.json",
	        DOCKER_FILE(X64("2"), "stored", "\"Config\":{\"Image\":\"web:2\"}"));
	assert_int_equal(symlink(target, link), 0);
	point(&f->config.docker_dir, f->dir, "/link");
	assert_int_equal(lookup(f, remapped, NULL, NULL, &one), METADATA_NAMED);
	assert_text("name", one.name, "remapped");
	assert_text("image", one.image, "web:1");
	assert_int_equal(lookup(f, NULL, stored, NULL, &two), METADATA_NAMED);
	assert_text("name", two.name, "stored");
}

/* The id is known, the rest is not: the container is said to be that one, and broken. */
static void test_broken_docker(void **state)
{
	static const char *const texts[] = {
	        NULL, /* no such file */
	        "",
	        "{",
	        "[]",
	        "null",
	        "{}",
	        "{\"ID\":5}",
	        DOCKER_FILE(X64("3"), "another", "\"Config\":{}"),
	        DOCKER_FILE(X64("1"), "twice", "\"Name\":\"/again\""),
	        DOCKER_FILE(X64("1"), "trailing", "\"Config\":{}") " x",
	        "{\"ID\":\"" X64("1") "\",\"Name\":\"/\303\"}",
	        "{\"ID\":\"" X64("1") "\",\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}",
	};
	struct fixture *f = *state;
	_cleanup_free_ char *upper = path_of(f->dir, "/d/overlay2/" X64("a") "/diff");

	point(&f->config.docker_dir, f->dir, "/d");
	put(f, "/d/image/overlay2/layerdb/mounts/" X64("1") "/mount-id", X64("a") "\n");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		_cleanup_(container_info_done) struct container_info info = {0};

		if (texts[i])
			put(f, "/d/containers/" X64("1") "/config.v2.json", texts[i]);
		if (lookup(f, upper, NULL, X64("7"), &info) != METADATA_BROKEN)
			fail_msg("text %zu", i);
		assert_info(
		        &info, &(struct container_info){.runtime = T("docker"), .id = T(X64("1"))});
	}
}

static void test_broken_podman(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *upper = path_of(f->dir, "/s/overlay/" X64("a") "/diff");
	_cleanup_(container_info_done) struct container_info none = {0}, bad = {0}, good = {0};
	static const char list[] = "[{\"id\":\"" X64("1") "\",\"layer\":\"" X64("a") "\"}]";

	point(&f->config.podman_dir, f->dir, "/s");
	point(&f->config.podman_run_dir, f->dir, "/r");
	put(f, "/s/overlay-containers/containers.json", "[]");
	assert_int_equal(lookup(f, upper, NULL, NULL, &none), METADATA_NONE);
	put(f, "/s/overlay-containers/containers.json", "[{\"id\":");
	assert_int_equal(lookup(f, upper, NULL, X64("7"), &bad), METADATA_BROKEN);
	assert_text("id", bad.id, X64("7"));                            /* filled as far as known */
	put(f, "/r/overlay-containers/volatile-containers.json", list); /* a transient store */
	assert_int_equal(lookup(f, upper, NULL, NULL, &good), METADATA_NAMED);
	assert_text("id", good.id, X64("1"));
	assert_text("runtime", good.runtime, "podman");
}

/* No file, no directory, a link, a FIFO, a directory, a file past the bound: never a hang. */
static void test_odd_files(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *upper = path_of(f->dir, "/d/overlay2/" X64("a") "/diff");
	_cleanup_free_ char *path = path_of(f->dir, "/d/containers/" X64("1") "/config.v2.json");
	_cleanup_free_ char *real = path_of(f->dir, "/real");

	point(&f->config.docker_dir, f->dir, "/d");
	for (int i = 0; i < 6; i++) {
		_cleanup_(container_info_done) struct container_info info = {0};

		(void)remove(path);
		if (i == 1)
			put(f, "/d/image/overlay2/layerdb/mounts/" X64("1") "/mount-id", X64("a"));
		if (i >= 1)
			put(f, "/d/containers/" X64("1") "/config.v2.json",
			        DOCKER_FILE(X64("1"), "n", "\"Config\":{}"));
		if (i == 2)
			assert_int_equal(rename(path, real) | symlink(real, path), 0);
		if (i == 3)
			assert_int_equal(remove(path) | mkfifo(path, 0600), 0);
		if (i == 4)
			assert_int_equal(remove(path) | mkdir(path, 0700), 0);
		if (i == 5)
			assert_int_equal(truncate(path, METADATA_FILE_MAX + 1), 0);
		assert_int_equal(lookup(f, upper, NULL, NULL, &info), i == 0  ? METADATA_NONE
		                                                      : i > 1 ? METADATA_BROKEN
		                                                              : METADATA_NAMED);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_runtimes),
	        TEST(test_crio),
	        TEST(test_cgroup_is_a_hint),
	        TEST(test_lookalikes),
	        TEST(test_lookalike_mountpoints),
	        TEST(test_foreign_mountpoint),
	        TEST(test_docker_layouts),
	        TEST(test_broken_docker),
	        TEST(test_broken_podman),
	        TEST(test_odd_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
