import type { SQLInputValue } from 'node:sqlite'
import { linkedValues, plainLink } from '../../src/store/ports/audit-chain.ts'
import { openTamper, type Row, type Tamper } from './tamper.ts'

const TABLES = [
  'audit',
  'audit_filters',
  'audit_chain',
  'audit_checkpoints',
  'audit_anchors',
  'audit_key_anchor',
] as const

/** The trail of a data directory in the hands of somebody who can write it, and has taken its triggers off. */
export async function openAuditFile(directory: string): Promise<AuditFile> {
  const tamper = await openTamper(directory)
  await tamper.unguardAudit()
  return new AuditFile(tamper)
}

export class AuditFile implements AsyncDisposable {
  readonly #tamper: Tamper

  constructor(tamper: Tamper) {
    this.#tamper = tamper
  }

  execute(statements: string, ...values: SQLInputValue[]): Promise<void> {
    return this.#tamper.execute(statements, ...values)
  }

  rows(query: string, ...values: SQLInputValue[]): Promise<readonly Row[]> {
    return this.#tamper.rows(query, ...values)
  }

  /** What is found after a change of the trail; everything is put back afterwards. */
  async tampered<T>(tamper: () => unknown, find: () => Promise<T>): Promise<T> {
    for (const table of TABLES) await this.execute(`create table kept_${table} as select * from ${table}`)
    try {
      await tamper()
      return await find()
    } finally {
      for (const table of TABLES) {
        await this.execute(`delete from ${table}; insert into ${table} select * from kept_${table}`)
        await this.execute(`drop table kept_${table}`)
      }
    }
  }

  /** Makes all links anew from a number on, as somebody would who knows how they are made and has no key. */
  async relink(from: number): Promise<void> {
    await this.execute(`delete from audit_chain where seq >= ${from}`)
    const [last] = [
      ...(await this.rows('select hash from audit_chain order by seq desc limit 1')),
      ...(await this.rows('select hash from audit_anchors order by seq desc limit 1')),
    ]
    let hash = String(last?.['hash'] ?? '')
    for (const row of await this.rows(`select * from audit where seq >= ${from} order by seq`)) {
      hash = plainLink(hash, linkedValues(row))
      await this.execute('insert into audit_chain values (?, ?)', Number(row['seq']), hash)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#tamper[Symbol.asyncDispose]() as Promise<void>
  }
}
