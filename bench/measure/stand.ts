import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ownPort } from '../../test/support/ports.ts'
import { startUpstream } from './nginx.ts'
import { type Manage, manage, type Postern, type PosternOptions, startPostern } from './postern.ts'
import { type Processes, type Started, untilStatus } from './processes.ts'

/** A running Postern with an empty configuration, and what manages it. */
export interface Managed {
  readonly data: string
  readonly postern: Postern
  readonly call: Manage
}

/** Starts Postern on a new data directory of that name. */
export async function startManaged(
  processes: Processes,
  directory: string,
  options: PosternOptions & { readonly name?: string },
): Promise<Managed> {
  const data = join(directory, options.name ?? 'data')
  mkdirSync(data)
  const postern = await startPostern(processes, data, options)
  return { data, postern, call: manage(postern, data) }
}

/** Starts what everything is forwarded to on a free port, which it returns. */
export async function startUpstreamSomewhere(processes: Processes, directory: string): Promise<number> {
  const port = await ownPort()
  await startUpstream(processes, directory, port)
  return port
}

/** The wire engine without the rest of Postern, in front of an upstream, with the files of TLS on a second port too. */
export async function startWire(
  processes: Processes,
  upstreamPort: number,
  options: {
    readonly records?: string
    readonly tls?: { readonly certificate: string; readonly key: string }
  } = {},
): Promise<{ readonly process: Started; readonly url: string; readonly tlsUrl: string }> {
  const { records, tls } = options
  const [port, tlsPort] = [await ownPort(), await ownPort()]
  const values = { port, upstream: upstreamPort, records, ...tls, ...(tls && { 'tls-port': tlsPort }) }
  const process = processes.start(0, globalThis.process.execPath, [
    '--disable-warning=ExperimentalWarning',
    resolve(import.meta.dirname, '../programs/plain.ts'),
    ...Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}`, `${value}`],
    ),
  ])
  const url = `http://127.0.0.1:${port}`
  await untilStatus(url, 200, process)
  return { process, url, tlsUrl: `https://127.0.0.1:${tlsPort}` }
}

/** The least that publishes something: the collection `orders` with one route. `more` goes into the collection. */
export async function publishOrders(
  call: Manage,
  upstreamPort: number,
  more: { readonly max_body?: number; readonly methods?: readonly string[]; readonly path?: string } = {},
): Promise<void> {
  const { methods = ['GET'], path = '/v1/orders/{id}', ...members } = more
  await call('POST', '/collections', {
    name: 'Orders',
    slug: 'orders',
    base_path: '/orders',
    upstream: { targets: [{ url: `http://127.0.0.1:${upstreamPort}` }] },
    ...members,
  })
  await call('POST', '/proxies', {
    collection: 'orders',
    name: 'Get order',
    methods,
    path,
    status: 'published',
  })
  await call('POST', '/collections/orders/publish', {})
}

/** A client without limits whose profile asks for nothing but its name; called with {@link OPEN}. */
export async function openClient(call: Manage, collections: readonly string[]): Promise<void> {
  await call('POST', '/clients', { name: 'Acme', slug: 'acme', collections })
  await call('POST', '/profiles', { client: 'acme', name: 'Open', slug: 'open', auth: { type: 'none' } })
}

export const OPEN = ['X-Client-ID: acme', 'X-Profile-ID: open'] as const
