"""Hostile archives: nothing leads out, nothing grows, nothing hangs, and whoever else is in the class gets marks."""

from __future__ import annotations

import gzip
import io
import os
import random
import tarfile
import tracemalloc
import zipfile

import pytest
import repositories
from attacks import archives as hostile
from handing_in import ATTENTION, COURSE, WARMUP, folder, tarred, zipped

from grader.classroom.book.standing import Student
from grader.classroom.intake import archives, collecting, tars
from grader.classroom.intake.collecting import collect_class
from grader.classroom.intake.reading import Reading
from grader.classroom.intake.roster import Roster

CLASS = Roster((Student("a1"), Student("b2")))
BOBS = {"m00_warmup": b"bob"}


@pytest.fixture
def _in_this_process(monkeypatch):
    """Have submissions read here, where a test can lower a limit or measure memory."""
    monkeypatch.setattr(collecting, "Reader", Reading)


def take(tmp_path, archive: bytes, ending: str = "zip"):
    """Take in a class in which a1 hands in an archive and b2 a good folder; return what became of a1."""
    folder(tmp_path / "s", {f"a1.{ending}": archive, f"b2/{WARMUP}": "bob"})
    before = sorted(tmp_path.rglob("*"))

    anna, bob = collect_class([tmp_path / "s"], COURSE, CLASS).handed_in

    assert bob.submission.sources == BOBS and not bob.problem
    assert sorted(tmp_path.rglob("*")) == before
    for sentence in (anna.problem, *anna.notes, *anna.submission.problems.values()):
        assert "\n" not in sentence
    return anna


@pytest.mark.usefixtures("_in_this_process")
@pytest.mark.parametrize("build", hostile.ALL, ids=lambda build: build.__name__)
def test_a_hostile_archive_harms_nobody(tmp_path, build):
    """Whatever is in it: nothing of it lands on disk or is taken for a module, memory stays, others are taken."""
    for number, (ending, archive) in enumerate(build()):
        tracemalloc.start()
        anna = take(tmp_path / str(number), archive, ending)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

        assert set(anna.submission.sources.values()) <= {b"anna", b"x"}
        assert anna.problem or anna.submission.problems or anna.notes or anna.submission.sources
        assert peak < 20_000_000  # an archive in one is unpacked, within its limits


def test_names_that_lead_out_are_ignored_and_named(tmp_path):
    """Zip slip: absolute names and ones that climb up are nothing's name, in zip and in tar."""
    for number, (ending, archive) in enumerate(hostile.a99_names_that_lead_out()):
        anna = take(tmp_path / str(number), archive, ending)

        assert anna.submission.sources == {"m00_warmup": b"anna"}
        assert len(anna.notes) == 1 and "has a name that would lead out of it" in anna.notes[0]


def test_names_with_backslashes_are_folders(tmp_path):
    """Some Windows tools part folders with backslashes in zip archives."""
    anna = take(tmp_path, hostile.zip_entry(f"hw\\{ATTENTION}").replace(WARMUP.encode(), b"n00_warmup.py"))

    assert anna.submission.sources == {"m04_attention": b"evil"}


def test_what_is_no_regular_file_in_a_zip_is_refused(tmp_path):
    """The mode that a zip archive gives an entry is believed when it is no file's."""
    archives_of = zip(hostile.a97_links_and_devices_in_a_zip(), hostile.KINDS.values(), strict=True)
    for (ending, archive), said in archives_of:
        anna = take(tmp_path / said, archive, ending)

        assert anna.submission.sources == {"m00_warmup": b"anna"}
        assert anna.submission.problems["m04_attention"].endswith(f"it is a {said}, not a regular file.")


def test_what_is_no_regular_file_in_a_tar_is_refused(tmp_path):
    """Links of both kinds, devices, pipes, files with holes and folders in a module's place are each refused."""
    ((ending, archive),) = hostile.a97_links_and_devices_in_a_tar()

    anna = take(tmp_path, archive, ending)

    assert anna.submission.sources == {}
    for module, (_, said) in hostile.TAR_KINDS.items():
        assert said in anna.submission.problems[module]


def test_a_name_that_is_there_twice_is_refused(tmp_path):
    """Two entries of one name are two answers; a twin in another case is only named."""
    for ending, archive in hostile.a99_one_name_twice():
        anna = take(tmp_path / ending, archive, ending)
        assert "it is there 2 times, and nothing says which is meant" in anna.submission.problems["m00_warmup"]

    twin = take(tmp_path / "twin", hostile.zip_entry("M00_WARMUP.py"))
    assert twin.submission.sources == {"m00_warmup": b"anna"}
    assert twin.notes == ["s/a1.zip!M00_WARMUP.py was ignored: the module is called m00_warmup.py."]


@pytest.mark.usefixtures("_in_this_process")
def test_a_zip_entry_that_grows_is_not_unpacked(tmp_path):
    """A module that claims gigabytes is refused by its claim, one that lies about its size by its checksum."""
    (_, honest), (_, lying) = hostile.a100_bomb_in_a_zip()

    tracemalloc.start()
    first, second = take(tmp_path / "1", honest), take(tmp_path / "2", lying)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert first.submission.problems["m04_attention"].endswith("it is larger than 64 kB, which no solution needs.")
    assert second.submission.problems["m04_attention"].endswith("its content in the archive is damaged.")
    assert first.submission.sources == second.submission.sources == {"m00_warmup": b"anna"}
    assert peak < 10_000_000


@pytest.mark.usefixtures("_in_this_process")
def test_a_tar_that_unpacks_without_end_is_stopped(tmp_path, monkeypatch):
    """A compressed tar archive has a limit in bytes, and one in relation to its own size."""
    monkeypatch.setattr(archives, "_UNPACKED_MINIMUM", 1_000_000)

    for ending, bomb in hostile.a100_bomb_in_a_tar():
        anna = take(tmp_path / ending, bomb, ending)

        assert anna.submission.sources == {}
        assert "is not read: it unpacks to more than" in anna.problem


@pytest.mark.usefixtures("_in_this_process")
def test_a_nested_archive_has_its_limits(tmp_path, monkeypatch):
    """An archive in an archive is opened, one deeper is not, and one that claims too much is never unpacked."""
    inner = zipped({WARMUP: "anna"})
    two, ((_, three), (_, bomb)) = zipped({"hw.zip": inner}), hostile.a100_archives_in_archives()

    assert take(tmp_path / "2", two).submission.sources == {"m00_warmup": b"anna"}
    assert "it is an archive in an archive in an archive" in take(tmp_path / "3", three).problem
    monkeypatch.setattr("grader.classroom.intake.layout.NESTED", 1_000_000)
    assert "bomb.zip cannot be taken: it is larger than" in take(tmp_path / "4", bomb).problem
    several = zipped({"v1.zip": inner, "v2.zip": inner})
    assert "has 2 archives, and nothing says which counts" in take(tmp_path / "5", several).problem
    beside = zipped({WARMUP: "anna", "old.zip": inner})
    assert take(tmp_path / "6", beside).notes == ["s/a1.zip!old.zip was not opened: modules lie beside it."]


@pytest.mark.usefixtures("_in_this_process")
def test_too_many_names_are_refused(tmp_path, monkeypatch):
    """The number of names and the size of their list are limited before anything is made of them."""
    monkeypatch.setattr(archives, "STUDENT", archives.ArchiveLimits(entries=10, directory=5_000, unpacked=10**7))
    monkeypatch.setattr("grader.classroom.intake.layout.STUDENT", archives.STUDENT)
    (_, zipped_names), (_, tarred_names), (_, long) = hostile.a100_too_many_names()

    assert "it holds more than 10 files" in take(tmp_path / "1", zipped_names).problem
    assert "it holds more than 10 files" in take(tmp_path / "2", tarred_names, "tar.gz").problem
    assert "its list of names is larger than" in take(tmp_path / "3", long).problem


def test_an_encrypted_module_says_so(tmp_path):
    """The flag of encryption is that module's problem; nobody is asked for a password."""
    plain = bytearray(zipped({WARMUP: "anna", ATTENTION: "secret"}))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        plain[plain.rindex(signature) + offset] |= 1

    anna = take(tmp_path, bytes(plain))

    assert anna.submission.sources == {"m00_warmup": b"anna"}
    assert anna.submission.problems["m04_attention"].endswith("it is encrypted with a password.")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unusual_compression_is_refused(tmp_path, method):
    """Methods that can't be unpacked a little at a time are refused before they are."""
    anna = take(tmp_path, zipped({WARMUP: "anna"}, method))

    assert "it is compressed in an unusual way" in anna.submission.problems["m00_warmup"]


def test_a_wrong_checksum_is_that_modules_problem(tmp_path):
    """A flipped bit in one module's content leaves the others."""
    data = zipped({WARMUP: "anna", ATTENTION: "x" * 50}, zipfile.ZIP_STORED).replace(b"x" * 50, b"x" * 49 + b"y")

    anna = take(tmp_path, data)

    assert anna.submission.sources == {"m00_warmup": b"anna"}
    assert anna.submission.problems["m04_attention"].endswith("its content in the archive is damaged.")


GOOD_ZIP, GOOD_TAR = zipped({WARMUP: "anna"}), tarred({WARMUP: "anna" * 1000, ATTENTION: "b" * 1000})


@pytest.mark.parametrize(
    ("archive", "ending"),
    [
        (b"", "zip"),
        (b"PK\5\6", "zip"),
        (b"not a zip at all", "zip"),
        (GOOD_ZIP[:-30], "zip"),
        (GOOD_ZIP + b"trailing", "zip"),
        *((archive, ending) for ending, archive in hostile.a100_sizes_out_of_range()),
        (b"", "tar"),
        (b"\0" * 300, "tar"),
        (GOOD_TAR[:60], "tar.gz"),
        (GOOD_TAR[:-8] + b"\0" * 8, "tar.gz"),
        (gzip.compress(gzip.decompress(GOOD_TAR)[:2000]), "tar.gz"),
        (gzip.compress(gzip.decompress(GOOD_TAR).replace(b"m04_att", b"\xffxx_att", 1)), "tar.gz"),
        (b"BZh9" + os.urandom(50), "tar.bz2"),
        (b"\xfd7zXZ\0" + os.urandom(50), "tar.xz"),
    ],
    ids=[
        "empty",
        "only an ending",
        "no zip",
        "cut short",
        "trailing",
        "sizes out of range",
        "no directory",
        "empty tar",
        "zeros",
        "tar cut short",
        "wrong sum",
        "member cut short",
        "name that is no text",
        "bz2",
        "xz",
    ],
)
def test_a_damaged_archive_is_one_students_problem(tmp_path, archive, ending):
    """Cut off, overwritten, empty, or something else under that name: one sentence, and the others are taken."""
    anna = take(tmp_path, archive, ending)

    assert anna.submission.sources == {}
    assert anna.problem == f"s/a1.{ending} cannot be read: it is damaged, or no zip or tar archive."


def test_headers_that_never_end_are_stopped(tmp_path):
    """A tar header may announce any length, and a list of holes may have no end: neither is read."""
    (_, giant), (_, holes) = hostile.a100_headers_without_end()

    assert "cannot be read" in take(tmp_path / "1", giant, "tar").problem
    assert "it is a file with holes" in take(tmp_path / "2", holes, "tar").submission.problems["m00_warmup"]


@pytest.mark.parametrize(
    "build",
    [
        hostile.b180_headers_in_front_of_headers,
        hostile.b181_records_that_end_elsewhere,
        hostile.b182_one_name_for_all,
        hostile.b183_sizes_in_extended_headers,
    ],
    ids=lambda build: build.__name__,
)
def test_extended_headers_that_no_tool_writes_are_refused(tmp_path, build):
    """A tar archive's extended headers are measured before they are read, and are read by their own lengths."""
    for number, (ending, archive) in enumerate(build()):
        assert "it is damaged, or no zip or tar archive" in take(tmp_path / str(number), archive, ending).problem


@pytest.mark.usefixtures("_in_this_process")
def test_extended_headers_have_a_budget_for_all_together(tmp_path, monkeypatch):
    """What stands in front of a tar archive's names is limited as a zip archive's list of names is."""
    monkeypatch.setattr(
        "grader.classroom.intake.layout.STUDENT", archives.ArchiveLimits(50, directory=5_000, unpacked=10**7)
    )
    headers = hostile.pax_block({"comment": "x" * 900}) + hostile.plain_member(WARMUP)[:-1024]

    assert not take(tmp_path / "1", headers * 5 + hostile.END, "tar").problem
    assert "its list of names is larger than" in take(tmp_path / "2", headers * 6 + hostile.END, "tar").problem


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_ordinary_tar_archives_are_listed_as_tarfile_does(kind):
    """Long names, other letters, large times, links and folders, in each format that tools write."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=kind) as archive:
        for name in ("a.py", "x/" + "d" * 90 + "/b.py", "x/" * 40 + "deep.py", "x/Müller.py"):
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uname = len(name), 1e9 + 0.5 if kind == tarfile.PAX_FORMAT else 10**9, "Zoë"
            archive.addfile(info, io.BytesIO(b"x" * info.size))
        for name, form in (("folder", tarfile.DIRTYPE), ("link", tarfile.SYMTYPE), ("pipe", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = form, "a.py"
            archive.addfile(info)
        if kind != tarfile.USTAR_FORMAT:
            info = tarfile.TarInfo("y" * 3000)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"end"))
    with tarfile.open(fileobj=io.BytesIO(data.getvalue())) as archive:
        expected = [(each.name, each.offset_data, each.size, each.isdir()) for each in archive]

    found = list(tars.members(data, 100_000))

    assert [(each.name.rstrip("/"), each.at, each.size, each.folder) for each in found] == expected
    assert [each.name.rstrip("/") for each in found if each.refused] == ["link", "pipe"]


def test_what_git_and_tar_pack_is_read(tmp_path):
    """An archive made by git, with its header for all that says which commit it is, is taken like any other."""
    repositories.repository(tmp_path / "anna", {f"exercises/{WARMUP}": "anna"})
    repositories.git(tmp_path / "anna", "archive", "-o", str(tmp_path / "a.tar.gz"), "--prefix=anna/", "main")

    anna = take(tmp_path / "class", (tmp_path / "a.tar.gz").read_bytes(), "tar.gz")

    assert anna.submission.sources == {"m00_warmup": b"anna"}


def test_a_zip_archive_with_a_long_end_is_read(tmp_path):
    """What some tools write for any archive, zip64, is read like another; what it claims is held to the same limits."""
    honest = hostile.long_ended(zipped({WARMUP: "anna"}))

    assert take(tmp_path / "honest", honest).submission.sources == {"m00_warmup": b"anna"}
    for number, (ending, archive) in enumerate(hostile.b184_claims_of_a_long_end()):
        assert take(tmp_path / str(number), archive, ending).problem.startswith("s/a1.zip ")


def test_names_that_are_no_utf8_are_shown_harmlessly(tmp_path):
    """A name in another encoding hides no module and breaks no sentence; one that macOS writes is read right."""
    _, (ending, odd) = hostile.a102_names_alike_in_an_archive()
    anna = take(tmp_path / "1", odd, ending)
    assert anna.submission.sources == {"m00_warmup": b"anna"}

    (tmp_path / "class.zip").write_bytes(_without_utf8_flag(zipped({f"Müller/{WARMUP}": "m", f"b2/{WARMUP}": "b"})))
    handed_in = collect_class([tmp_path / "class.zip"], COURSE, Roster((Student("1", "Müller"),))).handed_in
    assert [each.student.id for each in handed_in] == ["1", "b2"]


def _without_utf8_flag(data: bytes) -> bytes:
    changed = bytearray(data)
    for signature, offset in ((b"PK\3\4", 7), (b"PK\1\2", 9)):
        at = changed.find(signature)
        while at >= 0:
            changed[at + offset] &= ~0x08
            at = changed.find(signature, at + 4)
    return bytes(changed)


def test_a_whole_class_in_an_unreadable_archive_says_so(tmp_path):
    """An archive that is nobody's own is named beside other sources, and nobody has a 0 for it."""
    (tmp_path / "week4.zip").write_bytes(b"PK\3\4 and no more")
    folder(tmp_path / "s", {f"b2/{WARMUP}": "bob"})

    collected = collect_class([tmp_path / "week4.zip", tmp_path / "s"], COURSE, CLASS)

    assert collected.handed_in[0].submission.sources == BOBS
    assert collected.unclear == ["week4.zip cannot be read: it is damaged, or no zip or tar archive."]
    assert [each.origin for each in collected.doubts] == ["week4.zip"]
    assert collected.missing == [Student("a1")]


def test_hundreds_of_archives_leave_nothing_open(tmp_path):
    """Each student's archive is closed once it is read."""
    folder(tmp_path / "s", {f"{number}.zip": GOOD_ZIP for number in range(300)})
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 100
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 30, hard))
    try:
        collected = collect_class([tmp_path / "s"], COURSE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert len(collected.handed_in) == 300 and not any(each.problem for each in collected.handed_in)
    assert [each.student.id for each in collected.handed_in[:3]] == ["0", "1", "2"]


def test_random_damage_is_never_more_than_a_problem(tmp_path):
    """Whatever bytes change in an archive, the one who handed it in has a problem or their modules, and nobody else."""
    chance = random.Random(4)
    files: dict[str, bytes | str] = {}
    for number in range(150):
        data = bytearray(GOOD_ZIP if number % 2 else gzip.decompress(GOOD_TAR)[:4096])
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        files[f"{number}.{'zip' if number % 2 else 'tar'}"] = bytes(data)
    folder(tmp_path / "s", files | {f"b2/{WARMUP}": "bob"})

    collected = collect_class([tmp_path / "s"], COURSE)

    assert len(collected.handed_in) == 151
    for each in collected.handed_in:
        assert each.problem or each.submission.sources or each.submission.problems
        assert "Error" not in each.problem
    assert collected.handed_in[-1].submission.sources == BOBS
