#!/bin/sh
# Answers with everything that a CGI program is handed, each ended by a byte 0. Not in Python: a python3 that is a script
# adds variables of its own.
printf 'Content-Type: application/octet-stream\n\n'
env -0
number=0
for word in "$0" "$@"; do
  printf 'argv[%s]=%s\0' "$number" "$word"
  number=$((number + 1))
done
printf 'BODY='
cat
