/**
 * Records travel to the recorder in column batches, and a batch is stored as one row. A row for each request cost five times
 * as much. A value that all rows share, such as the name of the environment, is stored once for the batch.
 */
import {
  CACHE_SHIFT,
  CALL_REASON_CHARS_MAX,
  cutText,
  FLAG_ABORTED,
  FLAG_MCP,
  FLAG_RUN,
  FLAG_STREAM,
  FLAG_TRACE,
  FLAG_VIRTUAL_MCP,
  RECORD_CHARS_MAX,
  RETRIES_UNKNOWN,
  type RecordAgent,
  type RecordFields,
  ROW_BYTES,
  TRACE_CHARS,
  viewsOf,
  WORD_COLUMNS,
} from './fields.ts'

/** What a gateway thread hands over: `numbers` is transferred, the rest copied. */
export interface RecordBatch {
  readonly rows: number
  /** Their callers have proved who they are. Such rows have a share of queue and store that others cannot take. */
  readonly proved: boolean
  /** At least `rows * ROW_BYTES` bytes. */
  readonly numbers: ArrayBuffer
  /** Strings that many rows share; the first is empty. */
  readonly words: readonly string[]
  readonly text: string
}

/** What the flags say of each surface. */
const SURFACE_FLAGS = [0, FLAG_MCP, FLAG_MCP | FLAG_VIRTUAL_MCP] as const
/** Where more cannot be told; one more stands for records of earlier releases, which do not say. */
const RETRIES_MAX = RETRIES_UNKNOWN - 1
const U32_MAX = 0xffff_ffff
/** Columns of a row whose values are words. */
const COLUMNS = Object.keys(WORD_COLUMNS).length

/**
 * Gathers rows.
 * @param rowsMax at most `BLOCK_ROWS_MAX`. @param proved see {@link RecordBatch.proved}
 */
export function createBatchWriter(rowsMax: number, proved = true) {
  let numbers = new ArrayBuffer(rowsMax * ROW_BYTES)
  let { f64, f32, u32, i16, u16, u8 } = viewsOf(numbers, 0, rowsMax)
  let words: string[] = ['']
  let indexes = new Map<string, number>([['', 0]])
  let text = ''
  let rows = 0

  /** Of each column the word of the row before, which is mostly that of the next too. */
  const lastWords: string[] = Array.from({ length: COLUMNS }, () => '')
  const lastIndexes = new Uint16Array(COLUMNS)

  const wordOf = (column: number, word: string): number => {
    if (word === lastWords[column]) return lastIndexes[column]!
    const cut = cutText(word, RECORD_CHARS_MAX.word)
    let index = indexes.get(cut)
    if (index === undefined) {
      index = words.push(cut) - 1
      indexes.set(cut, index)
    }
    lastWords[column] = word
    lastIndexes[column] = index
    return index
  }

  return {
    get rows(): number {
      return rows
    },
    /** UTF-16 units of text gathered so far. */
    get textLength(): number {
      return text.length
    },
    /** Adds a row; the caller has checked that there is room. */
    add(fields: RecordFields): void {
      const at8 = rows * (ROW_BYTES / 8)
      f64[at8] = fields.timeMs
      f64[at8 + 1] = fields.bytesIn
      f64[at8 + 2] = fields.bytesOut
      const at4 = rows * (ROW_BYTES / 4)
      f32[at4 + 6] = fields.durationMs
      f32[at4 + 7] = fields.upstreamMs
      u32[at4 + 19] = Math.min(fields.count, U32_MAX)
      const at2 = rows * (ROW_BYTES / 2)
      i16[at2 + 16] = fields.status
      i16[at2 + 17] = fields.upstreamStatus
      i16[at2 + 18] = fields.stoppedAt
      const { workflowTrace } = fields
      const hasRun = workflowTrace !== '' && workflowTrace.length <= RECORD_CHARS_MAX.workflowTrace
      const hasTrace = fields.traceId.length === TRACE_CHARS
      u16[at2 + 19] =
        SURFACE_FLAGS[fields.surface] |
        (fields.aborted ? FLAG_ABORTED : 0) |
        (fields.isStream ? FLAG_STREAM : 0) |
        (hasTrace ? FLAG_TRACE : 0) |
        (hasRun ? FLAG_RUN : 0) |
        (fields.cache << CACHE_SHIFT)
      u16[at2 + WORD_COLUMNS.route] = wordOf(0, fields.route)
      u16[at2 + WORD_COLUMNS.collection] = wordOf(1, fields.collection)
      u16[at2 + WORD_COLUMNS.proxy] = wordOf(2, fields.proxy)
      u16[at2 + WORD_COLUMNS.client] = wordOf(3, fields.client)
      u16[at2 + WORD_COLUMNS.profile] = wordOf(4, fields.profile)
      u16[at2 + WORD_COLUMNS.credentialId] = wordOf(5, fields.credentialId)
      u16[at2 + WORD_COLUMNS.code] = wordOf(6, fields.code)
      u16[at2 + WORD_COLUMNS.check] = wordOf(7, fields.check)
      u16[at2 + WORD_COLUMNS.user] = wordOf(8, fields.user)
      u16[at2 + WORD_COLUMNS.subject] = wordOf(9, fields.subject)
      u16[at2 + WORD_COLUMNS.agentHost] = wordOf(10, fields.agentHost)
      u16[at2 + WORD_COLUMNS.upstreamTarget] = wordOf(11, fields.upstreamTarget)
      u16[at2 + WORD_COLUMNS.nearestLimit] = wordOf(12, fields.nearestLimit)
      // The numbers of a new batch are 0, which is what the rows of other surfaces have here
      if (fields.virtualMcp !== '' || fields.origin !== '' || fields.argumentBytes > 0) {
        u16[at2 + WORD_COLUMNS.virtualMcp] = wordOf(13, fields.virtualMcp)
        u16[at2 + WORD_COLUMNS.origin] = wordOf(14, fields.origin)
        u32[at4 + 21] = Math.min(fields.argumentBytes, U32_MAX)
      }
      const id = cutText(fields.id, RECORD_CHARS_MAX.id)
      const method = cutText(fields.method, RECORD_CHARS_MAX.method)
      const path = cutText(fields.path, RECORD_CHARS_MAX.path)
      const ip = cutText(fields.ip, RECORD_CHARS_MAX.ip)
      const reason = cutText(fields.reason, RECORD_CHARS_MAX.reason)
      const agent = encodeAgent(fields)
      u16[at2 + 27] = path.length
      u16[at2 + 28] = reason.length
      u16[at2 + 29] = agent.length
      const at1 = rows * ROW_BYTES
      u8[at1 + 60] = id.length
      u8[at1 + 61] = method.length
      u8[at1 + 62] = ip.length
      u8[at1 + 63] = fields.retries < 0 ? RETRIES_UNKNOWN : Math.min(fields.retries, RETRIES_MAX)
      text += id + method + path + ip + reason + agent
      if (hasTrace) text += fields.traceId
      if (hasRun) text += String.fromCharCode(workflowTrace.length) + workflowTrace
      rows++
    },
    /** What was gathered; the writer starts anew and shares nothing with it. */
    take(): RecordBatch {
      const batch = { rows, proved, numbers, words, text }
      numbers = new ArrayBuffer(rowsMax * ROW_BYTES)
      ;({ f64, f32, u32, i16, u16, u8 } = viewsOf(numbers, 0, rowsMax))
      words = ['']
      indexes = new Map([['', 0]])
      lastWords.fill('')
      lastIndexes.fill(0)
      text = ''
      rows = 0
      return batch
    },
  }
}

/** Texts of an agent, and of a request that was made again. */
const AGENT_TEXTS = 10

/** Cut strings are at most (9 * 256 + 500 + 4000) * 6 characters of JSON, which fits 16 bits. */
function encodeAgent({ agent, guardrailHits }: RecordFields): string {
  const texts: (string | null)[] = agent === null ? [] : textsOf(agent)
  if (guardrailHits !== '') {
    if (agent === null) texts.push(null)
    while (texts.length < AGENT_TEXTS) texts.push('')
    texts.push(cutText(guardrailHits, RECORD_CHARS_MAX.guardrailHits))
  }
  return texts.length === 0 ? '' : JSON.stringify(texts)
}

function textsOf(agent: RecordAgent): string[] {
  const members = [
    cutText(agent.name, RECORD_CHARS_MAX.agentField),
    cutText(agent.version, RECORD_CHARS_MAX.agentField),
    cutText(agent.sessionId, RECORD_CHARS_MAX.agentField),
    cutText(agent.conversationId, RECORD_CHARS_MAX.agentField),
    cutText(agent.mcpMethod, RECORD_CHARS_MAX.agentField),
    cutText(agent.tool, RECORD_CHARS_MAX.agentField),
    cutText(agent.mcpRequestId, RECORD_CHARS_MAX.agentField),
    cutText(agent.reason, CALL_REASON_CHARS_MAX),
  ]
  if (agent.replayOf !== undefined)
    for (const replayed of [agent.replayOf, agent.replayedOver ?? ''])
      members.push(cutText(replayed, RECORD_CHARS_MAX.agentField))
  return members
}
