/*
 * Options texts, handles and origins. Rows marked "6.18" are what that kernel's mount table printed
 * for a real mount with such names, and what it had opened for them.
 */
#include "base/cleanup.h"
#include "base/hex.h"
#include "core/overlay.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LOWERS_SHOWN 6

struct row {
	const char *text;
	const char *lowers[LOWERS_SHOWN];
	const char *upper, *work;
	bool userxattr, metacopy, redirect_dir;
};

/* Of the mount table. */
static const struct row tables[] = {
        {.text = "rw,lowerdir=/d/overlay2/l/3UI5GNKDCYJXM6A7HPRRZTKVEM:/d/overlay2/l/HZSR,"
                 "upperdir=/d/overlay2/76347e/diff,workdir=/d/overlay2/76347e/work",
                .lowers = {"/d/overlay2/l/3UI5GNKDCYJXM6A7HPRRZTKVEM", "/d/overlay2/l/HZSR"},
                .upper = "/d/overlay2/76347e/diff",
                .work = "/d/overlay2/76347e/work"},
        {.text = "rw,lowerdir=l/ABC:l/DEF,upperdir=x/diff,workdir=x/work,uuid=on",
                .lowers = {"l/ABC", "l/DEF"},
                .upper = "x/diff",
                .work = "x/work"},
        {.text = "ro,lowerdir=/a", .lowers = {"/a"}}, /* a read-only overlay has no upper */
        /* 6.18: a colon, a comma, a space, a newline, a backslash in a layer's name */
        {.text = "rw,lowerdir=a\\134:b:lo,upperdir=up,workdir=wk,uuid=on",
                .lowers = {"a:b", "lo"},
                .upper = "up",
                .work = "wk"},
        {.text = "rw,lowerdir=c\\134\\054d:lo", .lowers = {"c,d", "lo"}},
        {.text = "rw,lowerdir=e\\040f:lo", .lowers = {"e f", "lo"}},
        {.text = "ro,lowerdir=c\\054d:n\\012l:x=y,redirect_dir=on",
                .lowers = {"c,d", "n\nl", "x=y"},
                .redirect_dir = true},
        {.text = "ro,lowerdir=g\\134\\134h:lo", .lowers = {"g\\h", "lo"}},
        {.text = "ro,lowerdir=g\\134\\134:lo", .lowers = {"g\\", "lo"}},
        /* 6.18, fsconfig(2): a backslash and a colon are characters of the name */
        {.text = "ro,lowerdir+=a:b,lowerdir+=lo", .lowers = {"a:b", "lo"}},
        {.text = "ro,lowerdir+=g\\134h,lowerdir+=lo", .lowers = {"g\\h", "lo"}},
        {.text = "ro,lowerdir+=c\\054d,lowerdir+=n\\012l", .lowers = {"c,d", "n\nl"}},
        {.text = "ro,lowerdir+=lo,datadir+=data1,datadir+=dd,redirect_dir=on,metacopy=on",
                .lowers = {"lo", "data1", "dd"},
                .metacopy = true,
                .redirect_dir = true},
        {.text = "rw,lowerdir+=lo,upperdir=u\\134p,workdir=wk",
                .lowers = {"lo"},
                .upper = "up",
                .work = "wk"},
        {.text = "rw,lowerdir+=lo,upperdir=u\\134\\134p,workdir=wk",
                .lowers = {"lo"},
                .upper = "u\\p",
                .work = "wk"},
        {.text = "rw,lowerdir+=lo,upperdir=u:q,workdir=wk",
                .lowers = {"lo"},
                .upper = "u:q",
                .work = "wk"},
        {.text = "ro,lowerdir=lo::data1::data2,redirect_dir=on,metacopy=on",
                .lowers = {"lo", "data1", "data2"},
                .metacopy = true,
                .redirect_dir = true},
        {.text = "rw,lowerdir=lo,upperdir=up,workdir=wk,redirect_dir=on,index=on,metacopy=on,"
                 "fsync=volatile",
                .lowers = {"lo"},
                .upper = "up",
                .work = "wk",
                .metacopy = true,
                .redirect_dir = true},
        {.text = "rw,lowerdir+=lo,lowerdir+=dd,upperdir=up,workdir=wk,redirect_dir=nofollow,"
                 "uuid=on,userxattr",
                .lowers = {"lo", "dd"},
                .upper = "up",
                .work = "wk",
                .userxattr = true},
        {.text = "rw,lowerdir=lo,metacopy=off,redirect_dir=follow,index=on,nfs_export=on,xino=on,"
                 "volatile,userxattr=no",
                .lowers = {"lo"}},
        /* 6.5 and 6.6 escape a colon of the name in the mount table's own way */
        {.text = "rw,lowerdir=a\\072b:c", .lowers = {"a:b", "c"}},
        /* an SELinux context has raw commas, in quotes, and is followed by the rest */
        {.text = "rw,context=\"system_u:object_r:container_file_t:s0:c1,c2\",lowerdir=/a:/b,"
                 "upperdir=/u,workdir=/w",
                .lowers = {"/a", "/b"},
                .upper = "/u",
                .work = "/w"},
        /* no escapes: a NUL, past a byte, too short, other digits */
        {.text = "lowerdir+=\\000\\400\\12\\189", .lowers = {"\\000\\400\\12\\189"}},
        {.text = "lowerdir=\303\244\\377", .lowers = {"\303\244\377"}},
};

/* As mount(2) takes them. */
static const struct row plain[] = {
        {.text = "lowerdir=a\\:b:c,upperdir=u,workdir=w",
                .lowers = {"a:b", "c"},
                .upper = "u",
                .work = "w"},
        {.text = "lowerdir=c\\,d:e,upperdir=u\\,v", .lowers = {"c,d", "e"}, .upper = "u,v"},
        {.text = "lowerdir=a\\040b", .lowers = {"a040b"}}, /* a backslash and three digits */
        {.text = "lowerdir=a\\\\:b", .lowers = {"a\\", "b"}},
        {.text = "lowerdir=a::d1::d2", .lowers = {"a", "d1", "d2"}},
        {.text = "lowerdir=a:b:c:d::e::f", .lowers = {"a", "b", "c", "d", "e", "f"}},
        {.text = ",,lowerdir=a,,", .lowers = {"a"}},
};

static void assert_text(const char *text, const char *got, const char *wanted)
{
	if (!got != !wanted || (got && strcmp(got, wanted)))
		fail_msg("%s: %s, not %s", text, got ?: "NULL", wanted ?: "NULL");
}

static void check(const struct row *row, bool escapes)
{
	_cleanup_(overlay_options_done) struct overlay_options o = {0};
	int r = overlay_options_parse(row->text, escapes, &o);
	size_t n = 0;

	if (r != 0)
		fail_msg("%s: %d", row->text, r);
	while (n < LOWERS_SHOWN && row->lowers[n])
		n++;
	assert_int_equal(o.n_lowers, n);
	for (size_t i = 0; i < n; i++)
		assert_text(row->text, o.lowers[i], row->lowers[i]);
	assert_text(row->text, o.upper, row->upper);
	assert_text(row->text, o.work, row->work);
	assert_int_equal(o.userxattr, row->userxattr);
	assert_int_equal(o.metacopy, row->metacopy);
	assert_int_equal(o.redirect_dir, row->redirect_dir);
}

static void test_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		check(&tables[i], true);
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		check(&plain[i], false);
}

/*
 * A directory that is named like options (6.18 mounts it): undoing the escapes before the text is
 * split would give the overlay a trusted lower layer, or hide its upper one.
 */
static void test_injection(void **state)
{
	static const struct row rows[] = {
	        {.text = "rw,lowerdir+=lo,upperdir=u\\054lowerdir=lo,workdir=wk,uuid=on",
	                .lowers = {"lo"},
	                .upper = "u,lowerdir=lo",
	                .work = "wk"},
	        {.text = "rw,lowerdir=/evil\\072/var/lib/docker/overlay2/x/diff,upperdir=/u",
	                .lowers = {"/evil:/var/lib/docker/overlay2/x/diff"},
	                .upper = "/u"},
	        {.text = "rw,lowerdir=/a\\054upperdir=/fake\\054userxattr,upperdir=/real",
	                .lowers = {"/a,upperdir=/fake,userxattr"},
	                .upper = "/real"},
	        {.text = "rw,lowerdir=/a\\012lowerdir=/b", .lowers = {"/a\nlowerdir=/b"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i], true);
}

static void test_malformed(void **state)
{
	static const char *const rows[] = {
	        "",
	        "rw",
	        "rw,upperdir=/u,workdir=/w",
	        "lowerdir=",
	        "lowerdir",
	        "lowerdir+=",
	        "datadir+=",
	        "lowerdir=:a",
	        "lowerdir=::a",
	        "lowerdir=a:",
	        "lowerdir=a::",
	        "lowerdir=a:::b",
	        "lowerdir=a::b:c", /* ordinary layers may not follow data-only ones */
	        "lowerdir=a,lowerdir=b",
	        "lowerdir=a,upperdir=",
	        "lowerdir=a,upperdir=b,upperdir=c",
	        "lowerdir=a,workdir=b,workdir=c",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct overlay_options o;

		memset(&o, 0x55, sizeof(o));
		if (overlay_options_parse(rows[i], true, &o) != -EINVAL)
			fail_msg("escapes: %s", rows[i]);
		if (overlay_options_parse(rows[i], false, &o) != -EINVAL)
			fail_msg("plain: %s", rows[i]);
		assert_int_equal(((unsigned char *)&o)[0], 0x55); /* untouched */
	}
}

/* "lowerdir=" and @n times "<entry>:", or @n times ",lowerdir+=<entry>" */
static char *many(size_t n, const char *entry, bool added)
{
	size_t size = n * (strlen(entry) + sizeof(",lowerdir+=")) + 64;
	char *text = malloc(size), *p = text;

	assert_non_null(text);
	p += sprintf(p, added ? "rw" : "rw,lowerdir=");
	for (size_t i = 0; i < n; i++)
		p += sprintf(p, "%s%s", added ? ",lowerdir+=" : i ? ":" : "", entry);
	return text;
}

static void test_bounds(void **state)
{
	static const struct {
		size_t n;
		int result;
	} rows[] = {{500, 0}, {OVERLAY_LAYERS_MAX, 0}, {OVERLAY_LAYERS_MAX + 1, -E2BIG},
	        {OVERLAY_OPTIONS_MAX, -E2BIG}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int added = 0; added < 2; added++) {
			_cleanup_free_ char *text = many(rows[i].n, "/l/ABC", added);
			_cleanup_(overlay_options_done) struct overlay_options o = {0};

			assert_int_equal(overlay_options_parse(text, true, &o), rows[i].result);
			if (rows[i].result == 0)
				assert_int_equal(o.n_lowers, rows[i].n);
		}
	}
}

/* The longest text that a kernel prints: 500 layers, each of 255 bytes that must be escaped. */
static void test_longest(void **state)
{
	char entry[255 * 4 + 1], wanted[256];
	_cleanup_free_ char *text = NULL;
	_cleanup_(overlay_options_done) struct overlay_options o = {0};

	(void)state;
	for (size_t i = 0; i < 255; i++)
		memcpy(entry + i * 4, "\\040", 5);
	memset(wanted, ' ', 255);
	wanted[255] = '\0';
	text = many(500, entry, true);
	assert_int_equal(overlay_options_parse(text, true, &o), 0);
	assert_int_equal(o.n_lowers, 500);
	assert_string_equal(o.lowers[499], wanted);
}

/*
 * name_to_handle_at(2) on Linux 6.18 for a lower file, a copied-up one and one born in the upper
 * layer, on an ext4 without uuid; and the origin attribute of the copied-up one.
 */
#define LOW    "00000000fb1d0001000000000000000000000000000000009440a8002027c048"
#define COPIED "00000000fb1d000100000000000000000000000000000000a340a800d88f6c68"
#define BORN   "00000000fb1d040100000000000000000000000000000000e340a80069bacf9f"
#define ORIGIN "00fb1d000100000000000000000000000000000000a340a800d88f6c68"

static size_t bytes(const char *hex, uint8_t *ret)
{
	assert_int_equal(hex_decode(hex, strlen(hex), ret, strlen(hex) / 2), 0);
	return strlen(hex) / 2;
}

static void test_handles(void **state)
{
	static const struct {
		const char *hex;
		enum overlay_handle_result result;
		const char *real;
	} rows[] = {
	        {LOW, OVERLAY_HANDLE_LOWER, "9440a8002027c048"},
	        {COPIED, OVERLAY_HANDLE_LOWER, "a340a800d88f6c68"},
	        {BORN, OVERLAY_HANDLE_UPPER, "e340a80069bacf9f"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct overlay_handle h = {0};
		uint8_t data[64], real[8];
		size_t n = bytes(rows[i].hex, data);

		assert_int_equal(overlay_handle_parse(data, n, &h), rows[i].result);
		assert_int_equal(h.real_type, 1);
		assert_int_equal(h.real_size, 8);
		bytes(rows[i].real, real);
		assert_memory_equal(h.real, real, 8);
		assert_ptr_equal(h.real, data + 24);
	}
}

static void test_origin(void **state)
{
	struct overlay_handle handle = {0}, origin = {0};
	uint8_t data[64], value[64];
	size_t n = bytes(COPIED, data), m = bytes(ORIGIN, value);

	(void)state;
	assert_int_equal(overlay_handle_parse(data, n, &handle), OVERLAY_HANDLE_LOWER);
	assert_int_equal(overlay_origin_parse(value, m, &origin), OVERLAY_HANDLE_LOWER);
	assert_int_equal(origin.real_type, handle.real_type);
	assert_memory_equal(origin.uuid, handle.uuid, sizeof(origin.uuid));
	assert_memory_equal(origin.real, handle.real, 8);
	/* a flag that says "upper" makes no upper file of an origin */
	value[3] |= 0x04;
	assert_int_equal(overlay_origin_parse(value, m, &origin), OVERLAY_HANDLE_LOWER);
	assert_int_equal(overlay_origin_parse(value, 0, &origin), OVERLAY_HANDLE_INVALID);
}

/* Every byte of the header that has one right value, every length. */
static void test_bad_handles(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
		enum overlay_handle_result result;
	} rows[] = {
	        {3, 1, OVERLAY_HANDLE_INVALID},    /* version */
	        {4, 0xfa, OVERLAY_HANDLE_INVALID}, /* magic */
	        {5, 0, OVERLAY_HANDLE_INVALID},    /* length: none, only the header, too long */
	        {5, 21, OVERLAY_HANDLE_INVALID},
	        {5, 30, OVERLAY_HANDLE_INVALID},
	        {5, 255, OVERLAY_HANDLE_INVALID},
	        {5, 22, OVERLAY_HANDLE_LOWER},
	        {6, 0x08,
	                OVERLAY_HANDLE_INVALID}, /* flags: unknown, foreign byte order, any order */
	        {6, 0x80, OVERLAY_HANDLE_INVALID},
	        {6, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 0x00 : 0x01, OVERLAY_HANDLE_INVALID},
	        {6, 0x02, OVERLAY_HANDLE_LOWER},
	        {6, 0x06, OVERLAY_HANDLE_UPPER},
	};
	uint8_t data[64];
	size_t n = bytes(LOW, data);
	struct overlay_handle h;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t saved = data[rows[i].offset];

		data[rows[i].offset] = rows[i].value;
		if (overlay_handle_parse(data, n, &h) != rows[i].result)
			fail_msg("byte %zu is %u", rows[i].offset, rows[i].value);
		data[rows[i].offset] = saved;
	}
	for (size_t size = 0; size < n; size++) {
		_cleanup_free_ uint8_t *exact = malloc(size ? size : 1);

		assert_non_null(exact);
		memcpy(exact, data, size);
		assert_int_equal(overlay_handle_parse(exact, size, &h), OVERLAY_HANDLE_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_options),
	        cmocka_unit_test(test_injection),
	        cmocka_unit_test(test_malformed),
	        cmocka_unit_test(test_bounds),
	        cmocka_unit_test(test_longest),
	        cmocka_unit_test(test_handles),
	        cmocka_unit_test(test_origin),
	        cmocka_unit_test(test_bad_handles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
