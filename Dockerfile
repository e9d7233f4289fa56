# One program that needs no other file, for the architecture that this is built on: docker build, or docker buildx build
# --platform linux/amd64,linux/arm64. `make image` makes the same without an engine, and a test compares the two.
FROM rust:1.95-trixie AS build
RUN cargo install --quiet --locked cargo-auditable@0.7.7
WORKDIR /src
# What .dockerignore lets through: the package, and the other members of the workspace, which cargo wants to see.
COPY . .
# The C library is linked in, and the dependencies are listed in the program, where scanners of images find them. With
# --target, what only runs at build time is not affected.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
 && RUSTFLAGS="-C target-feature=+crt-static" cargo auditable build --profile dist --locked -p clickup-operator --target "$target" \
 && cp "target/$target/dist/clickup-operator" /clickup-operator

FROM scratch
# The operator trusts the system's certificate authorities.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /clickup-operator /clickup-operator
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/clickup-operator"]
CMD ["run"]
