#!/bin/sh
# The JSON Schema that ships gives the program's verdict on templates, as far as a schema can.
set -eu
. "$(dirname "$0")/expect.sh"
need python3
python3 -c 'import jsonschema' 2>/dev/null || { echo "SKIPPED: python3 has no jsonschema"; exit 77; }

share=$tests/../../tools/share
vectors=$tests/../vectors/templates

# Writes "good FILE" or "bad FILE" for each file; a schema that is none itself is an error.
cat >judge.py <<'PYTHON'
import json
import sys

import jsonschema

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft7Validator.check_schema(schema)
judge = jsonschema.Draft7Validator(schema)
for name in sys.argv[2:]:
    with open(name, encoding="utf-8") as file:
        print("good" if judge.is_valid(json.load(file)) else "bad", name)
PYTHON

# agree FOLDER SCHEMA_VERDICT PROGRAM_EXIT_CODE FILES_MIN
agree() {
    count=0
    python3 judge.py "$share/schema/template.schema.json" "$1"/*.json >verdicts
    while read -r verdict file; do
        same "$file $verdict" "$file $2"
        expect "$3" certmill template check "$file"
        count=$((count + 1))
    done <verdicts
    [ "$count" -ge "$4" ] || fail "only $count files in $1"
}

agree "$vectors/good" good 0 15
agree "$vectors/bad" bad 1 19
agree "$vectors/bad-meaning" good 1 10
agree "$share/templates" good 0 7

# Names of the catalogue, in the three forms that base takes, and no others.
expect 0 certmill template list --json
cp out list.json
cat >names.py <<'PYTHON'
import json
import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    base = re.compile(json.load(file)["properties"]["base"]["pattern"])
with open(sys.argv[2], encoding="utf-8") as file:
    rows = [row for row in json.load(file)["templates"] if row["arn"]]
if len(rows) != 61:
    sys.exit("%d templates have an ARN" % len(rows))
for row in rows:
    for text in (row["name"], row["name"] + "/V1", row["arn"]):
        if not base.search(text):
            sys.exit(text + " is no base to the schema")
        for wrong in ("x" + text, text + "x", text + "/V2", text.replace("Certificate", "", 1)):
            if base.search(wrong):
                sys.exit(wrong + " is a base to the schema")
PYTHON
python3 names.py "$share/schema/template.schema.json" list.json || fail "the schema's names"
