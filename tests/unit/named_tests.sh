#!/bin/sh
# Every test that docs/delivery.md names is there. Run by make check, or by hand.
#
# FILE::NAME is test_NAME of tests/e2e/test_FILE.py or NAME of tests/unit/test_FILE.c; test_NAME alone any in tests/e2e.
# shellcheck disable=SC2016 # the backquotes are those of Markdown
top=${top_srcdir:-.}
doc=$top/docs/delivery.md
bad=0 seen=0
for name in $(grep -o '`[a-z_0-9]*::[a-z_0-9]*' "$doc" | tr -d '`' | sort -u); do
    file=${name%%::*} test=${name##*::}
    seen=$((seen + 1))
    grep -qs "^def test_$test(" "$top/tests/e2e/test_$file.py" && continue
    grep -qs "^START_TEST($test)" "$top/tests/unit/test_$file.c" && continue
    echo "docs/delivery.md names $name, which is not there"
    bad=1
done
for test in $(grep -o '`test_[a-z_0-9]*`' "$doc" | tr -d '`' | sort -u); do
    seen=$((seen + 1))
    grep -qs "^def $test(" "$top"/tests/e2e/test_*.py && continue
    echo "docs/delivery.md names $test, which is not there"
    bad=1
done
for file in $(grep -o '`test_[a-z_0-9]*\.py`' "$doc" | tr -d '`' | sort -u); do
    [ -e "$top/tests/e2e/$file" ] || { echo "docs/delivery.md names $file, which is not there"; bad=1; }
done
[ "$seen" -gt 30 ] || { echo "found only $seen tests in $doc"; bad=1; }
exit $bad
