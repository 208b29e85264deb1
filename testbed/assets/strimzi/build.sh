# shellcheck shell=bash
# Compiles Strimzi's operators, without their tests, from the git folder $1 into the empty folder $2. $3 has poms.py.
# JAVA_HOME is a JDK of 21 or newer. What Maven fetches, and the snapshot, go to Maven's usual place.
set -euo pipefail
git=$1 into=$2 scripts=$3
# The version of Kafka in the image: the operator has to know its settings.
kafka=4.3.1

mkdir -p "$into/src"
git --git-dir="$git" archive HEAD | tar -x -C "$into/src"
cd "$into/src"
python3 "$scripts/poms.py" source .

export PATH=$JAVA_HOME/bin:$PATH MAVEN_OPTS=-Xmx2g
# Lombok, because older ones do not know the newest JDK. Of the others a snapshot names versions that are not published
# (yet); those before do as well.
maven=(mvn --batch-mode --no-transfer-progress --quiet
  -Dlombok.version=1.18.42 -Dvertx.version=5.0.12 -Dfabric8.openshift-client.version=7.7.0
  -Dmaven.test.skip=true -Dmaven.javadoc.skip=true -Dmaven.source.skip=true
  -Dcheckstyle.skip -Djacoco.skip=true -Dspotbugs.skip=true -Dmdep.analyze.skip=true)

"${maven[@]}" -pl config-model-generator -am install
model=$PWD/cluster-operator/src/main/resources/kafka-$kafka-config-model.json
(cd config-model-generator &&
  "${maven[@]}" -Pgenerate-model verify exec:java "-Dkafka-metadata-version=$kafka" "-Dconfig-model-file=$model")
"${maven[@]}" -pl topic-operator,user-operator,cluster-operator,kafka-agent,tracing-agent,kafka-init -am install
