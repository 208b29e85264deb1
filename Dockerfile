# Images of both programs: `docker build --target workload .` and `docker build --target operator .`
#
# With `--build-arg BINARIES=prebuilt` nothing is compiled: `dist/batchpipe` and `dist/batchpipe-operator` are taken as
# they are. They must run on Debian 13 (glibc 2.41) or be static. BuildKit is needed (engines before 23 take
# DOCKER_BUILDKIT=1): it caches what is compiled, and leaves out the stage that is not asked for.
#
# checkov:skip=CKV_DOCKER_2:Kubernetes asks the admin server, and without a shell there is nothing to ask it with
ARG BINARIES=build

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# Dependencies stay compiled in the cache mounts, so only our own crates are built again.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p batchpipe-workloads -p batchpipe-operator \
    && install -D -t /dist target/release/batchpipe target/release/batchpipe-operator

FROM scratch AS prebuilt
COPY dist/ /dist/

# A stage of this file, so it has no tag.
# checkov:skip=CKV_DOCKER_7:a stage of this file
# hadolint ignore=DL3006
FROM ${BINARIES} AS binaries

# No shell and no package manager; user 65532.
FROM gcr.io/distroless/cc-debian13:nonroot AS base
ARG VERSION=0.1.0
# What it was built from; whoever publishes an image knows: `git remote get-url origin`, `git rev-parse HEAD`.
ARG SOURCE=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
EXPOSE 8080

FROM base AS workload
LABEL org.opencontainers.image.title="batchpipe" \
      org.opencontainers.image.description="Small JSON records through Kafka in compressed batches."
ENV BATCHPIPE_ADMIN=0.0.0.0:8080 \
    BATCHPIPE_LISTEN=0.0.0.0
COPY --from=binaries --chmod=0755 /dist/batchpipe /usr/local/bin/batchpipe
ENTRYPOINT ["/usr/local/bin/batchpipe"]

FROM base AS operator
LABEL org.opencontainers.image.title="batchpipe-operator" \
      org.opencontainers.image.description="Turns BatchPipeline objects into running, observed Deployments."
COPY --from=binaries --chmod=0755 /dist/batchpipe-operator /usr/local/bin/batchpipe-operator
ENTRYPOINT ["/usr/local/bin/batchpipe-operator"]
