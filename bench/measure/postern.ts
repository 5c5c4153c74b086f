import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { ownPort } from '../../test/support/ports.ts'
import { type Processes, type Started, untilStatus } from './processes.ts'

const MAIN = resolve(import.meta.dirname, '../../postern.js')

/** A running `postern up`. */
export interface Postern {
  readonly process: Started
  readonly gateway: string
  readonly control: string
  /** From the start of the process to the first 200 of `/readyz`. */
  readonly readyMs: number
}

export interface PosternOptions {
  readonly core: number | string
  readonly workers: number
  /** Further flags of Node. */
  readonly nodeFlags?: readonly string[]
  /** Runs the sources, though there is a bundle. */
  readonly fromSources?: boolean
  /** Further settings. */
  readonly env?: Readonly<Record<string, string>>
  /** Files for TLS on the gateway listener. */
  readonly tls?: { readonly certificate: string; readonly key: string }
}

/** Starts the real program on a data directory and free ports, and waits until it is ready. */
export async function startPostern(
  processes: Processes,
  data: string,
  options: PosternOptions,
): Promise<Postern> {
  const { tls, nodeFlags = [] } = options
  const [port, controlPort] = [await ownPort(), await ownPort()]
  const begun = performance.now()
  const process = processes.start(
    options.core,
    globalThis.process.execPath,
    [...FLAGS, ...nodeFlags, MAIN, 'up'],
    {
      ...environment(data),
      POSTERN_LISTEN: `127.0.0.1:${port}`,
      POSTERN_CONTROL_LISTEN: `127.0.0.1:${controlPort}`,
      POSTERN_WORKERS: String(options.workers),
      RUN_SOURCES: String(options.fromSources === true),
      ...options.env,
      ...(tls === undefined ? {} : { POSTERN_TLS_CERT: tls.certificate, POSTERN_TLS_KEY: tls.key }),
    },
  )
  const control = `http://127.0.0.1:${controlPort}`
  await untilStatus(`${control}/readyz`, 200, process)
  const scheme = tls === undefined ? 'http' : 'https'
  return { process, gateway: `${scheme}://127.0.0.1:${port}`, control, readyMs: performance.now() - begun }
}

/** As `npm start`: the main thread's young generation, which nothing else bounds, has three times 8 MB at most; `postern.js` keeps threads out of it. */
const FLAGS = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=8']

function environment(data: string): Record<string, string> {
  // All load comes from one address
  return { POSTERN_DATA: data, NODE_ENV: 'production', POSTERN_CONNECTIONS_PER_SOURCE_MAX: '100000' }
}

/** Calls management REST of a running Postern; throws on any answer but 2xx. */
export type Manage = (method: string, path: string, body?: unknown) => Promise<Record<string, unknown>>

export function manage(postern: Postern, data: string): Manage {
  const { stdout, stderr } = spawnSync(
    globalThis.process.execPath,
    [...FLAGS, MAIN, 'token', '--role', 'admin', '--ttl', '2h'],
    { env: { ...globalThis.process.env, ...environment(data) }, encoding: 'utf8' },
  )
  const token = /pst_at_\S+/.exec(stdout)?.[0]
  if (token === undefined) throw new Error(`no access token: ${stdout}${stderr}`)
  return async (method, path, body) => {
    const response = await fetch(`${postern.control}/management/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`)
    // Management REST answers with objects.
    return JSON.parse(text) as Record<string, unknown>
  }
}
