import os
import pwd
import stat

from proj.servers.account import open_programs, open_way
from proj.servers.programs import Programs


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_on_the_way_get_the_traverse_bit_and_no_other(tmp_path, capsys):
    closed, open_already, target = (
        tmp_path / "closed",
        tmp_path / "closed/open",
        tmp_path / "closed/open/data",
    )
    target.mkdir(parents=True)
    closed.chmod(0o700)
    open_already.chmod(0o755)
    target.chmod(0o700)
    open_way(target)
    assert [oct(mode(path)) for path in (closed, open_already, target)] == ["0o701", "0o755", "0o700"]
    said = [line for line in capsys.readouterr().err.splitlines() if str(closed) in line]
    assert len(said) == 1
    assert said[0].startswith("servers: chmod o+x ")
    assert f"'{closed}'" in said[0]
    assert said[0].endswith(": PostgreSQL runs as pgserver and must pass through")


def test_a_way_that_is_open_is_left_alone(tmp_path, capsys):
    open_way(tmp_path / "data")
    capsys.readouterr()
    open_way(tmp_path / "data")
    assert capsys.readouterr().err == ""


def test_programs_installed_for_root_alone_are_opened_to_read_and_run(tmp_path, capsys):
    root = tmp_path / "install"
    (root / "bin").mkdir(parents=True)
    program, library = root / "bin/postgres", root / "library.so"
    program.touch(mode=0o700)
    library.touch(mode=0o600)
    for folder in (root / "bin", root):
        folder.chmod(0o700)
    open_programs(root)
    assert [oct(mode(path)) for path in (root, root / "bin", program, library)] == [
        "0o705",
        "0o705",
        "0o705",
        "0o604",
    ]
    capsys.readouterr()
    open_programs(root)
    assert capsys.readouterr().err == ""


def test_a_wheel_that_was_installed_for_root_alone_can_be_run_with_the_libraries_beside_it(tmp_path):
    wheel = tmp_path / "closed" / "wheel"
    folder = wheel / "pginstall18" / "bin"
    libraries = tmp_path / "closed" / "wheel.libs"
    for made in (folder, libraries):
        made.mkdir(parents=True)
    (folder / "postgres").touch(mode=0o700)
    (libraries / "libpq.so").touch(mode=0o600)
    for closed in (libraries, folder, folder.parent, wheel, wheel.parent):
        closed.chmod(0o700)
    Programs(folder, pwd.getpwuid(os.getuid())).open_for(tmp_path / "data")
    opened = (
        wheel.parent,
        wheel,
        folder.parent,
        folder,
        folder / "postgres",
        libraries,
        libraries / "libpq.so",
    )
    assert [oct(mode(path)) for path in opened] == ["0o701", "0o701", *["0o705"] * 4, "0o604"]
