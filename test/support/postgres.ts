/** A PostgreSQL of Debian for tests, with the user `app`. */
import { join } from 'node:path'
import type { Issued } from '../certificates.ts'
import { eventually } from './eventually.ts'
import { ownPort } from './ports.ts'
import { installedPostgres, Place } from './programs.ts'

export const PROGRAMS = installedPostgres()

export interface TestPostgres extends AsyncDisposable {
  readonly port: number
  /** Runs SQL as the owner; gives what `psql` prints, without headers. */
  sql(text: string, database?: string): string
  /** Ends the server as a crash does. */
  stop(): Promise<void>
  /** Starts it again, after {@link stop}. */
  start(): Promise<void>
}

/** @param certificate With which it speaks TLS; none when absent. */
export async function startPostgres(password: string, certificate?: Issued): Promise<TestPostgres> {
  const place = new Place('postgres')
  const port = await ownPort()
  const data = join(place.directory, 'data')
  const owner = 'postgres'
  place.run(`${PROGRAMS}/initdb`, [
    '-D',
    data,
    '-U',
    owner,
    '--auth-local=trust',
    '--auth-host=scram-sha-256',
    '-E',
    'UTF8',
    '--locale=C',
    '-N',
  ])
  const settings: Record<string, string> = {
    fsync: 'off',
    listen_addresses: '127.0.0.1',
    port: String(port),
    max_connections: '400',
    unix_socket_directories: place.directory,
  }
  if (certificate !== undefined) {
    place.write('server.crt', certificate.certificate)
    place.write('server.key', certificate.key)
    Object.assign(settings, {
      ssl: 'on',
      ssl_cert_file: join(place.directory, 'server.crt'),
      ssl_key_file: join(place.directory, 'server.key'),
    })
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  // It listens on TCP before the socket is there, and answers before it lets anybody in
  const isReady = (): Promise<void> =>
    eventually(() => {
      try {
        return place
          .run(`${PROGRAMS}/pg_isready`, ['-h', place.directory, '-p', String(port)])
          .includes('accepting')
      } catch {
        return false
      }
    })
  const start = async (): Promise<void> => {
    await place.serve(`${PROGRAMS}/postgres`, ['-D', data, ...flags], port)
    await isReady()
  }
  await start()
  const sql = (text: string, database = 'postgres'): string =>
    place.run(
      `${PROGRAMS}/psql`,
      [
        '-h',
        place.directory,
        '-p',
        String(port),
        '-U',
        owner,
        '-d',
        database,
        '-qtAX',
        '-v',
        'ON_ERROR_STOP=1',
      ],
      text,
    )
  sql(`CREATE USER app PASSWORD '${password}'; GRANT CREATE ON SCHEMA public TO app; ALTER USER app CREATEDB`)
  return {
    port,
    sql,
    start,
    stop: () => place.stop('SIGQUIT'),
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  }
}
