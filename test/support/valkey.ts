/** Servers of Valkey or Redis of Debian for tests. */
import { join } from 'node:path'
import { readValkeyUrl, type ValkeyAddress } from '../../src/base/net/valkey-url.ts'
import { type Issued, issue } from '../certificates.ts'
import { eventually } from './eventually.ts'
import { ownPort } from './ports.ts'
import { installed, Place } from './programs.ts'

/** Null where none is installed. */
export const VALKEY_SERVER = installed('/usr/bin/valkey-server', '/usr/bin/redis-server')
const CLI = installed('/usr/bin/valkey-cli', '/usr/bin/redis-cli')

/** Why tests with a server are skipped; false where one is installed. */
export const NO_VALKEY: string | false =
  VALKEY_SERVER === null || CLI === null ? 'redis-server is not installed' : false

export interface TestValkey extends AsyncDisposable {
  readonly port: number
  /** Runs a command as the user `default`, and gives what it prints. */
  cli(...words: readonly string[]): string
  /** Stops the process, and lets it go on. */
  pause(): void
  resume(): void
  /** Ends the process as a crash does. What it held is lost. */
  kill(): Promise<void>
  /** Starts it again, after {@link kill}. */
  start(): Promise<void>
}

export interface ValkeyWanted {
  /** Of the user `default`; none when absent. */
  readonly password?: string
  /** Port of the primary that it follows. */
  readonly replicaOf?: number
  readonly isCluster?: boolean
  /** With which it speaks TLS alone. */
  readonly certificate?: Issued
  /** More settings, as in the configuration file. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Starts a server on a free port of the loopback. It keeps nothing on the disk. */
export async function startValkey(wanted: ValkeyWanted = {}): Promise<TestValkey> {
  const { password, replicaOf, certificate, settings = {} } = wanted
  const place = new Place('redis')
  const port = await ownPort()
  const all: Record<string, string> = {
    bind: '127.0.0.1',
    port: String(port),
    dir: place.directory,
    save: '',
    'repl-diskless-sync-delay': '0',
    'maxmemory-policy': 'noeviction',
    ...(password === undefined ? {} : { requirepass: password, masterauth: password }),
    ...(replicaOf === undefined ? {} : { replicaof: `127.0.0.1 ${replicaOf}` }),
    ...(wanted.isCluster === true
      ? { 'cluster-enabled': 'yes', 'cluster-node-timeout': '1000', 'cluster-port': String(await ownPort()) }
      : {}),
    ...settings,
  }
  const asTls: string[] = []
  if (certificate !== undefined) {
    place.write('server.crt', certificate.certificate)
    place.write('server.key', certificate.key)
    const [crt, key] = ['server.crt', 'server.key'].map((name) => join(place.directory, name))
    Object.assign(all, {
      port: '0',
      'tls-port': String(port),
      'tls-cert-file': crt,
      'tls-key-file': key,
      'tls-auth-clients': 'no',
    })
    asTls.push('--tls', '--insecure')
  }
  const flags = Object.entries(all).flatMap(([name, value]) => [`--${name}`, ...value.split(' ')])
  const start = (): Promise<void> => place.serve(VALKEY_SERVER!, flags, port)
  await start()
  const login = password === undefined ? [] : ['--no-auth-warning', '-a', password]
  return {
    port,
    start,
    cli: (...words) => place.run(CLI!, ['-p', String(port), ...asTls, ...login, ...words]).trim(),
    pause: () => place.signal('SIGSTOP'),
    resume: () => place.signal('SIGCONT'),
    kill: () => place.stop('SIGKILL'),
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  }
}

/** Three primaries that share the slots. @param replicas of each of them */
export async function startValkeyCluster(
  password: string,
  { replicas = 0 } = {},
): Promise<readonly TestValkey[]> {
  const settings = { password, isCluster: true }
  const servers = await Promise.all(Array.from({ length: 3 * (1 + replicas) }, () => startValkey(settings)))
  servers[0]!.cli(
    '--cluster',
    'create',
    ...servers.map(({ port }) => `127.0.0.1:${port}`),
    '--cluster-replicas',
    String(replicas),
    '--cluster-yes',
  )
  await eventually(() => servers.every(({ cli }) => cli('CLUSTER', 'INFO').includes('cluster_state:ok')))
  return servers
}

export function valkeyAddress(url: string): ValkeyAddress {
  const address = readValkeyUrl(url)
  if (typeof address === 'string') throw new Error(address)
  return address
}

/** A certificate for 127.0.0.1 and the authority that has issued it. */
export function valkeyCertificate(): { readonly authority: Issued; readonly server: Issued } {
  const authority = issue({ name: 'Authority of a test' })
  return { authority, server: issue({ name: 'valkey', issuer: authority, addresses: ['127.0.0.1'] }) }
}
