# shellcheck shell=sh
# Cleans up after whoever started this, however that process ends.
#
# Standard input carries one line per change: the id of the process to look after, or `-` for none. It ends when
# its writer closes it or dies. Then the process is killed and the folder $1 is removed.
process=-
while read -r line; do
  process=$line
done
if [ "$process" != - ]; then
  kill -KILL "$process" 2>/dev/null
  # It must be gone before its folder is, or it could still write there. A zombie that nobody reaps counts as gone.
  tries=0
  while [ "$tries" -lt 100 ] && kill -0 "$process" 2>/dev/null; do
    tries=$((tries + 1))
    sleep 0.05
  done
fi
rm -rf -- "$1"
