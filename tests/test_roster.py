"""The roster: read whatever a spreadsheet writes, refuse what is not clear, and find people without guessing."""

from __future__ import annotations

import pytest

from grader.classroom.book.standing import Student
from grader.classroom.intake.roster import Ambiguous, Claim, Roster, RosterError, load_roster

ANNA = Student("a1", "Anna Müller", "anna@example.org")
BOB = Student("b2", "Bob O'Neil", "bob@example.org")
CLASS = Roster((ANNA, BOB))


def write(tmp_path, text, encoding="utf-8"):
    """Write a roster and return its path."""
    path = tmp_path / "roster.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "text",
    [
        "id,name,email\na1,Anna Müller,anna@example.org\nb2,Bob O'Neil,bob@example.org\n",
        "\ufeffid;name;email\r\na1;Anna Müller;anna@example.org\r\nb2;Bob O'Neil;bob@example.org\r\n",
        "Email\tID\tGroup\tName\nanna@example.org\ta1\tx,y\tAnna Müller\nbob@example.org\tb2\t\tBob O'Neil",
        'id,email,name\n\n"a1","anna@example.org"," Anna  Müller "\n,,\nb2,bob@example.org,Bob O\'Neil\n',
    ],
    ids=["plain", "semicolons and a byte-order mark", "tabs and other columns", "quotes and blank lines"],
)
def test_a_roster_is_read_as_spreadsheets_write_it(tmp_path, text):
    """Separator, order, further columns, blank lines and a byte-order mark make no difference."""
    assert load_roster(write(tmp_path, text)) == CLASS


def test_name_and_email_may_be_absent(tmp_path):
    """Ids are all that a roster needs, and short rows are fine."""
    assert load_roster(write(tmp_path, "id,name\na1\nb2,Bob\n")).students == (Student("a1"), Student("b2", "Bob"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,email\nAnna,a@x\n", "needs a first line that names its columns: id,name,email."),
        ("a1,Anna,a@x\n", "needs a first line that names its columns: id,name,email."),
        ("", "needs a first line that names its columns: id,name,email."),
        ("id,name\n", "names nobody."),
        ("id,name\n,Anna\n", "has no id in line 2."),
        ("id,name\na1,Anna\n\nA1,Bob\n", "has the id A1 twice, in lines 2 and 4."),
        ("id,name,ID\na1,Anna,a2\n", "has two columns named id."),
        ('id,name\na1,"Anna\n', "is no CSV file: unexpected end of data."),
    ],
)
def test_a_roster_that_is_not_clear_is_refused(tmp_path, text, said):
    """Each way to be wrong is one sentence, with the line where there is one."""
    with pytest.raises(RosterError) as refused:
        load_roster(write(tmp_path, text))

    assert str(refused.value).endswith(said)
    assert str(refused.value).startswith("The roster ")


def test_a_file_that_is_none_is_refused(tmp_path):
    """What is absent, a folder, or in another encoding says so."""
    with pytest.raises(RosterError, match="There is no roster"):
        load_roster(tmp_path / "no.csv")
    with pytest.raises(RosterError, match="it is a folder, not a regular file"):
        load_roster(tmp_path)
    with pytest.raises(RosterError, match="save it as CSV in UTF-8"):
        load_roster(write(tmp_path, "id,name\na1,Müller\n", "latin-1"))


def test_names_in_a_roster_are_made_harmless(tmp_path):
    """Escape sequences and letters that can't be seen don't reach a report through the roster."""
    (student,) = load_roster(write(tmp_path, "id,name\na1,\x1b[31mAnna\u202e\n")).students

    assert student.name == "Anna\\u202e"


@pytest.mark.parametrize(
    "claim",
    [
        Claim("a1"),
        Claim("A1"),
        Claim("anna@example.org"),
        Claim("Anna@Example.org"),
        Claim("Anna Müller"),
        Claim("ANNA_MU\u0308LLER"),  # as macOS writes it
        Claim(id="a1", email="ANNA@example.org", name="somebody"),
        Claim(id="unknown", email="anna@example.org", name="Bob O'Neil"),
        Claim(id="a1", email="anna@example.org"),
        Claim(name="anna  müller"),
    ],
)
def test_a_student_is_found_by_id_email_and_name(claim):
    """The first of id, email and name that somebody has decides, spelling in another case included."""
    assert CLASS.find(claim) == ANNA


@pytest.mark.parametrize("word", ["anna", "Müller", "Anna", "Müller Anna", "a", "anna@", "a1 (1)", "", "  ", "a1.zip"])
def test_nobody_is_guessed(word):
    """A part of a name, or a name that is merely close, finds nobody."""
    assert CLASS.find(Claim(word)) is None


def test_a_claim_that_fits_two_is_refused():
    """Two students of one name are both named; their ids still tell them apart."""
    twins = Roster((Student("1", "Kim Lee"), Student("2", "kim lee"), Student("3", "KIM LEE"), Student("4", "Kim Lee")))

    with pytest.raises(
        Ambiguous, match=r"Kim Lee may be Kim Lee \(1\) and Kim Lee \(4\); name it by the student's id\."
    ):
        twins.find(Claim("Kim Lee"))
    with pytest.raises(Ambiguous, match=r"KIM Lee may be Kim Lee \(1\) and kim lee \(2\)"):
        twins.find(Claim("KIM Lee"))
    assert twins.find(Claim("2")) == Student("2", "kim lee")
    assert twins.find(Claim("kim lee")) == Student("2", "kim lee")


def test_an_id_and_an_email_of_two_people_are_refused():
    """Students can set their id on some platforms: one who takes another's does not get that one's marks."""
    with pytest.raises(Ambiguous, match=r"has the id of Bob O'Neil \(b2\) and the email of Anna Müller \(a1\)"):
        CLASS.find(Claim(id="b2", email="anna@example.org", name="Anna Müller"))


@pytest.mark.parametrize(
    "claim",
    [
        Claim(id="b2", email="eve@example.org", name="Eve"),
        Claim(email="eve@example.org", name="Bob O'Neil"),
        Claim(id="e5", name="Bob O'Neil"),
    ],
    ids=["another's id", "another's name", "another's name without an address"],
)
def test_an_id_or_a_name_with_an_address_of_nobody_is_refused(claim):
    """Ids and names are what people type; an address or an id that contradicts them is no student's claim."""
    with pytest.raises(Ambiguous, match=r"of Bob O'Neil \(b2\) and another (address|id) than the roster"):
        CLASS.find(claim)


def test_an_id_goes_before_a_name():
    """Somebody whose name is another's id does not take that one's place."""
    roster = Roster((Student("x", "a1"), ANNA))

    assert roster.find(Claim("a1")) == ANNA


def test_a_roster_of_a_university_is_read_and_a_flood_of_rows_is_refused(tmp_path):
    """Fifty thousand people are a roster; more rows than any class has, or a cell of megabytes, are one sentence."""
    people = "".join(f"s{number},Name {number},s{number}@x.org\n" for number in range(50_000))
    (tmp_path / "r.csv").write_text("id,name,email\n" + people)
    assert load_roster(tmp_path / "r.csv").find(Claim("Name 49999")).id == "s49999"

    for text, said in [
        ("id,name\n" + "x\n" * 300_000, "r.csv has more than 200,000 rows, which no class has."),
        ('id,name\n1,"\\"' + "x\n" * 300_000, "is no CSV file"),
        (f"id,name\n1,{'x' * 3_000_000}\n", "field larger than field limit"),
        (f"id,name\n1,{'x' * 100_000_000}\n", "it is larger than 4 MB"),
    ]:
        (tmp_path / "r.csv").write_text(text)
        with pytest.raises(RosterError) as refused:
            load_roster(tmp_path / "r.csv")
        assert said in str(refused.value) and "\n" not in str(refused.value)
