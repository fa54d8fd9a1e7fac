# SwapTalk's page and HTTP API. Everything that must not be lost is in the volume /data.
#
#   docker build -t swaptalk .
#   docker compose run --rm swaptalk keys add me     # prints the key that the page asks for
#   docker compose up
FROM python:3.12-slim-bookworm AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY demo demo
RUN python -m venv /opt/swaptalk \
 && /opt/swaptalk/bin/pip install --no-cache-dir '.[serve]' \
 # The small face networks are fetched now, so that the container needs no network later.
 && SWAPTALK_CACHE_DIR=/tmp/cache /opt/swaptalk/bin/swaptalk models pull --runtime --to /opt/swaptalk/models

FROM python:3.12-slim-bookworm
# Spoken text is an offer of the page where this program is installed.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends espeak-ng \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 swaptalk \
 && install --directory --owner swaptalk --group swaptalk --mode 700 /data
COPY --from=build /opt/swaptalk /opt/swaptalk
ENV PATH=/opt/swaptalk/bin:$PATH SWAPTALK_MODELS_DIR=/opt/swaptalk/models SWAPTALK_DATA_DIR=/data \
    # What videos are signed with must outlive the container, too.
    SWAPTALK_CONFIG_DIR=/data/identity PYTHONUNBUFFERED=1
USER 1000
VOLUME /data
EXPOSE 8710
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8710/health')"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["swaptalk"]
CMD ["serve", "--host", "0.0.0.0"]
