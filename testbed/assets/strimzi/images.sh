# shellcheck shell=bash
# Makes the layers of Strimzi's images in $1, where build.sh has compiled it: base.tar, operator.tar and kafka.tar. $2 is
# a git folder of Apache Kafka, for its scripts; $3 has the jars of the Kafka that runs, $4 poms.py. JAVA_HOME as there.
# Needs root, for a base system of Debian with the owners that it has.
set -euo pipefail
into=$1 kafka=$2 jars=$3 scripts=$4
source=$into/src

# No package of the machine is changed: debootstrap is unpacked aside. Kept are the programs that Strimzi's scripts call.
mkdir -p "$into/debootstrap"
(cd "$into/debootstrap" && apt-get download -qq debootstrap && dpkg -x debootstrap_*.deb .)
base=$into/base
DEBOOTSTRAP_DIR=$into/debootstrap/usr/share/debootstrap "$into/debootstrap/usr/sbin/debootstrap" --variant=minbase \
  --include=tini,gawk,curl,net-tools,hostname,openssl,ca-certificates,procps,libc-bin bookworm "$base"
modules=$("$JAVA_HOME/bin/java" --list-modules | sed 's/@.*//' | grep -v '^jdk\.\(jlink\|jpackage\)' | paste -sd,)
mkdir -p "$base/usr/lib/jvm"
"$JAVA_HOME/bin/jlink" --add-modules "$modules" --strip-debug --no-man-pages --no-header-files \
  --output "$base/usr/lib/jvm/jre"
for program in java keytool; do ln -s "/usr/lib/jvm/jre/bin/$program" "$base/usr/bin/$program"; done
rm -rf "$base"/var/cache/apt/* "$base"/var/lib/apt/lists/* "$base"/usr/share/{doc,man,locale}
echo 'kafka:x:1001:0::/home/kafka:/bin/bash' >>"$base/etc/passwd"
chmod 1777 "$base/tmp"

# Beside Kafka's own jars: the agent that tells whether a broker is ready, and what its settings name.
root=$into/kafka/opt
mkdir -p "$root"/kafka/{libs,plugins} "$root"/{kafka-exporter,prometheus-jmx-exporter,cruise-control/libs} "$into/libraries"
python3 "$scripts/poms.py" libraries "$source/docker-images/artifacts/kafka-thirdparty-libs/4.3.x/pom.xml" \
  >"$into/libraries/pom.xml"
mvn --batch-mode --no-transfer-progress --quiet --file "$into/libraries/pom.xml" \
  org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies "-DoutputDirectory=$into/libraries/jars"
git --git-dir="$kafka" archive HEAD bin config | tar -x -C "$root/kafka"
cp "$jars"/*.jar "$root/kafka/libs/"
cp -n "$into"/libraries/jars/*.jar "$root/kafka/libs/"
cp "$source"/kafka-agent/target/kafka-agent-*.jar "$source"/tracing-agent/target/tracing-agent-*.jar "$root/kafka/libs/"
cp "$source"/docker-images/kafka-based/kafka/scripts/* "$root/kafka/"
chmod +x "$root"/kafka/*.sh

operator=$into/operator/opt/strimzi
mkdir -p "$operator/bin"
for module in topic-operator user-operator cluster-operator kafka-init; do
  unzip -qo "$source"/docker-images/artifacts/binaries/$module-*-dist.zip -d "$operator"
done
cp "$source/docker-images/operator/scripts/launch_java.sh" "$operator/bin/"
chmod +x "$operator"/bin/*

tar --numeric-owner -cf "$into/base.tar" -C "$base" .
for layer in kafka operator; do
  tar --numeric-owner --owner=0 --group=0 -cf "$into/$layer.tar" -C "$into/$layer" .
done
