"""Archives that students could hand in and should not: built where they are needed, as (ending, content).

Each holds a module of the student's own where it can, `m00_warmup.py` with the content "anna"; what it smuggles is "evil".
"""

import gzip
import io
import lzma
import stat
import struct
import tarfile
import warnings
import zipfile

from handing_in import ATTENTION, WARMUP, tar_members, tarred, zipped

Archive = tuple[str, bytes]

LEADING_OUT = (
    "../m04_attention.py", "/m04_attention.py", "C:\\m04_attention.py", "x/../../m04_attention.py", "..\\m04_attention.py",
)  # fmt: skip
KINDS = {stat.S_IFLNK: "symbolic link", stat.S_IFIFO: "named pipe", stat.S_IFCHR: "device"}
TAR_KINDS = {
    "m00_warmup": (tarfile.SYMTYPE, "symbolic link"),
    "m01_tokenizer": (tarfile.LNKTYPE, "hard link"),
    "m02_data": (tarfile.CHRTYPE, "device"),
    "m03_embedding": (tarfile.FIFOTYPE, "named pipe"),
    "m04_attention": (tarfile.GNUTYPE_SPARSE, "with holes"),
    "m05_block": (tarfile.DIRTYPE, "folder"),
}
CLAIMED = 30_000_000  # bytes of zeros


def a97_links_and_devices_in_a_zip() -> list[Archive]:
    """Says in a zip archive that the module is a link to the machine's accounts, a pipe or a device."""
    return [("zip", zip_entry(ATTENTION, "/etc/passwd", mode | 0o644)) for mode in KINDS]


def a97_links_and_devices_in_a_tar() -> list[Archive]:
    """Holds links of both kinds, a device, a pipe, a file with holes and a folder in the modules' places."""
    members = []
    for module, (kind, _) in TAR_KINDS.items():
        member = tarfile.TarInfo(f"{module}.py")
        member.type, member.linkname = kind, "/etc/passwd"
        members.append(member)
    return [("tar", tar_members(*members))]


def a99_names_that_lead_out() -> list[Archive]:
    """Holds modules under absolute names and names that climb up, to be written beside the folder of the submission."""
    zips = [("zip", zip_entry(name)) for name in LEADING_OUT]
    return [*zips, *(("tar.gz", tarred({WARMUP: "anna", name: "evil"})) for name in LEADING_OUT)]


def a99_one_name_twice() -> list[Archive]:
    """Holds the module twice, so that one reader takes this and another that."""
    twice = io.BytesIO()
    with tarfile.open(fileobj=twice, mode="w") as archive:
        for content in (b"anna", b"evil"):
            info = tarfile.TarInfo(WARMUP)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return [("zip", zip_entry(WARMUP)), ("tar", twice.getvalue())]


def a100_bomb_in_a_zip() -> list[Archive]:
    """Holds a module of thirty megabytes in a few kilobytes, and one that says it is a thousand bytes long."""
    honest = zipped({WARMUP: "anna", ATTENTION: b"\0" * CLAIMED})
    return [("zip", honest), ("zip", honest.replace(struct.pack("<L", CLAIMED), struct.pack("<L", 1000)))]


def a100_bomb_in_a_tar() -> list[Archive]:
    """Unpacks to a thousand times its size before its first useful name comes."""
    plain = tarred({WARMUP: "anna", "zeros": b"\0" * 3_000_000}, "w")
    return [("tar.gz", gzip.compress(plain)), ("tar.xz", lzma.compress(plain))]


def a100_archives_in_archives() -> list[Archive]:
    """Packs an archive into an archive into an archive, and a bomb into one."""
    inner = zipped({WARMUP: "anna"})
    return [("zip", zipped({"x.zip": zipped({"y.zip": inner})})), ("zip", zipped({"bomb.zip": b"\0" * 5_000_000}))]


def a100_too_many_names() -> list[Archive]:
    """Holds more names than anybody hands in files, and one of thousands of characters."""
    names = {WARMUP: "x"} | {f"{number}.txt": "" for number in range(12)}  # the limit is lowered for it
    return [("zip", zipped(names)), ("tar.gz", tarred(names)), ("zip", zipped({WARMUP: "x", "n" * 6_000: ""}))]


def a100_headers_without_end() -> list[Archive]:
    """Announces a name of eight gigabytes, and a list of holes that never ends."""
    giant = tarfile.TarInfo("././@LongLink")
    giant.type, giant.size = tarfile.GNUTYPE_LONGNAME, 8 * 1024**3
    holes = tarfile.TarInfo(WARMUP)
    holes.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"}
    digits = io.BytesIO()
    with tarfile.open(fileobj=digits, mode="w", format=tarfile.PAX_FORMAT) as archive:
        holes.size = 4_000_000
        archive.addfile(holes, io.BytesIO(b"1" * holes.size))
    return [("tar", giant.tobuf() + b"\0" * 1024), ("tar", digits.getvalue())]


def a100_sizes_out_of_range() -> list[Archive]:
    """Has a directory whose numbers lead anywhere, and one whose entries are none."""
    good = zipped({WARMUP: "anna"})
    return [("zip", good[:-22] + b"PK\5\6" + b"\xff" * 18), ("zip", good.replace(b"PK\1\2", b"PK\1\1"))]


def a102_names_alike_in_an_archive() -> list[Archive]:
    """Holds a module whose name differs in case, and one in a file whose name is no text."""
    odd = tarred({WARMUP: "anna", "\udcff\udcfe/x.txt": "evil"})
    return [("zip", zip_entry("M00_WARMUP.py")), ("tar.gz", odd)]


def b180_headers_in_front_of_headers() -> list[Archive]:
    """Puts more extended headers in front of one name than any tool writes, and one larger than all that it could say."""
    small = [pax_block({f"comment{number}": "x"}) for number in range(9)]
    return [("tar", b"".join([*small, plain_member(ATTENTION)])), ("tar", pax_block({"comment": "x" * 70_000}) + END)]


def b181_records_that_end_elsewhere() -> list[Archive]:
    """Has records in an extended header that say they are longer than it, are no numbers, or lack their key."""
    records = (b"99 path=m04_attention.py\n", b"x9 path=m04_attention.py\n", b"11 =nothing\n\n", b"5 a=b\n3\n")
    return [("tar", pax_raw(record) + plain_member(ATTENTION)) for record in records]


def b182_one_name_for_all() -> list[Archive]:
    """Says once for all members what their name is, which some readers obey and others don't."""
    return [("tar", pax_block({"path": ATTENTION}, tarfile.XGLTYPE) + plain_member(WARMUP))]


def b183_sizes_in_extended_headers() -> list[Archive]:
    """Says in an extended header that a member is larger than the archive, smaller than nothing, or no number at all."""
    sizes = ("99999999", "9" * 30, "-512", "0x10", "")
    return [("tar", pax_block({"size": size}) + plain_member(ATTENTION)) for size in sizes]


def b184_claims_of_a_long_end() -> list[Archive]:
    """Ends as a zip archive beyond four gigabytes does, with a list of names that is larger than any, or nowhere."""
    good = zipped({WARMUP: "anna"})
    huge = long_ended(good, directory=2**62)
    return [("zip", huge), ("zip", long_ended(good, where=2**62)), ("zip", long_ended(good, directory=9 * 2**20))]


END = b"\0" * 1024


def pax_block(records: dict[str, str], kind: bytes = tarfile.XHDTYPE) -> bytes:
    """Return an extended header of a tar archive."""
    made = tarfile.TarInfo("x").create_pax_global_header(records)
    return pax_raw(made[512:].rstrip(b"\0"), kind)


def pax_raw(content: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """Return an extended header whose content is exactly this."""
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = kind, len(content)
    return info.tobuf(tarfile.USTAR_FORMAT) + content + b"\0" * (-len(content) % 512)


def plain_member(name: str, content: bytes = b"evil") -> bytes:
    """Return a member of a tar archive and the archive's end."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info.tobuf(tarfile.USTAR_FORMAT) + content + b"\0" * (-len(content) % 512) + END


def long_ended(archive: bytes, directory: int | None = None, where: int | None = None) -> bytes:
    """Return a zip archive that ends as one beyond four gigabytes does; honestly, unless it is told what to claim."""
    size, offset = struct.unpack_from("<LL", archive, len(archive) - 10)
    (count,) = struct.unpack_from("<H", archive, len(archive) - 12)
    body, at = archive[:-22], len(archive) - 22
    claimed = size if directory is None else directory
    record = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, claimed, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at if where is None else where, 1)
    ones = b"\xff" * 2
    return body + record + locator + b"PK\5\6\0\0\0\0" + ones * 2 + ones * 4 + b"\0\0"


def zip_entry(name: str, content: str = "evil", mode: int = 0) -> bytes:
    """Return a zip archive of a good module and one entry more."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a name that is there twice
        archive.writestr(WARMUP, "anna")
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        info.external_attr = mode << 16
        archive.writestr(info, content)
    return data.getvalue()


ALL = [thing for name, thing in sorted(globals().items()) if name[:1] in "ab" and name[1:3].isdigit()]
