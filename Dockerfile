# pcapdiag in a container.
#
#   docker build -t pcapdiag .
#   docker run --rm -v "$PWD:/captures:ro" pcapdiag analyze capture.pcapng
#   docker run --rm -i pcapdiag analyze - < capture.pcapng
#
# It runs as a user without rights, and analyze needs none: --cap-drop ALL --network none --read-only go with it.
#
# Live capture needs the host's interfaces and one capability, CAP_NET_RAW. It starts as root for that, and `live` becomes
# the user below once the interfaces are open, for which it needs SETUID and SETGID, and keeps none of the three:
#
#   docker run --rm --network host --user 0 --cap-drop ALL --cap-add NET_RAW --cap-add SETUID --cap-add SETGID \
#     pcapdiag live -i eth0 --user pcapdiag
#
# A capture through a pipe needs nothing: tcpdump -U -w - 'udp port 500 or udp port 4500' | docker run … live -

FROM python:3.13-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
WORKDIR /source
COPY . .
# Without pandas, which only tables ask for: a quarter of the size.
RUN python -m venv --without-pip /opt/pcapdiag \
 && pip --python /opt/pcapdiag/bin/python install --no-cache-dir --no-deps \
    click cryptography cffi pycparser dpkt jinja2 markupsafe msgspec zstandard . \
 && /opt/pcapdiag/bin/pcapdiag doctor

FROM python:3.13-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends libpcap0.8 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --home-dir /captures --shell /usr/sbin/nologin pcapdiag
COPY --from=build /opt/pcapdiag /opt/pcapdiag
ENV PATH=/opt/pcapdiag/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER pcapdiag
WORKDIR /captures
ENTRYPOINT ["pcapdiag"]
CMD ["--help"]
