/** Reads, writes and merges blocks: batches of records as the store keeps them. */
import { ownedBytes, ownedText } from '../base/memory/bytes.ts'
import type { RecordBlock } from '../store/ports/records.ts'
import { createBatchWriter, type RecordBatch } from './batch.ts'
import {
  CACHE_MASK,
  CACHE_SHIFT,
  FIRST_ROW_BYTES,
  FLAG_ABORTED,
  FLAG_MCP,
  FLAG_RUN,
  FLAG_STREAM,
  FLAG_TRACE,
  FLAG_VIRTUAL_MCP,
  RETRIES_UNKNOWN,
  type RecordAgent,
  type RecordFields,
  ROW_BYTES,
  type RowViews,
  SECOND_ROW_BYTES,
  type SurfaceNumber,
  TRACE_CHARS,
  viewsOf,
  WORD_COLUMNS,
  type WordColumn,
} from './fields.ts'

/** Reads the rows of one batch or block, by number, without decoding what is not asked for. */
export interface Rows {
  readonly count: number
  readonly words: readonly string[]
  timeMs(row: number): number
  status(row: number): number
  durationMs(row: number): number
  /** -1 when no upstream was asked. */
  upstreamMs(row: number): number
  bytesIn(row: number): number
  bytesOut(row: number): number
  isAborted(row: number): boolean
  /** The duration is that of a stream, and no latency. */
  isStream(row: number): boolean
  /** Number of the check that ended it; -1 for none. */
  stoppedAt(row: number): number
  surface(row: number): SurfaceNumber
  upstreamStatus(row: number): number
  /** How often another server was asked; -1 when that was not recorded. */
  retries(row: number): number
  /** Index into `CACHE_OUTCOMES`. */
  cache(row: number): number
  /** Of the arguments of a call at a virtual MCP. */
  argumentBytes(row: number): number
  /** Requests that the row stands for. */
  requests(row: number): number
  /** Empty for none. */
  traceId(row: number): string
  /** What the nodes of a workflow did; empty where none ran. */
  workflowTrace(row: number): string
  word(row: number, column: WordColumn): number
  id(row: number): string
  method(row: number): string
  ip(row: number): string
  path(row: number): string
  pathStartsWith(row: number, prefix: string): boolean
  /** True when any text of the row holds the lower-case text, whatever the case there. */
  holds(row: number, lowerCase: string): boolean
  agent(row: number): RecordAgent | null
  /** As in {@link RecordFields}. */
  guardrailHits(row: number): string
  reason(row: number): string
  /** The whole record. */
  fields(row: number): RecordFields
}

/** The rows of a batch in the order they were added. */
export function decodeBatch(batch: RecordBatch): RecordFields[] {
  const views = viewsOf(batch.numbers, 0, batch.rows)
  const rows = readRows(views, ROW_BYTES, batch.rows, batch.words, () => batch.text)
  return Array.from({ length: rows.count }, (_, row) => rows.fields(row))
}

/** A batch in the form that is stored. Its buffer is shared, not copied. */
export function toBlock(batch: RecordBatch, environment: string | null = null): RecordBlock {
  const { rows } = batch
  const { f64, i16, u16 } = viewsOf(batch.numbers, 0, rows)
  let minTimeMs = Number.POSITIVE_INFINITY
  let maxTimeMs = Number.NEGATIVE_INFINITY
  let classes = 0
  let agents = 0
  for (let row = 0; row < rows; row++) {
    const time = f64[row * (ROW_BYTES / 8)]!
    if (time < minTimeMs) minTimeMs = time
    if (time > maxTimeMs) maxTimeMs = time
    classes |= classOf(i16[row * (ROW_BYTES / 2) + 16]!)
    if (u16[row * (ROW_BYTES / 2) + 29]! > 0) agents++
  }
  return {
    rows,
    proved: batch.proved,
    minTimeMs: Math.floor(minTimeMs),
    maxTimeMs: Math.ceil(maxTimeMs),
    classes,
    agents,
    environment,
    words: JSON.stringify(batch.words),
    // The batch has room for more rows than came
    numbers: ownedBytes(new Uint8Array(batch.numbers, 0, rows * ROW_BYTES)),
    // A lone surrogate has no UTF-8; its replacement has the same length, so that no border moves.
    text: ownedText(batch.text.isWellFormed() ? batch.text : batch.text.toWellFormed()),
  }
}

/** Bit of the class of a status; bit 0 for anything that is no status. */
export function classOf(status: number): number {
  return status >= 100 && status < 600 ? 1 << Math.floor(status / 100) : 1
}

const ROW_SIZES = [ROW_BYTES, SECOND_ROW_BYTES, FIRST_ROW_BYTES] as const

/** Throws when the block is damaged. */
export function readBlock(block: RecordBlock): Rows {
  const { rows, numbers } = block
  const rowBytes = ROW_SIZES.find((bytes) => numbers.byteLength === rows * bytes)
  if (rowBytes === undefined) throw new Error('a block of records has a wrong size')
  const aligned = numbers.byteOffset % 8 === 0 ? numbers : numbers.slice()
  // Written by toBlock from an array of strings.
  const words = JSON.parse(block.words) as string[]
  // Only for those who read any: most counting needs numbers and words alone.
  const decode = (): string =>
    Buffer.from(block.text.buffer, block.text.byteOffset, block.text.byteLength).toString('utf8')
  return readRows(viewsOf(aligned.buffer, aligned.byteOffset, rows, rowBytes), rowBytes, rows, words, decode)
}

/** One block with the rows of several of one environment and one share, in their order. */
export function mergeBlocks(blocks: readonly RecordBlock[]): RecordBlock {
  const writer = createBatchWriter(
    blocks.reduce((sum, block) => sum + block.rows, 0),
    blocks[0]?.proved,
  )
  for (const block of blocks) {
    const rows = readBlock(block)
    for (let row = 0; row < rows.count; row++) writer.add(rows.fields(row))
  }
  return toBlock(writer.take(), blocks[0]?.environment)
}

function readRows(
  views: RowViews,
  rowBytes: number,
  count: number,
  words: readonly string[],
  decode: () => string,
): Rows {
  const { f64, f32, u32, i16, u16, u8 } = views
  const [by8, by4, by2] = [rowBytes / 8, rowBytes / 4, rowBytes / 2]
  const isFirst = rowBytes === FIRST_ROW_BYTES
  const idLength = (row: number): number => u8[row * rowBytes + 60]!
  const methodLength = (row: number): number => u8[row * rowBytes + 61]!
  const ipLength = (row: number): number => u8[row * rowBytes + 62]!
  const pathLength = (row: number): number => u16[row * by2 + 27]!
  const reasonLength = (row: number): number => u16[row * by2 + 28]!
  const agentLength = (row: number): number => u16[row * by2 + 29]!
  const flags = (row: number): number => u16[row * by2 + 19]!
  const traceLength = (row: number): number => ((flags(row) & FLAG_TRACE) === 0 ? 0 : TRACE_CHARS)

  let text = ''
  let starts: Uint32Array | undefined
  const startOf = (row: number): number => {
    if (starts === undefined) {
      text = decode()
      starts = new Uint32Array(count)
      let at = 0
      for (let i = 0; i < count; i++) {
        starts[i] = at
        at += idLength(i) + methodLength(i) + pathLength(i) + ipLength(i) + reasonLength(i)
        at += agentLength(i) + traceLength(i)
        if ((flags(i) & FLAG_RUN) !== 0) at += 1 + text.charCodeAt(at)
      }
      if (at !== text.length) throw new Error('a block of records has text of a wrong length')
    }
    return starts[row]!
  }
  const piece = (start: number, length: number): string => text.slice(start, start + length)
  const pathStart = (row: number): number => startOf(row) + idLength(row) + methodLength(row)
  const ipStart = (row: number): number => pathStart(row) + pathLength(row)
  const reasonStart = (row: number): number => ipStart(row) + ipLength(row)
  const agentStart = (row: number): number => reasonStart(row) + reasonLength(row)
  const word = (row: number, column: WordColumn): number =>
    WORD_COLUMNS[column] >= by2 ? 0 : u16[row * by2 + WORD_COLUMNS[column]]!
  const wordText = (row: number, column: WordColumn): string => words[word(row, column)] ?? ''

  const rows: Rows = {
    reason: (row) => piece(reasonStart(row), reasonLength(row)),
    count,
    words,
    timeMs: (row) => f64[row * by8]!,
    status: (row) => i16[row * by2 + 16]!,
    durationMs: (row) => f32[row * by4 + 6]!,
    upstreamMs: (row) => f32[row * by4 + 7]!,
    bytesIn: (row) => f64[row * by8 + 1]!,
    bytesOut: (row) => f64[row * by8 + 2]!,
    stoppedAt: (row) => i16[row * by2 + 18]!,
    isAborted: (row) => (flags(row) & FLAG_ABORTED) !== 0,
    isStream: (row) => (flags(row) & FLAG_STREAM) !== 0,
    surface: (row) => {
      if ((flags(row) & FLAG_MCP) === 0) return 0
      return (flags(row) & FLAG_VIRTUAL_MCP) === 0 ? 1 : 2
    },
    upstreamStatus: (row) => i16[row * by2 + 17]!,
    retries: (row) => {
      const retries = isFirst ? RETRIES_UNKNOWN : u8[row * rowBytes + 63]!
      return retries === RETRIES_UNKNOWN ? -1 : retries
    },
    cache: (row) => (flags(row) >> CACHE_SHIFT) & CACHE_MASK,
    argumentBytes: (row) => (rowBytes < ROW_BYTES ? 0 : u32[row * by4 + 21]!),
    requests: (row) => (isFirst ? 1 : u32[row * by4 + 19]!),
    workflowTrace(row) {
      if ((flags(row) & FLAG_RUN) === 0) return ''
      const at = agentStart(row) + agentLength(row) + traceLength(row)
      return piece(at + 1, text.charCodeAt(at))
    },
    traceId: (row) => piece(agentStart(row) + agentLength(row), traceLength(row)),
    word,
    id: (row) => piece(startOf(row), idLength(row)),
    method: (row) => piece(startOf(row) + idLength(row), methodLength(row)),
    path: (row) => piece(pathStart(row), pathLength(row)),
    pathStartsWith: (row, prefix) => prefix.length <= pathLength(row) && rows.path(row).startsWith(prefix),
    holds: (row, lowerCase) => {
      const { agent, ...others } = rows.fields(row)
      const texts = [...Object.values(others), ...Object.values(agent ?? {})].filter(
        (value) => typeof value === 'string',
      )
      return texts.some((one) => one.toLowerCase().includes(lowerCase))
    },
    ip: (row) => piece(ipStart(row), ipLength(row)),
    agent: (row) => {
      const length = agentLength(row)
      return length === 0 ? null : decodeAgent(textsOf(piece(agentStart(row), length)))
    },
    guardrailHits: (row) => {
      const length = agentLength(row)
      return length === 0 ? '' : (textsOf(piece(agentStart(row), length))[HITS] ?? '')
    },
    fields: (row) => ({
      id: rows.id(row),
      timeMs: rows.timeMs(row),
      surface: rows.surface(row),
      method: rows.method(row),
      path: rows.path(row),
      route: wordText(row, 'route'),
      collection: wordText(row, 'collection'),
      proxy: wordText(row, 'proxy'),
      virtualMcp: wordText(row, 'virtualMcp'),
      origin: wordText(row, 'origin'),
      client: wordText(row, 'client'),
      profile: wordText(row, 'profile'),
      credentialId: wordText(row, 'credentialId'),
      user: wordText(row, 'user'),
      subject: wordText(row, 'subject'),
      agentHost: wordText(row, 'agentHost'),
      ip: rows.ip(row),
      status: rows.status(row),
      code: wordText(row, 'code'),
      reason: rows.reason(row),
      stoppedAt: rows.stoppedAt(row),
      check: checkNameOf(wordText(row, 'check')),
      durationMs: rows.durationMs(row),
      upstreamMs: rows.upstreamMs(row),
      bytesIn: rows.bytesIn(row),
      bytesOut: rows.bytesOut(row),
      upstreamStatus: rows.upstreamStatus(row),
      upstreamTarget: wordText(row, 'upstreamTarget'),
      retries: rows.retries(row),
      cache: rows.cache(row),
      nearestLimit: wordText(row, 'nearestLimit'),
      traceId: rows.traceId(row),
      workflowTrace: rows.workflowTrace(row),
      aborted: rows.isAborted(row),
      isStream: rows.isStream(row),
      argumentBytes: rows.argumentBytes(row),
      count: rows.requests(row),
      guardrailHits: rows.guardrailHits(row),
      agent: rows.agent(row),
    }),
  }
  return rows
}

/** Where the hits of guardrails stand, after the texts of the agent. */
const HITS = 10

/** Written by encodeAgent of `batch.ts`. */
function textsOf(json: string): readonly (string | null)[] {
  return JSON.parse(json) as (string | null)[]
}

/** A missing text reads as empty. Null where the first is null: the row has hits of guardrails alone. */
function decodeAgent(texts: readonly (string | null)[]): RecordAgent | null {
  if (texts[0] === null) return null
  const [name, version, sessionId, conversationId, mcpMethod, tool, mcpRequestId, reason, ...replay] = texts
  const [replayOf, replayedOver] = replay
  return {
    name: name ?? '',
    version: version ?? '',
    sessionId: sessionId ?? '',
    conversationId: conversationId ?? '',
    mcpMethod: mcpMethod ?? '',
    tool: tool ?? '',
    mcpRequestId: mcpRequestId ?? '',
    reason: reason ?? '',
    ...(replayOf === undefined || replayOf === null || replayOf === ''
      ? {}
      : { replayOf, replayedOver: replayedOver ?? '' }),
  }
}

// Maps earlier names of checks, which old records have, to the current names.

/** Names of checks that were changed since records were written under them: the earlier name, and that of today. */
const RENAMED: ReadonlyMap<string, string> = new Map([['replay', 'kept answer']])

/** The name of today of a check, as a record or a caller names it. */
function checkNameOf(name: string): string {
  return RENAMED.get(name) ?? name
}

/** Every name under which records may keep a check, that of today first. */
export function checkNamesOf(name: string): readonly string[] {
  const today = checkNameOf(name)
  const earlier = [...RENAMED].filter(([, newer]) => newer === today).map(([older]) => older)
  return [today, ...earlier]
}
