# shellcheck shell=sh
# Cleans up after whoever started this, however that process ends.
#
# Standard input carries one line per change: `+ID` for a process to look after, `-ID` for one that is gone. It
# ends when its writer closes it or dies. Then the processes are killed, the last one first, and the folder $1 is
# removed.
processes=
while read -r line; do
  id=${line#?}
  rest=
  for process in $processes; do
    [ "$process" = "$id" ] || rest="$rest $process"
  done
  case $line in
    +*) processes="$id$rest" ;;
    *) processes=$rest ;;
  esac
done
for process in $processes; do
  kill -KILL "$process" 2>/dev/null
done
# They must be gone before their folder is, or they could still write there. A zombie that nobody reaps counts as
# gone.
for process in $processes; do
  tries=0
  while [ "$tries" -lt 100 ] && kill -0 "$process" 2>/dev/null; do
    tries=$((tries + 1))
    sleep 0.05
  done
done
rm -rf -- "$1"
