"""Rows 13 and 15: programs that only show by the image's dynamic loader. They run, and are reported:
always with `guard.loaders`, else until the kernel remembers the loader."""
import pytest

real_inode = pytest.mark.kernel(since="6.5", why="events of the real inode")
LOADER = "/lib64/ld-linux-x86-64.so.2"


def reasons(daemon):
    return [e["execward.reason"] for e in daemon.events()]


@pytest.mark.parametrize("technique", ["memfd", "memfd-path"])
def test_row_15_a_dynamic_program_in_a_memfd_is_detected(overlay, start, marks, technique):
    daemon = start(marks=marks)
    result = overlay.attack(technique, "/tmp/any", source="/bin/dynamic")
    assert result.code == 0, result
    assert reasons(daemon) == ["memfd"]
    event = daemon.events()[0]
    assert event["proc.exepath"].startswith("/memfd:fileless")
    assert event["execward.verdict"] == "allow"
    assert event["execward.container_key"] == overlay.upper
    assert daemon.alerts()[0]["rule"] == "Fileless execution via memfd_create"


def test_row_13_the_loader_as_a_program_is_detected(overlay, start, marks):
    daemon = start(marks=marks)
    result = overlay.exec(LOADER, "/bin/dynamic", "said")
    assert result.output == b"said\n"
    assert reasons(daemon) == ["loader"]
    assert daemon.events()[0]["proc.cmdline"].startswith(LOADER + " /bin/dynamic")


def test_a_program_with_its_interpreter_is_no_news(overlay, start, marks):
    daemon = start(marks=marks)
    for _ in range(3):
        assert overlay.exec("/bin/dynamic", "said").output == b"said\n"
    assert not reasons(daemon)


@real_inode
def test_a_dynamic_program_costs_nothing_either(overlay, start):
    daemon = start(marks="backing")
    assert overlay.exec("/bin/dynamic").code == 0
    before = daemon.status()["events_total"]
    for _ in range(100):
        assert overlay.exec("/bin/dynamic").code == 0
    assert daemon.status()["events_total"] == before


@real_inode
def test_loaders_true_detects_for_ever(overlay, start):
    daemon = start(marks="backing", guard_extra="loaders: true")
    for number in range(5):
        assert overlay.exec("/bin/dynamic").code == 0
        assert overlay.attack("memfd", f"/tmp/any{number}", source="/bin/dynamic").code == 0
    events = daemon.events()
    assert {e["execward.reason"] for e in events} == {"memfd"}
    assert sum(e["execward.count"] for e in events) == 5


def test_a_loader_that_was_dropped_is_a_drop(overlay, start, marks):
    daemon = start(marks=marks)
    overlay.drop("/tmp/ld-linux.so.2", open(overlay.path(LOADER), "rb").read() + b"x")
    assert overlay.exec("/tmp/ld-linux.so.2", "/bin/dynamic").errno == 1
    assert reasons(daemon) == ["dropped"]
