#!/bin/sh
# Which folder of src may include which: the arrows of the architecture. Run by make check, or by hand.
#
# Each line of the table: a folder, and those it may use besides itself. Parts that a stage shares with another stage belong into
# stage, record, stream or base.
src=${top_srcdir:-.}/src
allowed() {
    case $1 in
        base) echo ;;
        stream) echo base ;;
        record) echo base stream ;;
        delivery) echo base stream record ;;
        config) echo base record ;;
        net) echo base config ;;
        stage) echo base stream record delivery config ;;
        source | sink) echo base stream record delivery config net stage ;;
        transform) echo base stream record delivery config stage ;;
        agent) echo base stream record delivery config net stage source transform sink ;;
        cli) echo base stream record delivery config net stage source transform sink agent ;;
        *) echo "tests/unit/includes.sh: where does src/$1 stand?" >&2; echo UNKNOWN ;;
    esac
}
bad=0 seen=0
for dir in "$src"/*/; do
    from=$(basename "$dir")
    may=" $(allowed "$from") $from "
    case $may in *UNKNOWN*) bad=1 ;; esac
    for file in "$dir"*.c "$dir"*.h; do
        [ -e "$file" ] || continue
        seen=$((seen + 1))
        # shellcheck disable=SC2013 # words are what is wanted
        for to in $(sed -n 's/^#include "\([a-z_]*\)\/.*/\1/p' "$file" | sort -u); do
            case $may in
                *" $to "*) ;;
                *) echo "$from/$(basename "$file") includes $to/, which $from may not use"; bad=1 ;;
            esac
        done
    done
done
[ "$seen" -gt 50 ] || { echo "found only $seen files in $src"; bad=1; }
exit $bad
