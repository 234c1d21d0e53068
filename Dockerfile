# Build: docker build -t tenfour .      Run: docker compose up -d (compose.yaml)
# Backup: docker compose exec tenfour tenfour backup /data/backup.db      (only /data can be written)
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends build-essential \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# The dependencies alone first: they change seldom, and this layer is kept while they do not.
COPY Cargo.toml Cargo.lock ./
COPY crates/chart/Cargo.toml crates/chart/
COPY crates/signalr/Cargo.toml crates/signalr/
COPY crates/sim/Cargo.toml crates/sim/
RUN for crate in crates/*; do mkdir $crate/src && touch $crate/src/lib.rs; done \
 && mkdir -p src tests/it benches/delivery \
 && echo 'fn main() {}' > src/main.rs && touch src/lib.rs && echo 'fn main() {}' > tests/it/main.rs \
 && touch benches/delivery/main.rs \
 && cargo build --locked --profile dist --bin tenfour \
 && rm -rf crates src tests benches
COPY migrations migrations
COPY crates crates
COPY src src
# The test and the benchmark are named in Cargo.toml, so their files must exist.
RUN mkdir -p tests/it benches/delivery && touch tests/it/main.rs benches/delivery/main.rs && touch src/main.rs src/lib.rs crates/*/src/lib.rs \
 && cargo build --locked --profile dist --bin tenfour

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --home-dir /data --create-home --shell /usr/sbin/nologin tenfour \
 && chmod 700 /data
COPY --from=build /build/target/dist/tenfour /usr/local/bin/tenfour
USER 10001
WORKDIR /data
VOLUME /data
ENV DATABASE_URL=sqlite:///data/tenfour.db
EXPOSE 3232
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["tenfour", "health"]
CMD ["tenfour", "run"]
