# shellcheck shell=sh
# Writes the root file system of a stand-in for the image apache/kafka as the tar archive $4: Kafka's jars from $1, the
# Java of the program $2, bash, the libraries of both, and the start script and log settings that are in folder $3.
set -eu
libs=$1 java=$2 own=$3/root archive=$4
home=$("$java" -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java\.home = //p')

docker=$own/etc/kafka/docker
mkdir -p "$docker" "$own/etc/kafka/secrets" "$own/mnt/shared/config" "$own/opt/kafka/config" "$own/tmp" \
  "$own/var/lib/kafka/data"
install -m 0755 "$3/run.sh" "$docker/run"
cp "$3/log4j2.yaml" "$docker/log4j2.yaml"
cp "$3/log4j2.yaml" "$docker/tools-log4j2.yaml"
echo '# The environment has all settings.' >"$docker/server.properties"
echo 'appuser:x:1000:1000::/tmp:/bin/bash' >"$own/etc/passwd"
echo 'hosts: files dns' >"$own/etc/nsswitch.conf"

# The places of libraries and of the loader, as `ldd` prints them; Java's own come with its folder.
needed() { ldd "$@" 2>/dev/null | grep -oE '/[^ ]+ \(' | grep -v "^$home/" | sed 's/ (//' | sort -u; }

# Links become what they lead to, for that may be outside. All of it belongs to the user of the image.
# shellcheck disable=SC2046 # one name a word
tar --create --file="$archive" --dereference --hard-dereference --owner=1000 --group=1000 --mode=u+w,a+rX \
  --exclude=src.zip --transform="s,^\.$libs,./opt/kafka/libs," --transform="s,^\.$home,./opt/java," \
  --directory=/ ".$libs" ".$home/bin" ".$home/conf" ".$home/lib" ./bin/bash \
  $(needed /bin/bash "$home/bin/java" "$home"/lib/*.so "$home"/lib/server/libjvm.so | sed 's,^,.,') \
  --directory="$own" .
