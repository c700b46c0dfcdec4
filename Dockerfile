# QEMU, the Arm compiler and mcusim, without TensorFlow: docs/ci.md tells how to use it.
FROM debian:bookworm-slim

# Of the compiler's libraries only those of Cortex-M4F are kept: all of them take 700 MB.
# Versions are not pinned: a stable Debian keeps the last one alone.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates gcc gcc-arm-none-eabi libc6-dev libnewlib-arm-none-eabi python3 python3-venv qemu-system-arm \
    && rm -rf /var/lib/apt/lists/* \
    && find /usr/lib/gcc/arm-none-eabi/*/thumb /usr/lib/arm-none-eabi/newlib/thumb \
        -mindepth 1 -maxdepth 1 -type d ! -name 'v7e-m+fp' -exec rm -r {} + \
    && rm -rf /usr/lib/gcc/arm-none-eabi/*/arm /usr/lib/arm-none-eabi/newlib/arm

COPY . /usr/src/mcusim
RUN python3 -m venv /opt/mcusim \
    && /opt/mcusim/bin/pip install --no-cache-dir --disable-pip-version-check /usr/src/mcusim \
    && rm -rf /usr/src/mcusim

# Anybody may run it, also a user that the image does not know: what is downloaded or built has a place.
ENV PATH=/opt/mcusim/bin:$PATH MCUSIM_CACHE_DIR=/tmp/mcusim
WORKDIR /work
USER 1000
CMD ["mcusim", "--help"]
