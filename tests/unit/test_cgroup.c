/*
 * /proc/PID/cgroup as the runtimes make it: each row is a whole file, or the path of one line.
 */
#include "base/cleanup.h"
#include "core/cgroup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID    "4028caf3a0e89d6a986cd143e894a65791e11047cc3bfce8b08ffb71113ae1ec"
#define OTHER "ab64feb561a770fa44dc81a970bf3fe20c9ef05e2122b3890be6a8ebfaa8f7e2"
#define UID   "2f1c7f5e-4d5b-4c8e-9b1a-0a1b2c3d4e5f"
#define UID_  "2f1c7f5e_4d5b_4c8e_9b1a_0a1b2c3d4e5f"

struct row {
	const char *path; /* of the unified hierarchy */
	enum cgroup_runtime runtime;
	const char *pod_uid;
};

static const struct row containers[] = {
        {"/system.slice/docker-" ID ".scope", CGROUP_RUNTIME_DOCKER, ""},
        {"/system.slice/docker-" ID ".scope/init.scope", CGROUP_RUNTIME_DOCKER, ""},
        {"/docker/" ID, CGROUP_RUNTIME_DOCKER, ""},
        {"/docker/" ID "/system.slice/cron.service", CGROUP_RUNTIME_DOCKER, ""},
        {"/docker/" ID "/", CGROUP_RUNTIME_DOCKER, ""},
        {"/docker/" ID " (deleted)", CGROUP_RUNTIME_DOCKER, ""},
        {"/../../docker/" ID, CGROUP_RUNTIME_DOCKER, ""},
        {"/docker/" OTHER "/docker/" ID, CGROUP_RUNTIME_DOCKER, ""},
        {"/actions_job/" ID, CGROUP_RUNTIME_UNKNOWN, ""},
        {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
         ".slice/cri-containerd-" ID ".scope",
                CGROUP_RUNTIME_CONTAINERD, UID},
        {"/kubepods.slice/kubepods-pod" UID_ ".slice/cri-containerd-" ID ".scope",
                CGROUP_RUNTIME_CONTAINERD, UID},
        {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/crio-" ID
         ".scope",
                CGROUP_RUNTIME_CRIO, UID},
        {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_
         ".slice/docker-" ID ".scope",
                CGROUP_RUNTIME_DOCKER, UID},
        {"/kubepods/besteffort/pod" UID "/" ID, CGROUP_RUNTIME_CONTAINERD, UID},
        {"/kubepods/besteffort/pod" UID "/crio-" ID, CGROUP_RUNTIME_CRIO, UID},
        {"/kubepods/pod" UID "/" ID "/init.scope", CGROUP_RUNTIME_CONTAINERD, UID},
        {"/system.slice/containerd.service/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" ID,
                CGROUP_RUNTIME_CONTAINERD, UID},
        {"/system.slice:kubepods:cri-containerd:" ID, CGROUP_RUNTIME_CONTAINERD, ""},
        {"/machine.slice/libpod-" ID ".scope/container", CGROUP_RUNTIME_PODMAN, ""},
        {"/machine.slice/libpod-" ID ".scope", CGROUP_RUNTIME_PODMAN, ""},
        {"/machine.slice/libpod-" ID ".scope/libpod-payload-" ID, CGROUP_RUNTIME_PODMAN, ""},
        {"/libpod_parent/libpod-" ID, CGROUP_RUNTIME_PODMAN, ""},
        {"/libpod_parent/" ID, CGROUP_RUNTIME_PODMAN, ""},
        {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope",
                CGROUP_RUNTIME_PODMAN, ""},
        {"/system.slice/nerdctl-" ID ".scope", CGROUP_RUNTIME_NERDCTL, ""},
};

/* A monitor in the container's own slice names nothing itself, its parents may. */
static const char *const hosts[] = {
        "/",
        "/init.scope",
        "/system.slice/ssh.service",
        "/user.slice/user-1000.slice/session-3.scope",
        "/machine.slice/libpod-conmon-" ID ".scope",
        "/system.slice/crio-conmon-" ID ".scope",
        "/docker/4028caf3a0e8",
        "/docker/" ID "0",
        "/docker/4028CAF3A0E89D6A986CD143E894A65791E11047CC3BFCE8B08FFB71113AE1EC",
        "/docker/g028caf3a0e89d6a986cd143e894a65791e11047cc3bfce8b08ffb71113ae1ec",
        "/system.slice/xdocker-" ID ".scope",
        "/system.slice/docker-" ID ".scopes",
        ("/kubepods/besteffort/pod" UID),
        "/service/a18190bf38423223dbee00245bb91c09",
        "////",
};

static enum cgroup_result parse(const char *text, struct cgroup_container *ret)
{
	return cgroup_parse(text, strlen(text), ret);
}

static void test_containers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]); i++) {
		struct cgroup_container c = {0};
		char text[512];

		snprintf(text, sizeof(text), "0::%s\n", containers[i].path);
		if (parse(text, &c) != CGROUP_CONTAINER)
			fail_msg("no container: %s", text);
		assert_string_equal(c.id, ID);
		if (c.runtime != containers[i].runtime)
			fail_msg("%s: %s", text, cgroup_runtime_name(c.runtime));
		assert_string_equal(c.pod_uid, containers[i].pod_uid);
	}
}

static void test_hosts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct cgroup_container c;
		char text[512];

		snprintf(text, sizeof(text), "0::%s\n", hosts[i]);
		memset(&c, 0x55, sizeof(c));
		if (parse(text, &c) != CGROUP_HOST)
			fail_msg("no host: %s", text);
		assert_int_equal(c.id[0], 0x55); /* written on success only */
	}
}

/* cgroup v1 beside v2, as in the captures: the unified hierarchy is empty or has the id, too. */
static void test_hierarchies(void **state)
{
	static const struct {
		const char *text;
		enum cgroup_result result;
		const char *id;
	} rows[] = {
	        {"9:name=systemd:/docker/" ID "\n8:pids:/docker/" ID "\n4:memory:/docker/" ID
	         "\n0::/docker/" ID "\n",
	                CGROUP_CONTAINER, ID},
	        {"12:memory:/\n1:name=systemd:/docker/" ID "\n0::/\n", CGROUP_CONTAINER, ID},
	        {"4:memory:/docker/" ID "\n1:name=systemd:/\n0::/\n", CGROUP_CONTAINER, ID},
	        {"3:pids:/docker/" ID "\n", CGROUP_CONTAINER, ID},
	        {"11:cpu,memory,hugetlb:/docker/" ID "\n", CGROUP_CONTAINER, ID},
	        {"0::/docker/" ID, CGROUP_CONTAINER, ID}, /* no newline at the end */
	        /* the better hierarchy wins wherever its line is */
	        {"4:memory:/docker/" OTHER "\n0::/docker/" ID "\n", CGROUP_CONTAINER, ID},
	        {"0::/docker/" ID "\n4:memory:/docker/" OTHER "\n", CGROUP_CONTAINER, ID},
	        {"4:memory:/docker/" OTHER "\n1:name=systemd:/docker/" ID "\n", CGROUP_CONTAINER,
	                ID},
	        {"3:pids:/docker/" OTHER "\n4:memory:/docker/" ID "\n", CGROUP_CONTAINER, ID},
	        /* the others prove nothing, whatever their names contain */
	        {"5:devices:/docker/" ID "\n0::/\n", CGROUP_HOST, NULL},
	        {"5:name=memory:/docker/" ID "\n0::/\n", CGROUP_HOST, NULL},
	        {"5:name=systemd2:/docker/" ID "\n0::/\n", CGROUP_HOST, NULL},
	        {"5::/docker/" ID "\n", CGROUP_HOST, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cgroup_container c = {0};

		if (parse(rows[i].text, &c) != rows[i].result)
			fail_msg("%s", rows[i].text);
		if (rows[i].id)
			assert_string_equal(c.id, rows[i].id);
	}
}

static void test_garbage(void **state)
{
	static const char *const rows[] = {"", "\n\n\n", "0", "0:", "0::", "0::\n",
	        ":::", "x::/docker/" ID, "::/docker/" ID, "-1::/docker/" ID, "0::docker/" ID,
	        "\177ELF\2\1\1", "0 ::/docker/" ID};
	struct cgroup_container c;
	unsigned int seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (parse(rows[i], &c) != CGROUP_INVALID)
			fail_msg("row %zu", i);
	for (int i = 0; i < 2000; i++) {
		char noise[64];

		for (size_t j = 0; j < sizeof(noise); j++)
			noise[j] = (char)rand_r(&seed);
		assert_int_not_equal(cgroup_parse(noise, sizeof(noise), &c), CGROUP_CONTAINER);
	}
	/* a NUL is a byte like others: it ends nothing, and no id has one */
	assert_int_equal(
	        cgroup_parse("0::/a\0/docker/" ID "\n", 15 + 64 - 1, &c), CGROUP_CONTAINER);
	assert_int_equal(cgroup_parse("0::/docker/\0" ID, 12 + 64, &c), CGROUP_HOST);
}

/* A megabyte in one line, of components, of "pod"s, of colons: in time, and with the same answer.
 */
static void test_long_lines(void **state)
{
	static const char *const fillers[] = {"/a", "/pod", "pod", ":", "/", "-conmon-"};
	const size_t size = 1024 * 1024;
	struct cgroup_container c;

	(void)state;
	for (size_t i = 0; i < sizeof(fillers) / sizeof(fillers[0]); i++) {
		_cleanup_free_ char *text = malloc(size + 128);
		size_t n = strlen(fillers[i]), used = 0;

		assert_non_null(text);
		used += (size_t)sprintf(text, "0::/");
		while (used + n < size) {
			memcpy(text + used, fillers[i], n);
			used += n;
		}
		assert_int_equal(cgroup_parse(text, used, &c), CGROUP_HOST);
		used += (size_t)sprintf(text + used, "/docker/%s\n", ID);
		assert_int_equal(cgroup_parse(text, used, &c), CGROUP_CONTAINER);
		assert_string_equal(c.id, ID);
	}
}

/* Every way to cut a file off is an answer, and never another id. */
static void test_truncation(void **state)
{
	static const char text[] = "4:memory:/kubepods/besteffort/pod" UID "/" ID
	                           "\n0::/kubepods/besteffort/pod" UID "/" ID "\n";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		_cleanup_free_ char *exact =
		        malloc(n ? n : 1); /* the sanitizer sees a byte too far */
		struct cgroup_container c = {0};

		assert_non_null(exact);
		memcpy(exact, text, n);
		if (cgroup_parse(exact, n, &c) == CGROUP_CONTAINER)
			assert_string_equal(c.id, ID);
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(cgroup_runtime_name(CGROUP_RUNTIME_CRIO), "cri-o");
	assert_string_equal(cgroup_runtime_name(CGROUP_RUNTIME_PODMAN), "podman");
	assert_string_equal(cgroup_runtime_name((enum cgroup_runtime)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_containers),
	        cmocka_unit_test(test_hosts),
	        cmocka_unit_test(test_hierarchies),
	        cmocka_unit_test(test_garbage),
	        cmocka_unit_test(test_long_lines),
	        cmocka_unit_test(test_truncation),
	        cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
