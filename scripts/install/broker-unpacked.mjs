import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { InstallError, run } from './report.mjs';

/** What makes up the broker; the C libraries that Erlang needs are on every Debian. */
const WANTED = /^(rabbitmq-server|erlang-[a-z0-9-]+)$/;

/**
 * Unpacks the package and Erlang into a folder, without root. apt works on lists and a cache of its own below that
 * folder, because those of the system may be missing and are root's. Order: everything under a temporary name, a trial
 * run of Erlang, then the rename that makes it count.
 */
export async function unpackBroker(target) {
  const draft = `${target}.new`;
  rmSync(draft, { recursive: true, force: true });
  const downloads = join(draft, 'downloads');
  for (const folder of ['lists/partial', 'cache/archives/partial', 'downloads', 'bin']) mkdirSync(join(draft, folder), { recursive: true, mode: 0o755 });
  try {
    await download(draft, downloads);
    await unpack(draft, downloads);
    writeFileSync(join(draft, 'bin/erl'), ERL, { mode: 0o755 });
    writeFileSync(join(draft, 'bin/escript'), ESCRIPT, { mode: 0o755 });
    await run([join(draft, 'bin/erl'), '-noshell', '-eval', 'ok = crypto:start(), halt().'], {
      remedy: 'Erlang does not run here. If a library is missing, its Debian package is wanted: libssl3, libtinfo6, libstdc++6 or libsystemd0.',
    });
    for (const name of ['downloads', 'lists', 'cache']) rmSync(join(draft, name), { recursive: true });
    renameSync(draft, target);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** The simulated installation on an empty system names all packages and versions, whatever this system has already. */
async function download(draft, downloads) {
  const own = [`Dir::State::lists=${join(draft, 'lists')}`, `Dir::Cache=${join(draft, 'cache')}`, 'Debug::NoLocking=true', 'APT::Sandbox::User=root'];
  const apt = (...args) => ['apt-get', ...own.flatMap((option) => ['-o', option]), ...args];
  const remedy = 'Check that the package archives of this system can be reached.';
  await run(apt('update'), { title: 'reading the package lists (without root)', remedy });
  const plan = await run(apt('-o', 'Dir::State::status=/dev/null', '--simulate', '--no-install-recommends', 'install', 'rabbitmq-server'), { remedy });
  const packages = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name).filter((name) => WANTED.test(name));
  if (!packages.includes('rabbitmq-server')) throw new InstallError(`apt-get knows of no package rabbitmq-server. ${remedy}`);
  await run(apt('download', ...packages), { title: `downloading RabbitMQ (${packages.length} packages, 35 MB)`, remedy, cwd: downloads });
}

async function unpack(draft, downloads) {
  const remedy = `Check that the disk of ${dirname(draft)} has 200 MB to spare.`;
  for (const name of readdirSync(downloads).filter((file) => file.endsWith('.deb'))) {
    await run(['dpkg-deb', '--extract', join(downloads, name), draft], { remedy });
  }
  if (!existsSync(join(draft, 'usr/lib/rabbitmq/bin/rabbitmq-server'))) throw new InstallError('the unpacked package rabbitmq-server is not laid out as expected.');
}

/** The packaged `erl` knows only its place below /usr; this one finds its place from where it is. */
const ERL = `#!/bin/sh
ROOTDIR=$(cd "$(dirname "$0")/../usr/lib/erlang" && pwd) || exit 1
BINDIR=$(echo "$ROOTDIR"/erts-*/bin)
EMU=beam
PROGNAME=erl
export ROOTDIR BINDIR EMU PROGNAME
exec "$BINDIR/erlexec" "$@"
`;

/** rabbitmqctl of RabbitMQ 4 is such a script; this one starts it with the `erl` above. */
const ESCRIPT = `#!/bin/sh
place=$(cd "$(dirname "$0")" && pwd) || exit 1
ESCRIPT_EMULATOR="$place/erl" exec "$place/../usr/lib/erlang/bin/escript" "$@"
`;
