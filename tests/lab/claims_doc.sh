#!/bin/bash
# SPDX-License-Identifier: MIT
# claims_doc.sh [FILE]: doc/claims.md, which a run has written, is about the claims as they are now: every claim,
# its present texts, the verdict that it documents for the kernel it ran on, and a control that held.
# It is written anew by: lastack lab run --all --report doc/claims.md
cd "$(dirname "$0")/../.." || exit 1
. tests/lib.sh
doc=${1:-doc/claims.md}
t_plan 7
t_ok "there is $doc" test -s "$doc"
"$LASTACK" lab list >"$T_DIR/list"
t_is "with a section for every claim, in their order" "$(sed -n 's/^## //p' "$doc")" \
	"$(sed '1d; s/\t.*//' "$T_DIR/list")"
t_is "and a row of the table" "$(sed -n 's/^| \[\([a-z0-9-]*\)\](#\1).*/\1/p' "$doc")" \
	"$(sed '1d; s/\t.*//' "$T_DIR/list")"
t_is "it says kernel, date, seeds and settings" \
	"$(sed -n 's/^- \(kernel: Linux\|date\|seeds\|settings\)[: ].*/\1/p' "$doc" | tr '\n' ' ')" \
	"kernel: Linux date seeds settings "
t_is "no blanks at the ends of its lines" "$(grep -n '[[:space:]]$' "$doc" | head -n 3)" ""

cat >"$T_DIR/check.py" <<'END'
import json, re, sys

what, doc, listed = sys.argv[1:4]
text = open(doc, encoding="utf-8").read()
claims = json.load(open(listed))["claims"]
kernel = tuple(map(int, re.search(r"^- kernel: Linux (\d+)\.(\d+)", text, re.M).groups()))
sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
wrong = []


def plain(markdown):
    """As it is read: without escapes, blanks are one."""
    markdown = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown)
    return " ".join(markdown.replace("&lt;", "<").replace("&amp;", "&").split())


def documented(claim):
    """The verdict of the last row that the kernel has reached."""
    verdict = None
    for row in claim["documented"]:
        if kernel >= (row["from_major"], row["from_minor"]):
            verdict = row["verdict"]
    return verdict


def texts(claim, section):
    names = {"claim": "Claim", "said": "Who says it", "decides": "What decides it", "outcome": "What Linux does",
             "setup": "Set-up", "procedure": "Procedure", "shortened": "Time shortened", "control": "Control"}
    for key, name in names.items():
        if claim[key] and "**%s.** %s" % (name, " ".join(claim[key].split())) not in plain(section):
            wrong.append("%s: %s is not what the claim says now" % (claim["id"], name))
        elif not claim[key] and key != "shortened":
            wrong.append("%s: the claim has no text for '%s'" % (claim["id"], key))


def verdicts(claim, section):
    found = re.search(r"^\*\*Verdict: (\w+)\*\*", section, re.M)
    if not found or found.group(1) != documented(claim):
        wrong.append("%s: %s, documented is %s" % (claim["id"], found and found.group(1), documented(claim)))
    if "**Control, seen.** held, as it must: " not in section:
        wrong.append("%s: its control did not hold" % claim["id"])


for claim in claims:
    globals()[what](claim, sections.get(claim["id"], ""))
assert len(claims) >= 30, len(claims)
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
END
"$LASTACK" lab list --json >"$T_DIR/list.json"
if command -v python3 >/dev/null; then
	t_ok "the texts are those of the claims" python3 "$T_DIR/check.py" texts "$doc" "$T_DIR/list.json"
	t_ok "the verdicts are those that are documented, the controls held" \
		python3 "$T_DIR/check.py" verdicts "$doc" "$T_DIR/list.json"
else
	t_skip "the texts are those of the claims" "no python3"
	t_skip "the verdicts are those that are documented, the controls held" "no python3"
fi
t_done
