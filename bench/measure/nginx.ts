import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Processes, type Started, untilStatus } from './processes.ts'

const PEERS = resolve(import.meta.dirname, '../peers')

/** A configuration of `bench/peers` with every `@NAME@` replaced, started on one core. */
export async function startNginx(
  processes: Processes,
  directory: string,
  options: {
    readonly core: number
    readonly template: string
    readonly port: number
    readonly values?: Record<string, string>
    /** For the first answer. */
    readonly path?: string
    readonly headers?: Record<string, string>
  },
): Promise<Started> {
  const { core, template, port, path = '/', headers = {} } = options
  const file = filled(directory, template, { DIR: directory, PORT: String(port), ...options.values })
  const nginx = processes.start(core, 'nginx', [
    '-p',
    directory,
    '-e',
    join(directory, 'log/start.err'),
    '-c',
    file,
  ])
  await untilStatus(`http://127.0.0.1:${port}${path}`, 200, nginx, headers)
  return nginx
}

/** The server that everything is forwarded to: 1 KB of JSON, on the core of the load. */
export function startUpstream(processes: Processes, directory: string, port: number): Promise<Started> {
  return startNginx(processes, directory, { core: 1, template: 'upstream.conf', port })
}

/** HAProxy as a plain proxy on one core. */
export async function startHaproxy(
  processes: Processes,
  directory: string,
  options: { readonly core: number; readonly port: number; readonly upstreamPort: number },
): Promise<Started> {
  const { core, port, upstreamPort } = options
  const values = { PORT: String(port), UPSTREAM: String(upstreamPort) }
  const haproxy = processes.start(core, 'haproxy', [
    '-db',
    '-f',
    filled(directory, 'plain-haproxy.cfg', values),
  ])
  await untilStatus(`http://127.0.0.1:${port}/`, 200, haproxy)
  return haproxy
}

/** Writes a configuration with its values in the place of the names; returns the file. */
function filled(directory: string, template: string, values: Readonly<Record<string, string>>): string {
  const text = readFileSync(join(PEERS, template), 'utf8').replace(/@([A-Z]+)@/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`${template} names @${name}@, which has no value`)
    return value
  })
  const file = join(directory, template)
  writeFileSync(file, text)
  return file
}
