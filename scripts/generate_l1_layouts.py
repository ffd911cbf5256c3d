#!/usr/bin/env python3
"""Writes crates/sources/src/l1/layout_table.rs from l1_layouts.json, one row for all releases with one layout.

    scripts/generate_l1_layouts.py           writes the table
    scripts/generate_l1_layouts.py --check   exits with 1 if the table in the repository is another one

The test `layout_table_says_what_the_data_says` of ttmem-sources compares every number without Python.
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "scripts" / "l1_layouts.json"
TABLE = ROOT / "crates" / "sources" / "src" / "l1" / "layout_table.rs"

CONFIG = [
    ("base", "kernel_config_base"),
    ("local_cb_offset", "local_cb_offset"),
    ("remote_cb_offset", "remote_cb_offset"),
    ("mode", "mode"),
    ("text_offset", "kernel_text_offset"),
    ("text_size", "kernel_text_size"),
    ("local_cb_mask", "local_cb_mask"),
    ("min_remote_cb_index", "min_remote_cb_start_index"),
    ("host_assigned_id", "host_assigned_id"),
    ("enables", "enables"),
    ("kernel_ids", "watcher_kernel_ids"),
    ("preload", "preload"),
]
CORE_INFO = [
    ("grid_x", "worker_grid_size_x"),
    ("grid_y", "worker_grid_size_y"),
    ("logical_x", "absolute_logical_x"),
    ("logical_y", "absolute_logical_y"),
    ("unreserved", "l1_unreserved_start"),
    ("magic", "core_magic_number"),
]
RESERVED = [
    ("mailbox", "mailbox_base"),
    ("zeros", "zeros_base"),
    ("brisc firmware", "brisc_firmware_base"),
    ("ncrisc firmware", "ncrisc_firmware_base"),
    ("trisc0 firmware", "trisc0_firmware_base"),
    ("trisc1 firmware", "trisc1_firmware_base"),
    ("trisc2 firmware", "trisc2_firmware_base"),
    ("noc counters", "noc_counter_base"),
    ("routing tables", "tensix_routing_table_base"),
    ("packet headers", "packet_header_pool_base"),
]
OPTIONAL = {"text_size", "go_message_index", "magic"}

HEAD = """\
//! The layouts of thirteen ttnn releases. Written by `scripts/generate_l1_layouts.py`: change
//! `scripts/l1_layouts.json` and run it.

use ttmem_model::Arch;

use super::layout::{CoreInfoFields, Field, KernelConfig, Mailbox, MemoryMap, Row};

const fn at(offset: u32, bytes: u32) -> Field {
    Field::new(offset, bytes)
}
"""


def field(name, pair):
    if pair is None:
        assert name in OPTIONAL, name
        return f"{name}: None,"
    text = f"at({pair[0]}, {pair[1]})"
    return f"{name}: Some({text})," if name in OPTIONAL else f"{name}: {text},"


def number(value):
    return f"{value:_}"


def fields(pairs, data):
    return " ".join(field(ours, data[theirs]) for ours, theirs in pairs)


def mailbox_fields(data):
    """What of a release goes into its Mailbox; two releases share one if this is the same."""
    keys = ("sizeof_mailboxes", "launch_msg_rd_ptr", "launch", "launch_stride", "kernel_config",
            "go_messages", "go_message_index", "core_info")
    return {key: data[key] for key in keys}


def mailbox(name, data):
    config = data["kernel_config"]
    lines = [
        "#[rustfmt::skip]",
        f"const {name}: Mailbox = Mailbox {{",
        f"    bytes: {number(data['sizeof_mailboxes'])}, slot_bytes: {data['launch_stride']},",
        "    " + fields([("read_pointer", "launch_msg_rd_ptr"), ("launch", "launch")], data),
        "    config: KernelConfig {",
        *("        " + fields(CONFIG[start : start + 4], config) for start in range(0, len(CONFIG), 4)),
        "    },",
        "    " + fields([("go_messages", "go_messages"), ("go_message_index", "go_message_index")], data),
        "    core_info: CoreInfoFields {",
        "        " + fields(CORE_INFO[:4], data["core_info"]),
        "        " + fields(CORE_INFO[4:], data["core_info"]),
        "    },",
        "};",
    ]
    return "\n".join(lines)


def row(arch, releases, data, name):
    memory = data["memory"]
    reserved = [
        f'("{ours}", {number(memory[theirs])}),'
        for ours, theirs in RESERVED
        if memory[theirs] is not None
    ]
    lines = [
        "    Row {",
        f"        arch: Arch::{arch.capitalize()},",
        "        releases: &[" + ", ".join(f'"{release}"' for release in releases) + "],",
        f"        mailbox: {name},",
        "        memory: MemoryMap {",
        f"            mailbox: {memory['mailbox_base']}, ring_start: {number(memory['map_end'])}, "
        f"l1_bytes: {number(memory['l1_size'])}, circular_buffers: {data['circular_buffers']},",
        "            reserved: &[",
        *("                " + " ".join(reserved[start : start + 3]) for start in range(0, len(reserved), 3)),
        "            ],",
        "        },",
        "    },",
    ]
    return "\n".join(lines)


def table(releases):
    mailboxes, rows = [], []
    for arch in ("wormhole", "blackhole"):
        groups = []
        for release, archs in releases.items():
            if groups and groups[-1][1] == archs[arch]:
                groups[-1][0].append(release)
            else:
                groups.append(([release], archs[arch]))
        for names, data in groups:
            shared = next((name for name, other in mailboxes if other == mailbox_fields(data)), None)
            if shared is None:
                shared = f"{arch}_{names[0].replace('.', '_')}".upper()
                mailboxes.append((shared, mailbox_fields(data)))
            rows.append(row(arch, names, data, shared))
    doc = "/// Every known layout, Wormhole first, oldest first.\n"
    constants = "\n\n".join(mailbox(name, data) for name, data in mailboxes)
    body = "\n".join(rows)
    return f"{HEAD}\n{constants}\n\n{doc}#[rustfmt::skip]\npub const ROWS: &[Row] = &[\n{body}\n];\n"


def main():
    text = table(json.loads(DATA.read_text())["releases"])
    if sys.argv[1:] == ["--check"]:
        if TABLE.read_text() != text:
            sys.exit(f"{TABLE.relative_to(ROOT)} is not what {DATA.name} gives; run {sys.argv[0]}")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        TABLE.write_text(text)


main()
