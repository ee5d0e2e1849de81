"""A foreign TDS client, python-tds, on the SQL Server that `iacsh sandbox serve` opens.

Arguments: host, port, user, password. Prints what it checked; ends with 1 and the reason when something is not right.
"""

import datetime
import decimal
import sys
import uuid

import pytds

HOST, PORT, USER, PASSWORD = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]


def connect(password=PASSWORD, **options):
    return pytds.connect(server=HOST, port=PORT, user=USER, password=password, login_timeout=20, timeout=20, **options)


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r} instead of {wanted!r}")
    print(what)


def number(work):
    """The number of the error that SQL Server gives."""
    try:
        work()
    except pytds.Error as error:
        return getattr(error, "number", str(error))
    return None


def main():
    expect("a wrong password is refused", number(lambda: connect("wrong")), 18456)
    expect("an unknown database is refused", number(lambda: connect(database="none")) in (4060, 18456), True)
    with connect(autocommit=True) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE DATABASE Strangers")
    with connect(database="Strangers", autocommit=True) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT DB_NAME()")
        expect("the login's database", cursor.fetchall(), [("Strangers",)])
        cursor.execute(
            "CREATE TABLE Things (Id int IDENTITY PRIMARY KEY, Name nvarchar(50) NOT NULL UNIQUE, Price decimal(9, 2),"
            " Made datetime2, Code uniqueidentifier, Raw varbinary(max), Live bit)"
        )
        made, code = datetime.datetime(2026, 1, 31, 23, 59, 58), uuid.uuid4()
        values = ("Größe — 漢字 😀", decimal.Decimal("12.50"), made, code, pytds.Binary(b"\x00\xff" * 5000), True)
        cursor.execute(
            "INSERT INTO Things (Name, Price, Made, Code, Raw, Live) VALUES (%s, %s, %s, %s, %s, %s)", values
        )
        cursor.execute("SELECT Name, Price, Made, Code, Raw, Live FROM Things WHERE Name LIKE %s", ("Gr%",))
        expect("values of each type, there and back", cursor.fetchall(), [values])
        cursor.execute("SELECT Id FROM Things; SELECT COUNT(*) FROM Things")
        first = cursor.fetchall()
        cursor.nextset()
        expect("two results of one batch", (first, cursor.fetchall()), ([(1,)], [(1,)]))
        twice = lambda: cursor.execute("INSERT INTO Things (Name) VALUES (%s)", (values[0],))
        expect("a duplicate is refused", number(twice), 2627)
        expect("a table that is not there", number(lambda: cursor.execute("SELECT * FROM Nothing")), 208)
        cursor.executemany("INSERT INTO Things (Name) VALUES (%s)", [(f"thing {place}",) for place in range(500)])
        cursor.execute("SELECT Name FROM Things WHERE Id > 1 ORDER BY Id")
        expect("many rows", len(cursor.fetchall()), 500)
    with connect(database="Strangers") as connection:
        cursor = connection.cursor()
        cursor.execute("DELETE FROM Things")
        connection.rollback()
        cursor.execute("SELECT COUNT(*) FROM Things")
        expect("a rollback", cursor.fetchall(), [(501,)])
        cursor.execute("UPDATE Things SET Live = 0")
        connection.commit()
    with connect(database="Strangers") as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT COUNT(*) FROM Things WHERE Live = 0")
        expect("a commit, seen by another connection", cursor.fetchall(), [(501,)])


main()
