/** A MariaDB of Debian for tests, with the database `shop` and the user `app`. */
import { join } from 'node:path'
import type { Issued } from '../certificates.ts'
import { ownPort } from './ports.ts'
import { installed, Place } from './programs.ts'

const SERVER = installed('/usr/sbin/mariadbd')
export const IS_INSTALLED =
  SERVER !== null && installed('/usr/bin/mariadb-install-db', '/usr/bin/mariadb') !== null

export interface TestMariaDb extends AsyncDisposable {
  readonly port: number
  /** Runs SQL as the owner; gives what the client prints, without headers. */
  sql(text: string): string
}

/** @param certificate With which it speaks TLS. */
export async function startMariaDb(password: string, certificate: Issued): Promise<TestMariaDb> {
  const place = new Place('mysql')
  const port = await ownPort()
  const data = join(place.directory, 'data')
  const socket = join(place.directory, 's')
  place.run('/usr/bin/mariadb-install-db', [
    '--no-defaults',
    `--datadir=${data}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
  ])
  place.write('server.crt', certificate.certificate)
  place.write('server.key', certificate.key)
  const settings = {
    datadir: data,
    socket,
    port: String(port),
    'bind-address': '127.0.0.1',
    'pid-file': join(place.directory, 'pid'),
    'innodb-flush-log-at-trx-commit': '0',
    'ssl-cert': join(place.directory, 'server.crt'),
    'ssl-key': join(place.directory, 'server.key'),
  }
  const flags = Object.entries(settings).map(([name, value]) => `--${name}=${value}`)
  await place.serve(SERVER!, ['--no-defaults', ...flags], port)
  const sql = (text: string): string =>
    place.run('/usr/bin/mariadb', ['--no-defaults', `--socket=${socket}`, '-u', 'root', '-N', '-B'], text)
  sql(`CREATE DATABASE shop; CREATE USER app IDENTIFIED BY '${password}'; GRANT ALL ON shop.* TO app`)
  return { port, sql, [Symbol.asyncDispose]: () => place[Symbol.asyncDispose]() }
}
