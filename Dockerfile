# The build and the base are of the same Debian release, so that the C library fits.
FROM rust:1.95-trixie AS build
WORKDIR /src
# What .dockerignore lets through: the package, and the other members of the workspace, which cargo wants to see.
COPY . .
RUN cargo build --release --locked -p clickup-operator

FROM debian:trixie-slim
# The operator trusts the system's certificate authorities.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/target/release/clickup-operator /clickup-operator
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/clickup-operator"]
CMD ["run"]
