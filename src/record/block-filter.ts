/** Compiles a filter of records to a range of blocks and a test for rows. */
import { RECORD_SURFACES } from '../model/resource-types.ts'
import type { BlockRange } from '../store/ports/records.ts'
import { checkNamesOf, classOf, type Rows } from './block.ts'
import {
  CACHE_OUTCOMES,
  failureOriginOf,
  type GuardrailHit,
  type Outcome,
  outcomeClassOf,
  type WordColumn,
} from './fields.ts'
import type { RecordSelection } from './record-selection.ts'

export interface Match {
  /** Which blocks may hold a fitting row. */
  readonly range: BlockRange
  /** A test for the rows of one block, or null when none of them can fit. */
  readonly on: (rows: Rows) => ((row: number) => boolean) | null
}

/** Filters that are one of the words of a block, and the column that holds them. */
const WORD_FILTERS = [
  ['client', 'client'],
  ['profile', 'profile'],
  ['collection', 'collection'],
  ['proxy', 'proxy'],
  ['virtual_mcp', 'virtualMcp'],
  ['origin', 'origin'],
  ['credential_id', 'credentialId'],
  ['code', 'code'],
  ['route', 'route'],
  ['user', 'user'],
  ['subject', 'subject'],
  ['agent_host', 'agentHost'],
  ['upstream_target', 'upstreamTarget'],
  ['nearest_limit', 'nearestLimit'],
] as const satisfies (readonly [keyof RecordSelection, WordColumn])[]

/** The checks up to the proof (see the gateway's list); what ended there may name anybody. */
const UNPROVED = new Set([3, 4, 5, 6, 7, 8, 9])

/** Compiles a filter once, so that rows are tested by what was asked alone, cheapest test first. */
export function compileFilter(filter: RecordSelection): Match {
  const fromMs = filter.from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(filter.from)
  const toMs = filter.to === undefined ? Number.POSITIVE_INFINITY : Date.parse(filter.to)
  const statuses = filter.status === undefined ? null : statusesOf(filter.status)
  const asked = WORD_FILTERS.filter(([name]) => filter[name] !== undefined)
  const checks = filter.check === undefined ? null : checkNamesOf(filter.check)
  const agentTests = agentTestsOf(filter)
  const { surface, method, path, path_exact: exact, path_contains: part, ip, collections, aborted } = filter
  const { request_id: id, min_duration_ms: minMs, max_duration_ms: maxMs } = filter
  const {
    min_retries: minRetries,
    outcome_class: outcome,
    failure_origin: failureOrigin,
    trace_id: trace,
    guardrail,
  } = filter
  const cache = filter.cache === undefined ? -1 : CACHE_OUTCOMES.indexOf(filter.cache)
  const text = filter.text?.toLowerCase()

  return {
    range: {
      fromMs,
      toMs,
      // Of several names no block must have each
      words: [...asked.map(([name]) => filter[name]!), ...(checks?.length === 1 ? checks : [])],
      classes: statuses === null ? 0xffff : statuses.classes,
      agentsOnly: agentTests.length > 0,
    },
    on(rows) {
      const tests: ((row: number) => boolean)[] = []
      if (filter.from !== undefined || filter.to !== undefined)
        tests.push((row) => rows.timeMs(row) >= fromMs && rows.timeMs(row) < toMs)
      for (const [name, column] of asked) {
        const index = rows.words.indexOf(filter[name]!)
        if (index === -1) return null
        tests.push((row) => rows.word(row, column) === index)
      }
      if (checks !== null) {
        const indexes = checks.map((name) => rows.words.indexOf(name)).filter((index) => index !== -1)
        if (indexes.length === 0) return null
        tests.push((row) => indexes.includes(rows.word(row, 'check')))
      }
      if (collections !== undefined) {
        const indexes = new Set(collections.map((id) => rows.words.indexOf(id)).filter((index) => index > 0))
        if (indexes.size === 0) return null
        tests.push((row) => indexes.has(rows.word(row, 'collection')))
      }
      if (statuses !== null) tests.push((row) => statuses.has(rows.status(row)))
      if (surface === 'agent') tests.push((row) => rows.surface(row) !== 0)
      else if (surface !== undefined) {
        const number = RECORD_SURFACES.indexOf(surface)
        tests.push((row) => rows.surface(row) === number)
      }
      // Both stand in one member of the agent
      if (filter.tool !== undefined) tests.push((row) => rows.surface(row) !== 2)
      if (filter.capability !== undefined) tests.push((row) => rows.surface(row) === 2)
      if (minMs !== undefined) tests.push((row) => rows.durationMs(row) >= minMs)
      if (maxMs !== undefined) tests.push((row) => rows.durationMs(row) <= maxMs)
      if (filter.proved === true)
        tests.push((row) => rows.word(row, 'credentialId') !== 0 || !UNPROVED.has(rows.stoppedAt(row)))
      if (minRetries !== undefined) tests.push((row) => rows.retries(row) >= minRetries)
      if (cache !== -1) tests.push((row) => rows.cache(row) === cache)
      if (outcome !== undefined) tests.push((row) => outcomeClassOf(outcomeOf(rows, row)) === outcome)
      if (failureOrigin !== undefined)
        tests.push((row) => failureOriginOf(outcomeOf(rows, row)) === failureOrigin)
      if (aborted !== undefined) tests.push((row) => rows.isAborted(row) === aborted)
      if (path !== undefined) tests.push((row) => rows.pathStartsWith(row, path))
      if (exact !== undefined) tests.push((row) => rows.path(row) === exact)
      if (part !== undefined) tests.push((row) => rows.path(row).includes(part))
      if (method !== undefined) tests.push((row) => rows.method(row) === method)
      if (ip !== undefined) tests.push((row) => rows.ip(row) === ip)
      if (id !== undefined) tests.push((row) => rows.id(row) === id)
      if (trace !== undefined) tests.push((row) => rows.traceId(row) === trace)
      if (guardrail !== undefined) tests.push((row) => isHit(rows.guardrailHits(row), guardrail))
      if (agentTests.length > 0)
        tests.push((row) => {
          const agent = rows.agent(row)
          return agent !== null && agentTests.every(([member, value]) => agent[member] === value)
        })
      if (text !== undefined) tests.push((row) => rows.holds(row, text))
      return (row) => tests.every((test) => test(row))
    },
  }
}

/** True where the guardrail has found something; `hits` is JSON, or empty for none. */
function isHit(hits: string, guardrail: string): boolean {
  if (!hits.includes(guardrail)) return false
  return (JSON.parse(hits) as GuardrailHit[]).some(({ rule }) => rule === guardrail)
}

function outcomeOf(rows: Rows, row: number): Outcome {
  return {
    status: rows.status(row),
    code: rows.words[rows.word(row, 'code')] ?? '',
    upstreamStatus: rows.upstreamStatus(row),
  }
}

function agentTestsOf(
  filter: RecordSelection,
): (readonly ['mcpMethod' | 'tool' | 'name' | 'sessionId' | 'conversationId', string])[] {
  const pairs = [
    ['mcpMethod', filter.mcp_method],
    ['tool', filter.tool],
    ['tool', filter.capability],
    ['name', filter.agent_name],
    ['sessionId', filter.session_id],
    ['conversationId', filter.conversation_id],
  ] as const
  return pairs.flatMap(([member, value]) => (value === undefined ? [] : [[member, value] as const]))
}

/** The statuses that a filter names: `404`, `5xx`, or several separated by commas. */
export function statusesOf(text: string): { has(status: number): boolean; classes: number } {
  const parts = text.split(',').map((part) => part.trim())
  const exact = new Set(parts.filter((part) => !part.endsWith('xx')).map(Number))
  const hundreds = new Set(parts.filter((part) => part.endsWith('xx')).map((part) => Number(part[0])))
  return {
    has: (status) => exact.has(status) || hundreds.has(Math.floor(status / 100)),
    classes: parts.reduce((bits, part) => bits | classOf(Number(part[0]) * 100), 0),
  }
}
