#!/bin/bash
# SPDX-License-Identifier: MIT
# report.sh: the page and the Markdown that a run writes: whole, well-formed, about every claim, drawn from the
# captures that were kept, and in need of nothing else.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib.sh

# A pair, a raw peer, a router, curves; and one that answers with RST.
claims="close-wait-segments time-wait-syn-lower nat-breaks-time-wait linger-zero-loses parity-cliff"
page=$T_DIR/report.html
# shellcheck disable=SC2086 # words
"$LASTACK" lab run $claims --seeds 2 --report "$page" --keep-pcap "$T_DIR/pcap" >"$T_DIR/out" 2>"$T_DIR/err"
[ $? -ne 77 ] || t_skip_all "$(cat "$T_DIR/out" "$T_DIR/err" | tail -n 1)"
t_plan 13

# ---- the page, as text ----
t_ok "there is a page" test -s "$page"
missing=
for id in $claims; do
	grep -q "<section id=\"$id\"" "$page" && grep -q "href=\"#$id\"" "$page" || missing="$missing $id"
done
t_is "with a section of every claim, and a link to it" "$missing" ""
t_is "all verdicts of the table are in their sections" \
	"$(sed '1d; s/\t.*//' "$T_DIR/out" | sort | uniq -c)" \
	"$(sed -n '/<section/,/<p class="finding"/p' "$page" | grep -o '^<p><span class="badge [A-Z]*' |
		sed 's/.* //' | sort | uniq -c)"
# No resource from anywhere: nothing with src, no link but within the page, no url(), no @import, no script.
t_is "it needs nothing else" "$(grep -noiE \
	'(src|href|action|data|poster|background)="[^#"][^"]*"|url\(|@import|<(script|link|iframe|object|embed|img)' \
	"$page" | head -n 5)" ""
t_is "no control characters" "$(LC_ALL=C grep -c "$(printf '[\001-\010\013-\037\177]')" "$page")" 0

# ---- as a document ----
if command -v python3 >/dev/null; then
	cat >"$T_DIR/check.py" <<'END'
import html.parser, re, struct, sys, glob
import xml.etree.ElementTree as ET

what, page, pcaps = sys.argv[1:4]
text = open(page, encoding="utf-8").read()
root = ET.fromstring(text.split("\n", 1)[1])  # behind the DOCTYPE; raises if it is not well-formed
svgs = list(root.iter("svg"))


def classes(element, name, tag):
    return [e for e in element.iter(tag) if name in e.get("class", "").split()]


def tcp_packets(path):
    data = open(path, "rb").read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at, count = 24, 0
    while at < len(data):
        kept = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        frame = data[at + 16:at + 16 + kept]
        kind = frame[12:14]
        count += (kind == b"\x08\x00" and frame[23] == 6) or (kind == b"\x86\xdd" and frame[20] == 6)
        at += 16 + kept
    return count


def well_formed():
    """As XML, and as HTML; ids are unique, links have a target."""
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids)), [i for i in ids if ids.count(i) > 1]
    for e in root.iter("a"):
        assert e.get("href")[1:] in ids, e.get("href")
    for svg in svgs:
        for reference in svg.get("aria-labelledby", "").split():
            assert reference in ids, reference
    for e in root.iter():
        if e.tag in ("body", "main", "header", "section", "div", "figure", "details", "table", "tr", "dl"):
            for words in [e.text] + [child.tail for child in e]:
                assert not (words or "").strip(), ("outside of any paragraph", words)

    class Parser(html.parser.HTMLParser):
        CDATA_CONTENT_ELEMENTS = ("style", "script")
        svgs = 0

        def handle_starttag(self, tag, attributes):
            self.svgs += tag == "svg"
    parser = Parser()
    parser.feed(text)
    parser.close()
    assert parser.svgs == len(svgs) > 4, (parser.svgs, len(svgs))


def accessible():
    """Headings go down one by one; every picture has a title; tables have heads; the language is said."""
    assert root.get("lang") == "en"
    assert root.find("head/title").text and root.find("head/meta[@name='viewport']") is not None
    levels = [int(e.tag[1]) for e in root.iter() if re.fullmatch("h[1-6]", e.tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:])), levels
    for svg in svgs:
        assert svg.get("role") == "img" and svg.find("title").text
        assert svg.get("class") == "dots" or svg.find("desc").text
    for table in root.iter("table"):
        assert table.find("thead") is not None and all(th.get("scope") for th in table.iter("th"))


def arrows():
    """A diagram has an arrow for each segment that it says is drawn, and at most 48 a claim."""
    diagrams = classes(root, "sequence", "svg")
    assert len(diagrams) >= 4, len(diagrams)
    for svg in diagrams:
        drawn = int(svg.get("data-segments"))
        assert drawn > 0 and len(classes(svg, "arrow", "path")) == drawn
        assert len(classes(svg, "segment", "g")) == drawn
        said = sum(int(m) for t in classes(svg, "omitted", "text")
                   for m in re.findall(r"^\d+|(?<= and )\d+(?= ACK)", t.text))
        assert said == int(svg.get("data-left-out")), (said, svg.get("data-left-out"))
    for section in root.iter("section"):
        assert sum(int(s.get("data-segments")) for s in classes(section, "sequence", "svg")) <= 48


def from_the_capture():
    """What a claim's diagrams draw and leave out is what its first capture holds."""
    checked = 0
    for section in root.iter("section"):
        files = glob.glob("%s/%s-seed1*.pcap" % (pcaps, section.get("id")))
        diagrams = classes(section, "sequence", "svg")
        if not files:
            continue
        drawn = sum(int(s.get("data-segments")) + int(s.get("data-left-out")) for s in diagrams)
        less = [p.text for p in classes(section, "less", "p")]
        if less:
            connections, shown, segments, _ = map(int, re.findall(r"\d+", less[0])[:4])
            assert shown == len(diagrams) < connections and drawn < segments
            drawn = segments
        assert drawn == sum(map(tcp_packets, files)) > 0, (section.get("id"), drawn, files)
        checked += 1
    assert checked >= 3, checked


def apart():
    """No two texts of a diagram lie over one another, nor outside of the picture."""
    for svg in classes(root, "sequence", "svg"):
        width, height = map(float, svg.get("viewBox").split()[2:])
        boxes = []
        for text in svg.iter("text"):
            x, y, wide = float(text.get("x")), float(text.get("y")), 6.7 * len(text.text)
            x -= {"start": 0, "middle": wide / 2, "end": wide}[text.get("text-anchor")]
            boxes.append((x, y, x + wide, text.text))
            assert x >= 0 and x + wide <= width and 10 <= y <= height, (text.text, x, wide, width)
        for i, a in enumerate(boxes):
            for b in boxes[i + 1:]:
                assert abs(a[1] - b[1]) >= 10 or a[2] <= b[0] or b[2] <= a[0], (a, b)


def story():
    """The section of the four closing segments shows them, with the states of both ends."""
    section = root.find(".//section[@id='close-wait-segments']")
    svg = classes(section, "sequence", "svg")[0]
    labels = [t.text for t in classes(svg, "label", "text")]
    states = [t.text.split(",")[0] for t in classes(svg, "state", "text")]
    assert labels[0].startswith("[S] seq ") and labels[1].startswith("[S.] seq "), labels
    assert sum(l.startswith("[F.] seq ") for l in labels) == 2, labels
    assert "CLOSE_WAIT" in states and "FIN_WAIT2" in states and "TIME_WAIT" in states, states
    section = root.find(".//section[@id='linger-zero-loses']")
    assert classes(section, "cross", "path"), "no RST"
    assert root.find(".//section[@id='parity-cliff']//svg[@class='plot']") is not None


globals()[what]()
END
	check() { t_ok "$1" python3 "$T_DIR/check.py" "$2" "$page" "$T_DIR/pcap"; }
	check "it is well-formed, its ids are unique, its links lead somewhere" well_formed
	check "headings, titles and heads of tables are there for who cannot see it" accessible
	check "each diagram has as many arrows as it says" arrows
	check "its segments are those of the capture" from_the_capture
	check "no text lies over another" apart
	check "four closing segments with both ends' states; a RST; a curve" story
else
	for sentence in "well-formed" "accessible" "arrows" "from the capture" "apart" "story"; do
		t_skip "$sentence" "no python3"
	done
fi

# ---- Markdown ----
"$LASTACK" lab run close-wait-segments time-wait-syn-lower --seeds 1 --report "$T_DIR/report.md" >/dev/null 2>&1
t_is "Markdown has a heading for every claim" "$(grep '^## ' "$T_DIR/report.md" | tr '\n' ' ')" \
	"## close-wait-segments ## time-wait-syn-lower "
t_is "and no blanks at the ends of its lines" "$(grep -c '[[:space:]]$' "$T_DIR/report.md")" 0
t_done
