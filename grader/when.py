"""A time as a person types it: with its offset, or in a time zone that goes without saying, and a day means its end."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, tzinfo

YEARS = range(1970, 9999)
END_OF_DAY = time(23, 59, 59)


def read(text: str, zone: tzinfo | None) -> tuple[datetime, bool]:
    """Return a time with its offset, and whether it had one: else it is meant in `zone`, or in this machine's zone.

    Example: "2026-10-12" in Europe/Berlin -> 2026-10-12T23:59:59+02:00. Raises ValueError with the half of a sentence.
    """
    try:
        found = datetime.combine(date.fromisoformat(text), END_OF_DAY)
    except ValueError:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("is no date like 2026-10-12, and no time like 2026-10-12T23:59:00+02:00") from None
    if found.year not in YEARS:
        raise ValueError(f"is in the year {found.year}, and no course is")
    if found.utcoffset() is not None:
        return found, True
    meant = found.astimezone() if zone is None else found.replace(tzinfo=zone)
    if meant.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != found:
        raise ValueError(f"is a time that the clocks of {zone or 'this machine'} skip")
    return meant, False


def zone_said(zone: tzinfo | None) -> str:
    """Return whose time zone a time without an offset was read in, in words."""
    return f"the course's time zone, {zone}" if zone is not None else "this machine's time zone"
