#!/bin/sh
# Lets `docker compose` mean docker-compose, for a machine that has the earlier generation only.
if [ "${1-}" = docker-cli-plugin-metadata ]; then
  echo '{"SchemaVersion": "0.1.0", "Vendor": "Debian", "Version": "1.29"}'
  exit
fi
shift
exec docker-compose "$@"
