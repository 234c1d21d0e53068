# syntax=docker/dockerfile:1
# Build:  docker build -t tenfour .
# Run:    docker compose up -d                                    (compose.yaml)
# Demo:   docker run --rm --no-healthcheck -p 127.0.0.1:8110:8110 tenfour demo --page 0.0.0.0:8110
#         then open http://localhost:8110
# Backup: docker compose exec tenfour tenfour backup /data/backup.db      (only /data can be written)
FROM rust:1.95-slim-bookworm AS build
# No versions: Debian's mirrors drop a version as soon as there is a newer one.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends build-essential \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
# Downloads and build output outlive the layer: after a change, only our own crates are compiled. Cargo compares times, and the files may
# be older than the last build (another branch, an unpacked archive), so they are made new.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    find . -path ./target -prune -o -type f -exec touch {} + \
 && cargo build --locked --profile dist --bin tenfour \
 && install -D target/dist/tenfour /out/tenfour \
 && install -d -m 700 /out/data

# Only the C library and root certificates: no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
# Not the image's own user: volumes of earlier versions belong to this one.
COPY --from=build --chown=10001:10001 /out/data /data
COPY --from=build /out/tenfour /usr/local/bin/tenfour
USER 10001:10001
WORKDIR /data
VOLUME /data
ENV DATABASE_URL=sqlite:///data/tenfour.db
EXPOSE 3232
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["tenfour", "health"]
ENTRYPOINT ["tenfour"]
CMD ["run"]
