"""What a traffic sign or light means: codes of the catalogues that OpenDRIVE files use, sorted into a few kinds.

Files name signs by the codes of a country's road traffic rules. Those of Germany (StVO) also serve where the country is
"OpenDRIVE" or unknown, together with OpenDRIVE's own numbers above 1,000,000 for lights and markings.
"""

import re

KMH, MPH = 1.0 / 3.6, 0.44704

_GERMAN = {
    "102": "yield_right", "201": "level_crossing", "205": "yield", "206": "stop", "208": "yield_oncoming",
    "209": "turn", "211": "turn", "214": "turn", "215": "roundabout", "220": "one_way", "222": "pass_side",
    "224": "bus_stop", "237": "cycle_path", "239": "footpath", "240": "footpath", "241": "footpath",
    "242": "footpath", "244": "cycle_path", "245": "bus_lane", "250": "no_vehicles", "251": "no_vehicles",
    "260": "no_vehicles", "267": "no_entry", "272": "no_turn", "274": "speed_limit", "274.1": "speed_limit",
    "274.2": "speed_limit_end", "275": "speed_minimum", "276": "no_overtaking", "277": "no_overtaking",
    "278": "speed_limit_end", "280": "no_overtaking_end", "281": "no_overtaking_end", "282": "restrictions_end",
    "283": "no_stopping", "286": "no_parking", "293": "crossing", "294": "stop_line", "297": "arrow",
    "301": "priority_next", "306": "priority", "307": "priority_end", "308": "priority_oncoming", "310": "town",
    "311": "town_end", "314": "parking", "330": "motorway", "330.1": "motorway", "330.2": "motorway_end",
    "331": "expressway", "331.1": "expressway", "331.2": "expressway_end", "341": "yield_line", "350": "crossing",
    "1000000": "light", "1000001": "light", "1000002": "pedestrian_light", "1000003": "crossing",
    "1000007": "pedestrian_light", "1000013": "bicycle_light",
}  # fmt: skip
_LIGHTS = range(1_000_008, 1_000_021)
_COUNTRIES = {
    "us": {"r1-1": "stop", "r1-2": "yield", "r2-1": "speed_limit", "r5-1": "no_entry", "r6-1": "one_way"}
    | {"r1-5": "yield_line", "r1-6": "crossing", "s1-1": "crossing", "w11-2": "crossing", "r3-4": "no_turn"},
    "gb": {"601.1": "stop", "602": "yield", "670": "speed_limit", "616": "no_entry", "671": "speed_limit_end"},
    "fr": {"ab4": "stop", "ab3a": "yield", "ab6": "priority", "ab7": "priority_end", "b14": "speed_limit"}
    | {"b1": "no_entry", "c20a": "crossing"},
    "se": {"b1": "yield", "b2": "stop", "b3": "crossing", "b4": "priority", "b5": "priority_end", "c1": "no_entry"}
    | {"c27": "no_overtaking", "c28": "no_overtaking_end", "c31": "speed_limit", "c32": "speed_limit_end"},
}
_ALIASES = {"usa": "us", "gbr": "gb", "uk": "gb", "fra": "fr", "swe": "se", "deu": "de", "opendrive": "de"}
_NAMES = (
    (re.compile(r"stop_?line|haltlinie"), "stop_line"),
    (re.compile(r"(?:^|_)stop(?:$|[_\d])"), "stop"),
    (re.compile(r"(?:^|_)(?:yield|give_?way)(?:$|[_\d])"), "yield"),
    (re.compile(r"(?:^|_)speed(?:_?limit)?_(\d+)"), "speed_limit"),
    (re.compile(r"crosswalk|zebra"), "crossing"),
    (re.compile(r"arrow"), "arrow"),
    (re.compile(r"traffic_?light|signal_\dlight"), "light"),
)
_CODE_IN_NAME = re.compile(r"^(?:sg|sign|de)_?(\d{3}(?:\.\d)?)(?:\D|$)")


def signal_kind(type: str, subtype: str = "", country: str = "", name: str = "", dynamic: bool = False) -> str:
    """The kind of a sign or light: light, stop, yield, priority, speed_limit, crossing ...; `other` where unknown."""
    code, name = type.strip().lower(), name.strip().lower()
    land = _ALIASES.get(country.strip().lower(), country.strip().lower())
    table = _COUNTRIES.get(land, {})
    for key in (f"{code}{subtype}".lower(), f"{code}-{subtype}".lower(), code):
        if key in table:
            return table[key]
    if not table:
        kind = _GERMAN.get(f"{code}.{subtype}") or _GERMAN.get(code)
        if kind is not None:
            return kind
    if code.isdecimal() and len(code) == 7 and int(code) in _LIGHTS:
        return "light"
    if not table and code.isdecimal() and 100 < int(code) < 200:
        return "warning"
    return _kind_by_name(code, name, dynamic)


def _kind_by_name(code: str, name: str, dynamic: bool) -> str:
    """From names where codes say nothing: some exporters write type -1 and the kind into the name."""
    if code in ("stop", "yield", "light"):
        return code
    in_name = _CODE_IN_NAME.match(name)
    if in_name and in_name[1] in _GERMAN:
        return _GERMAN[in_name[1]]
    kind = next((kind for pattern, kind in _NAMES if pattern.search(name)), None)
    return kind or ("light" if dynamic and "light" in name else "other")


def sign_speed_mps(value: float | None, unit: str, type: str, subtype: str, country: str, name: str) -> float | None:
    """The limit that a speed sign tells, in m/s; None where it tells none.

    Without a unit a value counts as the country's: mph in the United States and Britain, km/h elsewhere. German signs
    may tell it by their subtype (274-55 is 50 km/h), Swedish ones by tens, others by their names.
    """
    land = _ALIASES.get(country.strip().lower(), country.strip().lower())
    scale = {"km/h": KMH, "mph": MPH, "m/s": 1.0}.get(unit) or (MPH if land in ("us", "gb") else KMH)
    if value is not None and value > 0.0:
        return value * scale * (10.0 if land == "se" and not unit and value <= 13.0 else 1.0)
    if land in ("", "de") and type == "274" and subtype.isdecimal() and 51 <= int(subtype) <= 63:
        return (int(subtype) - 50) * 10.0 * KMH
    told = re.search(r"(?:speed\D*|274-)(\d{1,3})(?:\D|$)", name.lower())
    return float(told[1]) * scale if told and float(told[1]) > 0.0 else None
