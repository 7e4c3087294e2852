# syntax=docker/dockerfile:1
# Engram for a Postgres of its own (see docker-compose.yml). With FEATURES="embedded-postgres,otlp" the image also runs
# without one, keeps its data in /data, and takes much longer to build.

FROM rust:1.95.0-slim-bookworm AS base
WORKDIR /engram

# The manifests with empty sources: this is all that the layer of dependencies depends on, so a change of the code does
# not build them again.
FROM base AS manifests
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock -delete \
    && for manifest in Cargo.toml actors/*/Cargo.toml; do \
        package=$(dirname "$manifest") && mkdir -p "$package/src" && touch "$package/src/lib.rs" || exit 1; \
    done \
    && echo 'fn main() {}' >src/main.rs \
    # Targets that the manifests name have to be there.
    && mkdir -p tests/it benches/server actors/core/benches \
    && touch tests/it/main.rs benches/server/main.rs actors/core/benches/step.rs

FROM base AS build
ARG FEATURES=otlp
COPY --from=manifests /engram .
RUN cargo build --release --locked --no-default-features --features "$FEATURES"
COPY . .
# Cargo compares times, and those of the sources are older than the empty ones that were just built.
RUN find src actors -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --no-default-features --features "$FEATURES"

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --create-home --home-dir /data engram
COPY --from=build /engram/target/release/engram /usr/local/bin/engram
COPY LICENSE /usr/share/doc/engram/LICENSE
USER 10001
WORKDIR /data
VOLUME /data
# It listens for other machines, so it wants LETTA_SERVER_PASSWORD, or ENGRAM_NO_AUTH=true.
ENV HOST=0.0.0.0 PORT=8283 ENGRAM_DATA_DIR=/data
EXPOSE 8283
# The image has no curl; bash opens connections by itself. Not ready: no health, and nobody sends requests.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$PORT && printf 'GET /v1/ready HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [[ $status == 200 ]]"]
ENTRYPOINT ["engram"]
CMD ["server"]
