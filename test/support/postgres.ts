/** A PostgreSQL of Debian for tests, with the user `app`. */
import { join } from 'node:path'
import type { DatabaseAddress } from '../../src/base/net/database-url.ts'
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
  /** Starts a standby that follows this server. It ends with its disposal. */
  standby(): Promise<Pick<TestPostgres, 'port' | 'sql'> & AsyncDisposable>
  /** Starts PgBouncer in transaction mode before a database. Resolves to its port; it ends with the server. */
  bouncer(program: string, address: DatabaseAddress): Promise<number>
}

/** @param certificate With which it speaks TLS; none when absent. */
export async function startPostgres(password: string, certificate?: Issued): Promise<TestPostgres> {
  const place = new Place('postgres')
  const port = await ownPort()
  const data = join(place.directory, 'data')
  place.run(`${PROGRAMS}/initdb`, [
    '-D',
    data,
    '-U',
    OWNER,
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
  const start = async (): Promise<void> => {
    await place.serve(`${PROGRAMS}/postgres`, ['-D', data, ...flags], port)
    await isReady(place, port)
  }
  await start()
  const sql = asOwner(place, port)
  sql(`CREATE USER app PASSWORD '${password}'; GRANT CREATE ON SCHEMA public TO app; ALTER USER app CREATEDB`)
  return {
    port,
    sql,
    start,
    stop: () => place.stop('SIGQUIT'),
    async standby() {
      const other = new Place('postgres')
      const standbyPort = await ownPort()
      const copy = join(other.directory, 'data')
      const from = `host=${place.directory} port=${port} user=${OWNER}`
      other.run(`${PROGRAMS}/pg_basebackup`, ['-d', from, '-D', copy, '-X', 'stream', '-c', 'fast'])
      other.write('data/standby.signal', '')
      const its = { ...settings, port: standbyPort, unix_socket_directories: other.directory }
      const own = Object.entries({ ...its, primary_conninfo: from }).flatMap(([name, value]) => [
        '-c',
        `${name}=${value}`,
      ])
      await other.serve(`${PROGRAMS}/postgres`, ['-D', copy, ...own], standbyPort)
      await isReady(other, standbyPort)
      return {
        port: standbyPort,
        sql: asOwner(other, standbyPort),
        [Symbol.asyncDispose]: () => other[Symbol.asyncDispose](),
      }
    },
    async bouncer(program, { database, user }) {
      const own = await ownPort()
      place.write(`users-${own}.txt`, `"${user}" "${password}"\n`)
      place.write(
        `bouncer-${own}.ini`,
        `[databases]
${database} = host=127.0.0.1 port=${port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${own}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(place.directory, `users-${own}.txt`)}
pool_mode = transaction
default_pool_size = 3
`,
      )
      await place.serve(program, ['-q', join(place.directory, `bouncer-${own}.ini`)], own)
      return own
    },
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  }
}

const OWNER = 'postgres'

/** It listens on TCP before the socket is there, and answers before it lets anybody in. */
function isReady(place: Place, port: number): Promise<void> {
  return eventually(() => {
    try {
      return place
        .run(`${PROGRAMS}/pg_isready`, ['-h', place.directory, '-p', String(port)])
        .includes('accepting')
    } catch {
      return false
    }
  })
}

/** Runs SQL as the owner of the server. */
function asOwner(place: Place, port: number): TestPostgres['sql'] {
  const to = ['-h', place.directory, '-p', String(port), '-U', OWNER, '-qtAX', '-v', 'ON_ERROR_STOP=1']
  return (text, database = 'postgres') => place.run(`${PROGRAMS}/psql`, [...to, '-d', database], text)
}
