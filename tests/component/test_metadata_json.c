/*
 * The parsers of the runtimes' files on texts that only somebody hostile, or something broken,
 * writes. tests/component/test_metadata.c has the real ones.
 */
#include "metadata_check.h"

#include "base/cleanup.h"

#include <stdio.h>

static enum metadata_result docker(const char *text, struct container_info *ret)
{
	return metadata_parse_docker(text, strlen(text), ret);
}

/* An image's labels say what its author likes; only the runtime's own words count. */
static void test_labels(void **state)
{
	_cleanup_(container_info_done) struct container_info a = {0}, b = {0}, c = {0}, d = {0};

	(void)state;
	assert_int_equal(docker(DOCKER_FILE(X64("1"), "plain",
	                                "\"Config\":{\"Image\":\"evil\",\"Labels\":{"
	                                "\"io.kubernetes.pod.namespace\":\"kube-system\","
	                                "\"io.kubernetes.pod.name\":\"etcd\","
	                                "\"io.kubernetes.container.name\":\"etcd\"}}"),
	                         &a),
	        METADATA_NAMED);
	assert_text("ns", a.ns, NULL);
	assert_text("pod", a.pod, NULL);
	assert_text("name", a.name, "plain");
	/* names that only begin like Kubernetes' */
	assert_int_equal(docker(DOCKER_FILE(X64("1"), "k8s_web_pod_ns", "\"Config\":{}"), &b),
	        METADATA_NAMED);
	assert_text("ns", b.ns, NULL);
	assert_text("name", b.name, "k8s_web_pod_ns");
	assert_int_equal(
	        docker(DOCKER_FILE(X64("1"), "k8s__p_n_u_0", "\"Config\":{}"), &c), METADATA_NAMED);
	assert_text("pod", c.pod, NULL);
	/* podman's bundle, which has annotations that are named after cri-o */
	assert_int_equal(
	        metadata_parse_oci(T("{\"annotations\":{\"io.container.manager\":\"libpod\","
	                             "\"io.kubernetes.cri-o.ContainerType\":\"container\"}}"),
	                97, &d),
	        METADATA_NONE);
}

/* One text that cannot be used costs only itself. */
static void test_texts(void **state)
{
	_cleanup_(container_info_done) struct container_info nul = {0}, slash = {0}, number = {0},
	                                                     longest = {0}, longer = {0};
	_cleanup_free_ char *a = malloc(METADATA_TEXT_MAX + 256), *name = NULL;

	(void)state;
	assert_non_null(a);
	assert_int_equal(
	        docker(DOCKER_FILE(X64("1"), "a\\u0000b", "\"Config\":{\"Image\":\"web\"}"), &nul),
	        METADATA_NAMED);
	assert_text("name", nul.name, NULL);
	assert_text("image", nul.image, "web");
	assert_int_equal(
	        docker(DOCKER_FILE(X64("1"), "", "\"Config\":{}"), &slash), METADATA_NAMED);
	assert_text("name", slash.name, NULL);
	/* numbers that no integer of C holds, and one whose exponent none would */
	assert_int_equal(docker(DOCKER_FILE(X64("1"), "n",
	                                "\"x\":18446744073709551615,\"Config\":{\"Image\":5}"),
	                         &number),
	        METADATA_NAMED);
	assert_text("image", number.image, NULL);

	for (size_t n = METADATA_TEXT_MAX; n <= METADATA_TEXT_MAX + 1; n++) {
		free(name);
		name = calloc(1, n + 1);
		assert_non_null(name);
		memset(name, 'x', n);
		sprintf(a, "{\"ID\":\"%s\",\"Name\":\"%s\"}", X64("1"), name);
		assert_int_equal(
		        docker(a, n == METADATA_TEXT_MAX ? &longest : &longer), METADATA_NAMED);
	}
	assert_int_equal(strlen(longest.name), METADATA_TEXT_MAX);
	assert_null(longer.name);
}

static void test_ids(void **state)
{
	static const char *const ids[] = {"", "1", X64("1") "1", X64("A"), X64("g"),
	        X16("1") X16("1") X16("1") "111111111111111/", X64("\\u0031") "x"};

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		_cleanup_free_ char *text = NULL;
		struct container_info info = {0};

		assert_true(asprintf(&text, "{\"ID\":\"%s\"}", ids[i]) > 0);
		assert_int_equal(docker(text, &info), METADATA_BROKEN);
		assert_info(&info, &(struct container_info){0}); /* untouched */
		assert_false(metadata_is_id(ids[i]));
	}
	assert_true(metadata_is_id(X64("f")));
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} times[] = {
	        {"2026-11-24T11:34:57Z", INT64_C(1795520097000000000)},
	        {"2026-11-24T11:34:57.5Z", INT64_C(1795520097500000000)},
	        {"2026-11-24T11:34:57.123456789Z", INT64_C(1795520097123456789)},
	        {"2026-11-24T19:34:57+08:00", INT64_C(1795520097000000000)},
	        {"2026-11-24T06:04:57.25-05:30", INT64_C(1795520097250000000)},
	        {"1970-01-01T00:00:01Z", 1000000000},
	        {"2261-12-31T23:59:59.999999999Z", INT64_C(9214646399999999999)},
	        {"1970-01-01T00:00:01+01:00", 0},
	        {"2262-01-01T00:00:00Z", 0}, /* past what 64 bits hold */
	        {"9999-12-31T23:59:59Z", 0},
	        {"0001-01-01T00:00:00Z", 0}, /* Go's zero time */
	        {"2026-11-24T11:34:57", 0},
	        {"2026-11-24T11:34:57.1234567890Z", 0},
	        {"2026-11-24T11:34:57+0800", 0},
	        {"2026-11-24T11:34:57+08:0", 0},
	        {"2026-11-24T11:34:57+08:00x", 0},
	        {"2026-11-24T11:34:57Zx", 0},
	        {"2026-13-24T11:34:57Z", 0},
	        {"yesterday", 0},
	        {"", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		_cleanup_(container_info_done) struct container_info info = {0};
		_cleanup_free_ char *text = NULL;

		assert_true(asprintf(&text, "{\"ID\":\"%s\",\"Created\":\"%s\"}", X64("1"),
		                    times[i].text) > 0);
		assert_int_equal(docker(text, &info), METADATA_NAMED);
		if (info.start_ns != times[i].ns)
			fail_msg("%s: %lld", times[i].text, (long long)info.start_ns);
	}
}

/* The image's name when the container's record has only its id. */
static void test_image_names(void **state)
{
	static const char images[] = "[5,{},{\"id\":\"" X64("2") "\",\"names\":[]},{\"id\":\"" X64(
	        "1") "\",\"names\":[\"localhost/web:1\",\"localhost/web:2\"]}]";
	static const char repositories[] = "{\"Repositories\":{\"z\":{\"z:1\":\"sha256:" X64("1") "\"},\"web\":5,\"\":{\"\":\"sha256:" X64(
	        "1") "\"},\"a\":{"
	             "\"a@sha256:" X64("3") "\":\"sha256:" X64("1") "\",\"a:2\":\"sha256:" X64(
	                     "1") "\",\"a:1\":\"sha256:" X64("2") "\"}}}";
	_cleanup_free_ char *podman = metadata_podman_image(images, strlen(images), X64("1"));
	_cleanup_free_ char *docker_name =
	        metadata_docker_image(repositories, strlen(repositories), X64("1"));

	(void)state;
	assert_text("podman", podman, "localhost/web:1");
	assert_text("docker", docker_name, "a:2");
	assert_null(metadata_podman_image(images, strlen(images), X64("2")));
	assert_null(metadata_podman_image(images, strlen(images), X64("9")));
	assert_null(metadata_podman_image("{}", 2, X64("1")));
	assert_null(metadata_docker_image(repositories, strlen(repositories), X64("9")));
	assert_null(metadata_docker_image("{\"Repositories\":[]}", 19, X64("1")));
	assert_null(metadata_docker_image("", 0, X64("1")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_labels),
	        cmocka_unit_test(test_texts),
	        cmocka_unit_test(test_ids),
	        cmocka_unit_test(test_times),
	        cmocka_unit_test(test_image_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
