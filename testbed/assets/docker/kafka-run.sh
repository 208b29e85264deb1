#!/bin/bash
# What a container of the stand-in runs, from the place where apache/kafka has its own: settings are made of the
# `KAFKA_*` environment by the same class, the storage is formatted unless it is, and the broker replaces this shell.
set -euo pipefail

export CLUSTER_ID=${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}
java=(/opt/java/bin/java -XX:+UseSerialGC -XX:-UsePerfData -XX:TieredStopAtLevel=1 -cp '/opt/kafka/libs/*')
settings=/opt/kafka/config

# In a container that was stopped, or with a volume that is kept, the storage is there. As in the original that is no
# error, though the class says so; the settings are written before.
if ! said=$("${java[@]}" kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
  --mounted-configs-dir /mnt/shared/config --final-configs-dir "$settings" 2>&1); then
  case $said in
    *"already formatted"*) ;;
    *) printf '%s\n' "$said" && exit 1 ;;
  esac
fi
# shellcheck disable=SC2086 # options, apart from each other
exec "${java[@]}" ${KAFKA_HEAP_OPTS:--Xms256m -Xmx1g} "-Dlog4j2.configurationFile=$settings/log4j2.yaml" \
  kafka.Kafka "$settings/server.properties"
