import pytest

from proj.servers.lifetime import SERVERS
from tests.servers.processes import marked, output

pytestmark = [pytest.mark.workers, pytest.mark.timeout(300)]


def test_orders_and_photographs_go_all_the_way_through_and_add_up(var_dir, run):
    demo = run("demo", "--orders=60", PORT="18000")
    assert demo.wait(timeout=240) == 0, output(var_dir)
    said = output(var_dir)
    assert "ended: 88 of 88" in said
    assert "wrong │" not in said
    assert "Everything adds up." in said
    assert marked(var_dir / "demo") == []
    assert [server(var_dir / "demo" / "servers").is_running() for server in SERVERS.values()] == [
        False,
        False,
    ]


def test_a_deadline_that_passes_is_a_failure_that_names_the_logs(var_dir, run):
    demo = run("demo", "--orders=10", "--seconds=0", PORT="18000")
    assert demo.wait(timeout=240) == 1
    said = output(var_dir)
    assert "38 of 38 have not ended after 0 s, such as {" in said
    assert f"Logs: {var_dir / 'demo' / 'log'}" in said
    assert marked(var_dir / "demo") == []
