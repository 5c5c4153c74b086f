/** Exports as rows, with their bytes in pieces: any node lists, downloads and cancels them. */
import { KeptExport } from '../../../model/record.ts'
import type { ExportStore, StoredExport } from '../../ports/exports.ts'
import type { NodeIdentity } from '../../ports/nodes.ts'
import { SCHEMA } from '../connection.ts'
import { LOCKS } from '../migrate.ts'
import { isGone, type SharedDatabase } from './database.ts'

const TABLE = `${SCHEMA}.shared_exports`
const PIECES = `${SCHEMA}.shared_export_pieces`
/** Bytes of a piece: what a download holds in memory. */
const PIECE_BYTES = 256 * 1024

const SELECT = `select description, state in ('queued', 'running') and ${isGone('it')} as is_lost from ${TABLE} it`

/** @param node that writes what is added here */
export function createExportRows(database: SharedDatabase, node: () => NodeIdentity): ExportStore {
  return {
    all: async () => toExports(await database.query(SELECT)),
    find: async (id) => toExports(await database.query(`${SELECT} where id = $1`, [id]))[0],
    add: (judge) =>
      database.transaction(async (client) => {
        await client.query(`select pg_advisory_xact_lock(${LOCKS.exports}, 0)`)
        const one = judge(toExports((await client.query(SELECT)).rows))
        const { id, epoch } = node()
        await client.query(
          `insert into ${TABLE} (id, state, description, node, epoch) values ($1, $2, $3, $4, $5)`,
          [one.id, one.state, JSON.stringify(one), id, epoch],
        )
        return one
      }),
    async replace(one, from) {
      const rows = await database.query(
        `update ${TABLE} set state = $2, description = $3 where id = $1 and state = any ($4) returning 1`,
        [one.id, one.state, JSON.stringify(one), from],
      )
      return rows.length === 1
    },
    async create(id) {
      await database.query(`delete from ${PIECES} where export = $1`, [id])
      let number = 0
      return {
        async write(text) {
          const bytes = Buffer.from(text)
          for (let at = 0; at < bytes.length; at += PIECE_BYTES)
            await database.query(`insert into ${PIECES} (export, number, bytes) values ($1, $2, $3)`, [
              id,
              number++,
              bytes.subarray(at, at + PIECE_BYTES),
            ])
        },
        async [Symbol.asyncDispose]() {},
      }
    },
    async size(id) {
      const [row] = await database.query(
        `select sum(octet_length(bytes))::bigint as size from ${PIECES} where export = $1`,
        [id],
      )
      const size = row?.['size'] ?? null
      return size === null ? undefined : Number(size)
    },
    read: (id) => piecesOf(database, id),
    async removeBytes(id) {
      await database.query(`delete from ${PIECES} where export = $1`, [id])
    },
    async remove(id) {
      // With its pieces
      await database.query(`delete from ${TABLE} where id = $1`, [id])
    },
  }
}

/** What another version has described otherwise is left out. */
function toExports(rows: readonly Record<string, unknown>[]): readonly StoredExport[] {
  return rows.flatMap(({ description, is_lost }) => {
    const parsed = KeptExport.safeParse(JSON.parse(String(description)))
    return parsed.success ? [{ kept: parsed.data, isLost: is_lost === true }] : []
  })
}

function piecesOf(database: SharedDatabase, id: string): ReadableStream<Uint8Array> {
  let next = 0
  let count: number | null = null
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (count === null) {
          const [row] = await database.query(`select count(*) as count from ${PIECES} where export = $1`, [
            id,
          ])
          count = Number(row?.['count'])
        }
        if (next === count) return controller.close()
        const [row] = await database.query(`select bytes from ${PIECES} where export = $1 and number = $2`, [
          id,
          next++,
        ])
        // A download that is cut off is not taken for a whole one
        if (row === undefined) throw new Error(`the file of the export ${id} was deleted`)
        controller.enqueue(row['bytes'] as Uint8Array)
      },
    },
    { highWaterMark: 0 },
  )
}
