#!/usr/bin/env python3
"""Captures pieces of a Go program for the tests of auditor/src/target/go, with what they mean.

    capture.py PROGRAM FUNCTION... > NAME.txt

The pieces are the program's own bytes at their own places, so that what is not captured reads as zero. Only
the rows of the function table are made anew, with the chosen functions alone. What they mean is taken from
elsewhere: from DWARF (frames by llvm-symbolizer, frame sizes by .debug_frame, types by the attribute that
names their descriptions) and from the symbol table. Needs pyelftools and LLVM.
"""
import random
import re
import struct
import subprocess
import sys

from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile

program, chosen = sys.argv[1], sys.argv[2:]
data = open(program, "rb").read()
elf = ELFFile(open(program, "rb"))
dwarf = elf.get_dwarf_info()
symbols = {symbol.name: symbol["st_value"] for symbol in elf.get_section_by_name(".symtab").iter_symbols()}
random.seed(7)


def offset_of(address):
    for segment in elf.iter_segments("PT_LOAD"):
        if segment["p_vaddr"] <= address < segment["p_vaddr"] + segment["p_filesz"]:
            return segment["p_offset"] + address - segment["p_vaddr"]
    raise KeyError(hex(address))


pieces = {}


def piece(space, at, base, length):
    """Takes bytes of the file; `at` is where they are, counted from `base`."""
    pieces[space, at] = data[base + at : base + at + length]


def u32(at):
    return struct.unpack_from("<I", data, at)[0]


def u64(at):
    return struct.unpack_from("<Q", data, at)[0]


# The function table.
section = next(s for s in elf.iter_sections() if s.name.endswith("gopclntab"))
table, size = section["sh_offset"], section["sh_size"]
is_1_20 = u32(table) == 0xFFFFFFF1
count = u64(table + 8)
names, units, files, values, functions = (u64(table + at) for at in range(32, 72, 8))
module = offset_of(symbols["runtime.firstmoduledata"])
gofunc = offset_of(symbols["go:func.*" if "go:func.*" in symbols else "go.func.*"])
text = symbols["runtime.text"]


def string(at):
    end = data.index(b"\0", table + at)
    piece("table", at, table, end + 1 - table - at)
    return data[table + at : end].decode()


def varint(at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def value_table(at):
    """Takes a table of values; the values in it."""
    if at == 0:
        return set()
    found, value, here = set(), -1, table + values + at
    while True:
        change, after = varint(here)
        if change == 0 and here > table + values + at:
            break
        value += (change >> 1) ^ -(change & 1)
        found.add(value)
        _, here = varint(after)
    piece("table", values + at, table, after - table - values - at)
    return found


rows, ends = [], []
for row in range(count):
    entry, record = u32(table + functions + 8 * row), u32(table + functions + 8 * row + 4)
    at = table + functions + record
    end = data.index(b"\0", table + names + u32(at + 4))
    if data[table + names + u32(at + 4) : end].decode() not in chosen:
        continue
    string(names + u32(at + 4))
    fixed = 44 if is_1_20 else 40
    listed, trees = u32(at + 28), data[at + fixed - 1]
    piece("table", functions + record, table, fixed + 4 * listed + 4 * trees)
    value_table(u32(at + 16))
    for number in value_table(u32(at + 20)):
        if number >= 0:
            unit = units + 4 * (u32(at + 32) + number)
            piece("table", unit, table, 4)
            string(files + u32(table + unit))
    value_table(u32(at + 24))
    calls = value_table(u32(at + fixed + 8)) if listed > 2 else set()
    tree = u32(at + fixed + 4 * listed + 12) if trees > 3 else 0xFFFFFFFF
    if tree != 0xFFFFFFFF:
        width, where = (16, 4) if is_1_20 else (20, 12)
        for call in range(max(calls) + 1 if calls else 0):
            piece("function data", tree + call * width, gofunc, width)
            string(names + u32(gofunc + tree + call * width + where))
    rows.append((entry, record))
    ends.append(u32(table + functions + 8 * row + 8))
pieces["table", 0] = data[table : table + 8] + struct.pack("<Q", len(rows)) + data[table + 16 : table + 72]
made = b"".join(struct.pack("<II", *row) for row in rows) + struct.pack("<I", ends[-1])
pieces["table", functions] = made

# What the frames are.
sizes = {}
for entry in dwarf.CFI_entries():
    if isinstance(entry, FDE):
        decoded = entry.get_decoded().table
        for index, row in enumerate(decoded):
            last = entry["initial_location"] + entry["address_range"]
            end = decoded[index + 1]["pc"] if index + 1 < len(decoded) else last
            sizes[row["pc"], end] = row["cfa"].offset - 8


def frame_size(pc):
    return next(size for (start, end), size in sizes.items() if start <= pc < end)


meanings = []
for (entry, _), end in zip(rows, ends):
    for pc in sorted(random.sample(range(text + entry, text + min(end, entry + 600)), 6)):
        lines = subprocess.run(
            ["llvm-symbolizer", "-i", "-f", "-e", program, hex(pc)], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        places = [place.removeprefix("./").rsplit(":", 1)[0] for place in lines[1::2]]
        frames = [f"{name} ({place})" for name, place in zip(lines[::2], places)]
        meanings.append(f"frames {pc:x} {frame_size(pc)} {' <- '.join(frames)}")

# The table of contents.
piece("module", 0, module, 608)
edges = "text etext noptrdata enoptrdata data edata bss ebss noptrbss enoptrbss types etypes".split()
meanings.append("module " + " ".join(f"{symbols['runtime.' + edge]:x}" for edge in edges))

# Types: maps of a few kinds with all that they lead to at once.
types, end_of_types = symbols["runtime.types"], symbols["runtime.etypes"]
base = offset_of(types)
taken = set()


def described(address, length, depth):
    if address in taken or not types <= address < end_of_types:
        return
    taken.add(address)
    at = address - types
    piece("types", at, base, length)
    name_at = u32(base + at + 40)
    text_length, after = varint(base + name_at + 1)
    piece("types", name_at, base, after - base - name_at + text_length)
    kind = data[base + at + 23] & 31
    if depth == 0 or kind not in (21, 22, 25):
        return
    if kind == 22:
        described(u64(base + at + 48), 88, depth - 1)
    elif kind == 21:
        for field in (48, 56, 64):
            described(u64(base + at + field), 88, depth)
    else:
        first, fields = u64(base + at + 56) - types, u64(base + at + 64)
        piece("types", first, base, 24 * fields)
        for field in range(fields):
            name, kind_at = u64(base + first + 24 * field) - types, u64(base + first + 24 * field + 8)
            text_length, after = varint(base + name + 1)
            piece("types", name, base, after - base - name + text_length)
            described(kind_at, 88, depth - 1)


# DW_AT_go_runtime_type (0x2904) counts from the beginning of all types; DWARF names have whole paths.
found = []
for unit in dwarf.iter_CUs():
    for die in unit.iter_DIEs():
        name = die.attributes["DW_AT_name"].value.decode() if "DW_AT_name" in die.attributes else ""
        if die.tag == "DW_TAG_typedef" and name.startswith("map[") and 0x2904 in die.attributes:
            if die.attributes[0x2904].value > 0:
                found.append((types + die.attributes[0x2904].value, re.sub(r"[\w.-]+/", "", name)))
found.sort()
for at, name in found[:: max(1, len(found) // 6)]:
    described(at, 136, 2)
    meanings.append(f"map {at:x} {name}")

# How it was built.
section = elf.get_section_by_name(".go.buildinfo")
pieces["build", 0] = section.data()

print("# Made by capture.py; see README.md.")
print(f"places {size:x} {text:x} {symbols['runtime.firstmoduledata']:x} {types:x} {end_of_types - types:x}")
print("\n".join(meanings))
for (space, at), taken_bytes in sorted(pieces.items()):
    print(f"{space.replace(' ', '-')} {at:x} {taken_bytes.hex()}")
