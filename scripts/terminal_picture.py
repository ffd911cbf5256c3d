#!/usr/bin/env python3
"""Draws what a command printed to a terminal as an SVG picture.

    ttmem --demo --color always | scripts/terminal_picture.py "ttmem --demo" > docs/pictures/demo.svg

Of what runs in tmux: `tmux capture-pane -e -p | scripts/terminal_picture.py "ttmem top"`.
"""

import html
import re
import sys
import unicodedata

CELL, LINE, SIZE, MARGIN, TITLE = 8.4, 18, 14, 16, 36
PAPER, INK, DIM = "#16181d", "#d6dae2", "#7c8494"
COLOURS = dict(zip(range(30, 38), ("#3a3f4a", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", INK)))


def runs(line):
    """The pieces of a line that look the same: (text, colour, background or None, bold)."""
    colour, paper, bold = INK, None, False
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        if not piece.startswith("\x1b"):
            if piece:
                yield piece, colour, paper, bold
            continue
        codes = iter([int(code or 0) for code in piece[2:-1].split(";")])
        for code in codes:
            if code == 0:
                colour, paper, bold = INK, None, False
            elif code == 1:
                bold = True
            elif code == 2:
                colour = DIM
            elif code in (38, 48) and next(codes) == 2:
                mixed = "#" + "".join(f"{next(codes):02x}" for _ in range(3))
                colour, paper = (mixed, paper) if code == 38 else (colour, mixed)
            elif code == 39:
                colour = INK
            elif code == 49:
                paper = None
            elif code in COLOURS:
                colour = COLOURS[code]
            elif code - 60 in COLOURS:
                colour = COLOURS[code - 60]


def width(text):
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def main():
    lines = sys.stdin.read().rstrip("\n").split("\n")
    columns = max(width(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines)
    wide, high = columns * CELL + 2 * MARGIN, len(lines) * LINE + TITLE + MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high}" width="{wide:.0f}">')
    print(f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>')
    print(f'<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace" font-size="{SIZE}">')
    print(f'<text x="{MARGIN}" y="24" fill="{DIM}">$ {html.escape(sys.argv[1])}</text>')
    for number, line in enumerate(lines):
        column = 0
        for text, colour, paper, bold in runs(line):
            cells = width(text)
            if paper:
                x, y = MARGIN + column * CELL, TITLE + number * LINE
                print(f'<rect x="{x:.1f}" y="{y}" width="{cells * CELL:.1f}" height="{LINE}" fill="{paper}"/>')
            if text.strip():
                lead = len(text) - len(text.lstrip())
                shown = text.strip()
                x, y = MARGIN + (column + lead) * CELL, TITLE + (number + 1) * LINE - 4
                weight = ' font-weight="bold"' if bold else ""
                print(
                    f'<text x="{x:.1f}" y="{y}" textLength="{width(shown) * CELL:.1f}" lengthAdjust="spacingAndGlyphs" '
                    f'fill="{colour}"{weight} xml:space="preserve">{html.escape(shown)}</text>'
                )
            column += cells
    print("</g>\n</svg>")


main()
