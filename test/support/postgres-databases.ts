/** Databases of one PostgreSQL of Debian, each for one test. */
import { after, test } from 'node:test'
import type { DatabaseAddress } from '../../src/base/net/database-url.ts'
import { openPool, SCHEMA } from '../../src/store/postgres/connection.ts'
import type { Issued } from '../certificates.ts'
import { PROGRAMS, startPostgres, type TestPostgres } from './postgres.ts'
import type { Tamper } from './tamper.ts'
import { addressOf } from './test-database.ts'

const PASSWORD = 'tulip-7-secret'

export interface TestDatabases {
  readonly server: TestPostgres
  /** Makes an empty database that belongs to the user `app`. */
  create(): Promise<DatabaseAddress>
}

/** Starts a server for the tests of a file, and declares them; without PostgreSQL, one skipped test. @param certificate with which it speaks TLS */
export async function onPostgres(
  declare: (databases: TestDatabases) => void | Promise<void>,
  certificate?: Issued,
): Promise<void> {
  if (PROGRAMS === null) {
    test('PostgreSQL', { skip: 'PostgreSQL is not installed' })
    return
  }
  const server = await startPostgres(PASSWORD, certificate)
  after(() => server[Symbol.asyncDispose]())
  let count = 0
  await declare({
    server,
    async create() {
      const name = `test_${count++}`
      server.sql(`create database ${name} owner app`)
      return addressOf(`postgres://app:${PASSWORD}@127.0.0.1:${server.port}/${name}`)
    },
  })
}

/** The configuration store of a database in the hands of somebody who writes to it with another program, as its owner. */
export async function tamperWithDatabase(address: DatabaseAddress): Promise<Tamper> {
  const pool = await openPool(address, 1, () => {})
  const run = async (text: string, values: readonly unknown[]) => {
    let count = 0
    const client = await pool.connect()
    try {
      await client.query(`set search_path to ${SCHEMA}`)
      const numbered = text.replaceAll('?', () => `$${++count}`)
      return (await client.query(numbered, values.length === 0 ? undefined : values)).rows
    } finally {
      client.release()
    }
  }
  return {
    async execute(statements, ...values) {
      await run(statements, values)
    },
    rows: (query, ...values) => run(query, values),
    async unguardAudit() {
      const triggers = await run(
        "select distinct trigger_name as name, event_object_table as of from information_schema.triggers where trigger_schema = 'postern' and trigger_name like 'audit%'",
        [],
      )
      for (const { name, of } of triggers) await run(`drop trigger ${String(name)} on ${String(of)}`, [])
    },
    [Symbol.asyncDispose]: () => pool.end(),
  }
}
