# syntax=docker/dockerfile:1.7
#
# The server as an image, and the command line as another:
#
#     docker build -t otrace-server .
#     docker build -t otrace --target cli .
#     docker buildx build --platform linux/amd64,linux/arm64 -t … --push .
#
# Nothing here depends on the processor. The compiler is the one of `rust-version` in Cargo.toml (scripts/check-deploy holds
# it to that), and queries are checked against .sqlx/, so that a build needs no database.

FROM rust:1.95.0-slim-trixie AS sources
WORKDIR /src
ENV SQLX_OFFLINE=true CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never
# Which commit this is, for `--version`: --build-arg OTRACE_COMMIT="$(git rev-parse HEAD)". The image has no .git.
ARG OTRACE_COMMIT=""
ENV OTRACE_COMMIT=$OTRACE_COMMIT
COPY . .

# What is compiled stays between builds, one cache for each processor; what is kept of it leaves the cache by `install`.
FROM sources AS build-server
ARG TARGETPLATFORM=native
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,id=otrace-target-$TARGETPLATFORM,sharing=locked \
    cargo build --profile dist --locked -p otrace-server --features otlp \
    && install -D target/dist/otrace-server /out/otrace-server

FROM sources AS build-cli
ARG TARGETPLATFORM=native
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,id=otrace-target-$TARGETPLATFORM,sharing=locked \
    cargo build --profile dist --locked -p otrace-cli \
    && install -D target/dist/otrace /out/otrace

# --- The command line: runs and the workspace are mounted at /workspace ---

FROM debian:13.6-slim AS cli
# git tells which commit a run is made of. Versions are not pinned: Debian's mirrors keep the newest one only, which has
# the security fixes.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 otrace \
    && useradd --uid 10001 --gid otrace --no-create-home --home-dir /workspace --shell /usr/sbin/nologin otrace \
    && install -d -o otrace -g otrace /workspace
COPY --from=build-cli /out/otrace /usr/local/bin/otrace
LABEL org.opencontainers.image.title="otrace" \
    org.opencontainers.image.description="Records why a command ran, what it ran on, and what came of it." \
    org.opencontainers.image.licenses="MIT OR Apache-2.0"
USER 10001:10001
WORKDIR /workspace
ENTRYPOINT ["otrace"]
CMD ["--help"]

# --- The server. The last stage, so the one that is built without --target ---

# Not an image without a shell: deploy/kubernetes gives the signing keys to the server's user with one.
FROM debian:13.6-slim AS server
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 otrace \
    && useradd --uid 10001 --gid otrace --no-create-home --home-dir /var/lib/otrace --shell /usr/sbin/nologin otrace \
    && install -d -o otrace -g otrace -m 0700 /var/lib/otrace
COPY --from=build-server /out/otrace-server /usr/local/bin/otrace-server
LABEL org.opencontainers.image.title="otrace-server" \
    org.opencontainers.image.description="Trace's server: the experiment history that your team runs itself." \
    org.opencontainers.image.licenses="MIT OR Apache-2.0"

# Everything else is a setting: docs/operations.md. It starts only where a database is named, as there is none in the image.
ENV OTRACE_LISTEN=0.0.0.0:8000 \
    OTRACE_DATA_DIR=/var/lib/otrace \
    OTRACE_LOG_FORMAT=json
# By number, so that Kubernetes can see that it is not root. Nothing but /var/lib/otrace and /tmp is written to.
USER 10001:10001
WORKDIR /var/lib/otrace
EXPOSE 8000
# There is no curl in the image: the server asks itself.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["otrace-server", "health"]
ENTRYPOINT ["otrace-server"]
CMD ["serve"]
